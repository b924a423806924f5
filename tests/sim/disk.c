#include "tests/sim/disk.h"

#include "tests/sim/faults.h"
#include "tests/sim/loop.h"
#include "tests/sim/plant.h"

#include <raft.h>
#include <raft/uv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DELAY_US          200
#define FULL_FAILS_OF_MIL 50 /* of appends on a full disk: most fit into what is allocated */
#define JITTER_US         300

struct record {
    raft_term term;
    unsigned short type;
    void *bytes;
    size_t len;
};

enum write_kind { WRITE_APPEND, WRITE_CUT, WRITE_SNAPSHOT };

struct write {
    struct write *next;
    enum write_kind kind;
    struct record *records; /* to append */
    size_t count;
    raft_index index; /* to cut from */
    struct raft_snapshot *snapshot;
    unsigned trailing;
    struct raft_io_append *append;
    raft_io_append_cb appended;
    struct raft_io_snapshot_put *put;
    raft_io_snapshot_put_cb put_done;
    struct disk *disk;
    int status;
};

struct disk {
    struct sim_host *host;
    /* what is there for good */
    raft_term term;
    raft_id voted_for;
    raft_index first; /* of the records */
    struct record *records;
    size_t count;
    size_t room;
    struct raft_snapshot *snapshot;
    /* of the program that runs */
    struct raft_io *io;
    uv_loop_t *loop;
    uv_timer_t ticker;
    raft_io_tick_cb tick;
    raft_io_close_cb closed;
    struct write *first_write;
    uint32_t life;
    bool is_busy; /* an event ends the first write */
    bool is_held;
    bool fails_next;
    bool is_broken; /* a write has failed: raft_uv writes nothing more behind it */
    uint64_t delay_us;
    uint64_t jitter_us;
};

static struct disk disks[SIM_HOSTS_MAX];

static struct disk *disk_of(const struct sim_host *host)
{
    return &disks[host->number - 1];
}

static struct disk *disk_in(const struct raft_io *io)
{
    return io->impl;
}

static void *allocate(size_t size)
{
    void *memory = calloc(1, size == 0 ? 1 : size);

    if (memory == NULL) {
        abort();
    }
    return memory;
}

static void *copy_bytes(const void *bytes, size_t len)
{
    void *copy = raft_malloc(len == 0 ? 1 : len);

    if (copy == NULL) {
        abort();
    }
    if (len > 0) {
        memcpy(copy, bytes, len);
    }
    return copy;
}

void disk_init(void)
{
    memset(disks, 0, sizeof(disks));
    for (uint32_t i = 0; i < SIM_HOSTS_MAX; i++) {
        disks[i].host = machine_host(i + 1);
        disks[i].first = 1;
        disk_set_delay(disks[i].host, DELAY_US, JITTER_US);
    }
}

void disk_set_delay(struct sim_host *host, uint64_t delay_us, uint64_t jitter_us)
{
    disk_of(host)->delay_us = delay_us;
    disk_of(host)->jitter_us = jitter_us;
}

/* ---- what is there for good */

static void add_record(struct disk *disk, struct record record)
{
    if (disk->count == disk->room) {
        disk->room = disk->room == 0 ? 256 : 2 * disk->room;
        disk->records = realloc(disk->records, disk->room * sizeof(*disk->records));
        if (disk->records == NULL) {
            abort();
        }
    }
    disk->records[disk->count++] = record;
}

static void cut(struct disk *disk, raft_index index)
{
    disk->count = index <= disk->first                ? 0
                  : index - disk->first < disk->count ? index - disk->first
                                                      : disk->count;
}

static void drop_before(struct disk *disk, raft_index index)
{
    size_t dropped = index <= disk->first ? 0 : index - disk->first;

    if (dropped >= disk->count) {
        disk->count = 0;
        disk->first = index;
        return;
    }
    disk->count -= dropped;
    memmove(disk->records, disk->records + dropped, disk->count * sizeof(*disk->records));
    disk->first += dropped;
}

static void keep_snapshot(struct disk *disk, const struct write *write)
{
    raft_index index = write->snapshot->index;

    disk->snapshot = write->snapshot;
    if (write->trailing == 0) {
        disk->count = 0; /* it takes the place of the log */
        disk->first = index + 1;
    } else if (index > write->trailing) {
        drop_before(disk, index - write->trailing + 1);
    }
}

static void do_write(struct disk *disk, const struct write *write, size_t count)
{
    switch (write->kind) {
    case WRITE_APPEND:
        for (size_t i = 0; i < count; i++) {
            add_record(disk, write->records[i]);
        }
        break;
    case WRITE_CUT:
        cut(disk, write->index);
        break;
    case WRITE_SNAPSHOT:
        keep_snapshot(disk, write);
        break;
    }
}

void disk_lose(struct sim_host *host)
{
    struct disk *disk = disk_of(host);

    for (struct write *write = disk->first_write; write != NULL && !disk->is_broken;
         write = write->next) {
        if (machine_chance(500)) {
            if (write->kind == WRITE_APPEND) {
                do_write(disk, write, machine_draw(write->count + 1)); /* torn */
            }
            break;
        }
        do_write(disk, write, write->count);
    }
    disk->first_write = NULL;
    disk->io = NULL;
    disk->loop = NULL;
    disk->life++;
    disk->is_busy = false;
    disk->fails_next = false;
    disk->is_broken = false;
    disk->closed = NULL;
}

void disk_wipe(struct sim_host *host)
{
    struct disk *disk = disk_of(host);

    disk->term = 0;
    disk->voted_for = 0;
    disk->first = 1;
    disk->count = 0;
    disk->snapshot = NULL;
}

bool disk_holds(const struct sim_host *host, uint64_t current_term, uint64_t index, uint64_t term)
{
    const struct disk *disk = disk_of(host);

    if (disk->term != current_term || index < disk->first ||
        (disk->snapshot != NULL && index <= disk->snapshot->index)) {
        return true;
    }
    return index - disk->first < disk->count && disk->records[index - disk->first].term == term;
}

/* ---- writes */

static void begin_next(struct disk *disk);

static void finish(void *ctx)
{
    struct write *write = ctx;

    if (write->appended != NULL) {
        write->appended(write->append, write->status);
    } else if (write->put_done != NULL) {
        write->put_done(write->put, write->status);
    }
    free(write);
}

static void end_close(void *ctx)
{
    struct disk *disk = ctx;

    disk->closed(disk->io);
}

static void on_ticker_closed(uv_handle_t *handle)
{
    struct disk *disk = handle->data;

    if (disk->first_write == NULL) {
        end_close(disk);
    }
}

/* What the event of a write needs to know: the host may have died since. */
struct ending {
    struct disk *disk;
    uint32_t life;
};

static bool fails(const struct disk *disk)
{
    return disk->fails_next || (disk->host->is_full && machine_chance(FULL_FAILS_OF_MIL));
}

static void end_write(void *ctx)
{
    struct ending *ending = ctx;
    struct disk *disk = ending->disk;
    struct write *write = disk->first_write;
    bool is_current = ending->life == disk->life;

    free(ending);
    if (!is_current) {
        return;
    }
    disk->is_busy = false;
    if (disk->is_held) {
        return;
    }
    if (disk->is_broken) {
        write->status = RAFT_IOERR;
    } else if (write->kind == WRITE_APPEND && fails(disk)) {
        disk->is_broken = true;
        write->status = disk->host->is_full ? RAFT_NOSPACE : RAFT_IOERR;
        do_write(disk, write, machine_draw(write->count + 1));
    } else {
        do_write(disk, write, write->count);
    }
    disk->first_write = write->next;
    loop_post(disk->loop, finish, write);
    if (disk->first_write == NULL && disk->closed != NULL) {
        loop_post(disk->loop, end_close, disk);
    }
    begin_next(disk);
}

static void begin_next(struct disk *disk)
{
    struct ending *ending;

    if (disk->first_write == NULL || disk->is_busy || disk->is_held) {
        return;
    }
    ending = allocate(sizeof(*ending));
    *ending = (struct ending){.disk = disk, .life = disk->life};
    disk->is_busy = true;
    machine_at(machine_now_us() + disk->delay_us + machine_draw(disk->jitter_us + 1), end_write,
               ending);
}

static struct write *add_write(struct disk *disk, enum write_kind kind)
{
    struct write *write = allocate(sizeof(*write));
    struct write **at = &disk->first_write;

    write->kind = kind;
    write->disk = disk;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = write;
    return write;
}

void disk_fail_next(struct sim_host *host)
{
    disk_of(host)->fails_next = true;
}

void disk_hold(struct sim_host *host, bool is_held)
{
    disk_of(host)->is_held = is_held;
    begin_next(disk_of(host));
}

/* ---- libraft's interface */

static int on_init(struct raft_io *io, raft_id id, const char *address)
{
    (void)io;
    (void)id;
    (void)address;
    return 0;
}

static void on_close(struct raft_io *io, raft_io_close_cb closed)
{
    struct disk *disk = disk_in(io);

    disk->closed = closed;
    uv_close((uv_handle_t *)&disk->ticker, on_ticker_closed);
}

static struct raft_snapshot *copy_snapshot(const struct raft_snapshot *from)
{
    struct raft_snapshot *copy = raft_malloc(sizeof(*copy));
    size_t len = 0;
    char *bytes;

    *copy = *from;
    for (unsigned i = 0; i < from->n_bufs; i++) {
        len += from->bufs[i].len;
    }
    bytes = copy_bytes("", 0);
    bytes = raft_realloc(bytes, len == 0 ? 1 : len);
    len = 0;
    for (unsigned i = 0; i < from->n_bufs; i++) {
        memcpy(bytes + len, from->bufs[i].base, from->bufs[i].len);
        len += from->bufs[i].len;
    }
    copy->bufs = raft_malloc(sizeof(*copy->bufs));
    copy->bufs[0] = (struct raft_buffer){.base = bytes, .len = len};
    copy->n_bufs = 1;
    raft_configuration_init(&copy->configuration);
    for (unsigned i = 0; i < from->configuration.n; i++) {
        const struct raft_server *server = &from->configuration.servers[i];

        if (raft_configuration_add(&copy->configuration, server->id, server->address,
                                   server->role) != 0) {
            abort();
        }
    }
    return copy;
}

static int on_load(struct raft_io *io, raft_term *term, raft_id *voted_for,
                   struct raft_snapshot **snapshot, raft_index *start_index,
                   struct raft_entry *entries[], size_t *count)
{
    struct disk *disk = disk_in(io);

    *term = disk->term;
    *voted_for = disk->voted_for;
    *snapshot = disk->snapshot == NULL ? NULL : copy_snapshot(disk->snapshot);
    *start_index = disk->first;
    *count = disk->count;
    *entries = disk->count == 0 ? NULL : raft_malloc(disk->count * sizeof(**entries));
    for (size_t i = 0; i < disk->count; i++) {
        const struct record *record = &disk->records[i];
        void *bytes = copy_bytes(record->bytes, record->len);

        (*entries)[i] = (struct raft_entry){.term = record->term,
                                            .type = record->type,
                                            .buf = {.base = bytes, .len = record->len},
                                            .batch = bytes};
    }
    return 0;
}

static void on_tick(uv_timer_t *timer)
{
    struct disk *disk = timer->data;

    disk->tick(disk->io);
}

static int on_start(struct raft_io *io, unsigned tick_ms, raft_io_tick_cb tick,
                    raft_io_recv_cb receive)
{
    struct disk *disk = disk_in(io);

    (void)receive; /* nothing comes from a disk */
    disk->tick = tick;
    return uv_timer_start(&disk->ticker, on_tick, tick_ms, tick_ms);
}

static int on_bootstrap(struct raft_io *io, const struct raft_configuration *configuration)
{
    struct disk *disk = disk_in(io);
    struct raft_buffer bytes;

    if (disk->term > 0 || disk->count > 0 || disk->snapshot != NULL) {
        return RAFT_CANTBOOTSTRAP;
    }
    if (raft_configuration_encode(configuration, &bytes) != 0) {
        return RAFT_NOMEM;
    }
    disk->term = 1;
    add_record(disk, (struct record){
                         .term = 1, .type = RAFT_CHANGE, .bytes = bytes.base, .len = bytes.len});
    return 0;
}

static int on_recover(struct raft_io *io, const struct raft_configuration *configuration)
{
    (void)io;
    (void)configuration;
    return RAFT_IOERR; /* no node does */
}

static int on_set_term(struct raft_io *io, raft_term term)
{
    disk_in(io)->term = term;
    disk_in(io)->voted_for = 0;
    return 0;
}

static int on_set_vote(struct raft_io *io, raft_id id)
{
    disk_in(io)->voted_for = id;
    return 0;
}

static int on_append(struct raft_io *io, struct raft_io_append *request,
                     const struct raft_entry entries[], unsigned count, raft_io_append_cb done)
{
    struct disk *disk = disk_in(io);
    struct write *write = add_write(disk, WRITE_APPEND);

    write->records = allocate(count * sizeof(*write->records));
    write->count = count;
    write->append = request;
    write->appended = done;
    for (unsigned i = 0; i < count; i++) {
        write->records[i] =
            (struct record){.term = entries[i].term,
                            .type = entries[i].type,
                            .bytes = copy_bytes(entries[i].buf.base, entries[i].buf.len),
                            .len = entries[i].buf.len};
    }
    if (plant_is(PLANT_EARLY_ACK)) { /* it will be written some time, says the disk */
        struct write *told = allocate(sizeof(*told));

        *told = *write;
        write->appended = NULL;
        loop_post(disk->loop, finish, told);
    }
    begin_next(disk);
    while (plant_is(PLANT_WAITS) && disk->first_write != NULL) {
        machine_sleep_us(DELAY_US);
    }
    return 0;
}

static int on_truncate(struct raft_io *io, raft_index index)
{
    add_write(disk_in(io), WRITE_CUT)->index = index;
    begin_next(disk_in(io));
    return 0;
}

static int on_snapshot_put(struct raft_io *io, unsigned trailing,
                           struct raft_io_snapshot_put *request,
                           const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb done)
{
    struct write *write = add_write(disk_in(io), WRITE_SNAPSHOT);

    faults_moment(disk_in(io)->host->number, DELAY_US + JITTER_US);
    write->snapshot = copy_snapshot(snapshot);
    write->trailing = trailing;
    write->put = request;
    write->put_done = done;
    begin_next(disk_in(io));
    return 0;
}

struct reading {
    struct raft_io_snapshot_get *request;
    raft_io_snapshot_get_cb done;
    struct raft_snapshot *snapshot;
};

static void end_reading(void *ctx)
{
    struct reading *reading = ctx;

    reading->done(reading->request, reading->snapshot, 0);
    free(reading);
}

static int on_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *request,
                           raft_io_snapshot_get_cb done)
{
    struct disk *disk = disk_in(io);
    struct reading *reading = allocate(sizeof(*reading));

    *reading = (struct reading){
        .request = request, .done = done, .snapshot = copy_snapshot(disk->snapshot)};
    loop_post(disk->loop, end_reading, reading);
    return 0;
}

static raft_time on_time(struct raft_io *io)
{
    (void)io;
    return machine_now_us() / 1000;
}

static int on_random(struct raft_io *io, int min, int max)
{
    (void)io;
    return min + (int)machine_draw((uint64_t)(max - min) + 1);
}

int raft_uv_init(struct raft_io *io, struct uv_loop_s *loop, const char *dir,
                 struct raft_uv_transport *transport)
{
    struct disk *disk = disk_of(machine_here());

    (void)dir;
    (void)transport;
    memset(io, 0, sizeof(*io));
    disk->io = io;
    disk->loop = loop;
    *io = (struct raft_io){.version = 2,
                           .impl = disk,
                           .init = on_init,
                           .close = on_close,
                           .load = on_load,
                           .start = on_start,
                           .bootstrap = on_bootstrap,
                           .recover = on_recover,
                           .set_term = on_set_term,
                           .set_vote = on_set_vote,
                           .append = on_append,
                           .truncate = on_truncate,
                           .snapshot_put = on_snapshot_put,
                           .snapshot_get = on_snapshot_get,
                           .time = on_time,
                           .random = on_random};
    (void)uv_timer_init(loop, &disk->ticker);
    disk->ticker.data = disk;
    return 0;
}

void raft_uv_close(struct raft_io *io)
{
    disk_lose(disk_in(io)->host); /* nothing is under way any more */
}

void raft_uv_set_auto_recovery(struct raft_io *io, bool is_on)
{
    (void)io;
    (void)is_on;
}
