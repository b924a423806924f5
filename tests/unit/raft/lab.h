/* lab - libraft nodes behind their shims, with disks and network of memory, moved by hand: nothing
 * is written or delivered until the test says so. For schedules that real nodes meet once a year.
 */
#ifndef TESTS_UNIT_RAFT_LAB_H
#define TESTS_UNIT_RAFT_LAB_H

#include "node/base/buf.h"
#include "node/base/mem.h"
#include "raft/shim/shim.h"
#include "raft/shim/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#ifndef LAB_NODES /* a test may have more of them */
#define LAB_NODES 3
#endif
#define LAB_LOG_MAX      1024
#define LAB_MAIL_MAX     4096
#define LAB_PENDING_MAX  64
#define LAB_ELECTION_MS  1000
#define LAB_HEARTBEAT_MS 100

struct lab_entry {
    raft_term term;
    unsigned short type;
    void *bytes;
    size_t len;
};

struct lab_append {
    struct raft_io_append *request;
    raft_io_append_cb callback;
    int end; /* entries in the log behind this write */
};

/* What stands for the log up to an index, that of the log included. */
struct lab_snapshot {
    raft_index index; /* 0: none */
    raft_term term;
    struct raft_configuration members;
    raft_index members_index;
    struct raft_io_snapshot_put *request; /* not NULL: not written yet */
    raft_io_snapshot_put_cb callback;
};

/* Writes of nodes that stopped: never called back. Defined by the test; keeps what the process
 * would have taken with it reachable, so that it counts as no leak. */
#define LAB_UNFINISHED_MAX 16
extern struct lab_append lab_unfinished[LAB_UNFINISHED_MAX];

static inline void lab_keep(struct lab_append append)
{
    static int count;

    assert_true(count < LAB_UNFINISHED_MAX);
    lab_unfinished[count++] = append;
}

struct lab;

struct lab_node {
    struct lab *lab;
    int number; /* from 1 */
    raft_id id;
    char address[8];
    struct raft raft;
    struct raft_io disk;
    struct raft_fsm machine;
    struct shim *shim;
    raft_io_tick_cb tick;
    raft_term term;
    struct lab_entry log[LAB_LOG_MAX]; /* [0] is index 1 */
    int log_count;
    int written_count; /* of them on disk for good */
    int count_at_term; /* how many there were when the disk got its term */
    struct lab_snapshot snapshot;
    raft_id voted_for;
    raft_index applied;
    struct lab_append pending[LAB_PENDING_MAX];
    int pending_count;
    int truncate_count;
    int set_term_status;
    int append_status;   /* not 0: appends are refused at once */
    const char *stopped; /* why it fail-stopped */
    bool closed;
    bool closes_twice;  /* its disk says so twice */
    raft_index offered; /* snapshot that ends here */
    bool offer_closed;
};

struct lab_mail {
    int to; /* 0: delivered */
    int from;
    uint8_t type;
    uint8_t *bytes;
    size_t len;
};

struct lab {
    struct lab_node nodes[LAB_NODES + 1]; /* by number */
    struct lab_mail mail[LAB_MAIL_MAX];
    int mail_count;
    raft_time now;
    bool cut[LAB_NODES + 1]; /* nothing leaves or reaches it */
    unsigned guards_off;
    /* What was applied first at an index, by anyone, and whether anyone applied something else. */
    uint64_t truth[LAB_LOG_MAX + 1];
    bool diverged;
};

static inline raft_id lab_id(int number)
{
    return (raft_id)(unsigned)number << 32 | 1;
}

static inline struct lab_node *lab_of(struct raft_io *disk)
{
    return disk->impl;
}

static inline int lab_disk_init(struct raft_io *disk, raft_id id, const char *address)
{
    (void)disk;
    (void)id;
    (void)address;
    return 0;
}

static inline void lab_disk_close(struct raft_io *disk, raft_io_close_cb closed)
{
    assert_int_equal(lab_of(disk)->pending_count, 0);
    closed(disk);
    if (lab_of(disk)->closes_twice) {
        closed(disk);
    }
}

static inline void lab_copy_members(const struct raft_configuration *from,
                                    struct raft_configuration *to)
{
    raft_configuration_init(to);
    for (unsigned i = 0; i < from->n; i++) {
        const struct raft_server *server = &from->servers[i];

        assert_int_equal(raft_configuration_add(to, server->id, server->address, server->role), 0);
    }
}

static inline struct raft_snapshot *lab_load_snapshot(const struct lab_snapshot *from)
{
    struct raft_snapshot *snapshot = raft_calloc(1, sizeof(*snapshot));

    snapshot->index = from->index;
    snapshot->term = from->term;
    snapshot->configuration_index = from->members_index;
    lab_copy_members(&from->members, &snapshot->configuration);
    snapshot->bufs = raft_calloc(1, sizeof(*snapshot->bufs));
    snapshot->n_bufs = 1;
    snapshot->bufs[0] = (struct raft_buffer){.base = raft_calloc(1, 8), .len = 8};
    return snapshot;
}

static inline int lab_disk_load(struct raft_io *disk, raft_term *term, raft_id *voted_for,
                                struct raft_snapshot **snapshot, raft_index *start_index,
                                struct raft_entry *entries[], size_t *count)
{
    struct lab_node *node = lab_of(disk);
    const struct lab_entry *first = &node->log[node->snapshot.index];
    size_t total = 0;
    uint8_t *batch;

    *term = node->term;
    *voted_for = node->voted_for;
    *snapshot = node->snapshot.index == 0 ? NULL : lab_load_snapshot(&node->snapshot);
    *start_index = node->snapshot.index + 1;
    *count = (size_t)node->log_count - (size_t)node->snapshot.index;
    *entries = NULL;
    if (*count == 0) {
        return 0;
    }
    for (size_t i = 0; i < *count; i++) {
        total += first[i].len;
    }
    batch = raft_malloc(total);
    *entries = raft_calloc(*count, sizeof(**entries));
    total = 0;
    for (size_t i = 0; i < *count; i++) {
        memcpy(batch + total, first[i].bytes, first[i].len);
        (*entries)[i] = (struct raft_entry){.term = first[i].term,
                                            .type = first[i].type,
                                            .buf = {batch + total, first[i].len},
                                            .batch = batch};
        total += first[i].len;
    }
    return 0;
}

static inline int lab_disk_start(struct raft_io *disk, unsigned tick_ms, raft_io_tick_cb tick,
                                 raft_io_recv_cb receive)
{
    (void)tick_ms;
    (void)receive;
    lab_of(disk)->tick = tick;
    return 0;
}

static inline int lab_disk_set_term(struct raft_io *disk, raft_term term)
{
    lab_of(disk)->term = term;
    lab_of(disk)->voted_for = 0;
    lab_of(disk)->count_at_term = lab_of(disk)->log_count;
    return lab_of(disk)->set_term_status;
}

static inline int lab_disk_set_vote(struct raft_io *disk, raft_id id)
{
    lab_of(disk)->voted_for = id;
    return 0;
}

static inline void lab_put(struct lab_node *node, raft_term term, unsigned short type,
                           const void *bytes, size_t len)
{
    struct lab_entry *entry = &node->log[node->log_count++];

    assert_true(node->log_count <= LAB_LOG_MAX);
    *entry = (struct lab_entry){.term = term, .type = type, .bytes = mem_alloc(len), .len = len};
    memcpy(entry->bytes, bytes, len);
}

static inline int lab_disk_append(struct raft_io *disk, struct raft_io_append *request,
                                  const struct raft_entry entries[], unsigned count,
                                  raft_io_append_cb callback)
{
    struct lab_node *node = lab_of(disk);

    if (node->append_status != 0) {
        lab_keep((struct lab_append){.request = request});
        return node->append_status;
    }
    for (unsigned i = 0; i < count; i++) {
        lab_put(node, entries[i].term, entries[i].type, entries[i].buf.base, entries[i].buf.len);
    }
    node->pending[node->pending_count++] =
        (struct lab_append){.request = request, .callback = callback, .end = node->log_count};
    return 0;
}

static inline int lab_disk_truncate(struct raft_io *disk, raft_index index)
{
    struct lab_node *node = lab_of(disk);

    node->truncate_count++;
    while (node->log_count >= (int)index) {
        node->log_count--;
        mem_free(&node->log[node->log_count].bytes);
    }
    if (node->written_count > node->log_count) {
        node->written_count = node->log_count;
    }
    return 0;
}

/* Done with the next lab_write(). The log keeps what the snapshot stands for, for the index. */
static inline int lab_disk_snapshot_put(struct raft_io *disk, unsigned trailing,
                                        struct raft_io_snapshot_put *request,
                                        const struct raft_snapshot *from,
                                        raft_io_snapshot_put_cb callback)
{
    struct lab_node *node = lab_of(disk);

    if (trailing == 0) {
        (void)lab_disk_truncate(disk, 1);
        node->log_count = (int)from->index;
        node->written_count = node->log_count;
    }
    raft_configuration_close(&node->snapshot.members);
    node->snapshot = (struct lab_snapshot){.index = from->index,
                                           .term = from->term,
                                           .members_index = from->configuration_index,
                                           .request = request,
                                           .callback = callback};
    lab_copy_members(&from->configuration, &node->snapshot.members);
    return 0;
}

static inline raft_time lab_disk_time(struct raft_io *disk)
{
    return lab_of(disk)->lab->now;
}

/* Node 2 has the shortest election timeout, so that schedules are fixed. */
static inline int lab_disk_random(struct raft_io *disk, int min, int max)
{
    int number = lab_of(disk)->number;

    (void)max;
    return number == 2 ? min : min + number * 200;
}

static inline int lab_transport_send(void *ctx, raft_id to, const struct slice *parts,
                                     size_t part_count)
{
    struct lab_node *node = ctx;
    struct lab_mail *mail = &node->lab->mail[node->lab->mail_count++];
    struct buf bytes = BUF_EMPTY;

    assert_true(node->lab->mail_count <= LAB_MAIL_MAX);
    for (size_t i = 0; i < part_count; i++) {
        buf_append(&bytes, parts[i]);
    }
    *mail = (struct lab_mail){.to = (int)shim_node_of(to),
                              .from = node->number,
                              .type = buf_slice(&bytes).data[1],
                              .bytes = bytes.data,
                              .len = buf_len(&bytes)};
    return 0;
}

static inline void lab_fail_stop(void *ctx, const char *reason)
{
    struct lab_node *node = ctx;

    node->stopped = reason;
}

static inline void lab_on_offer(void *ctx, raft_id from, raft_index index)
{
    struct lab_node *node = ctx;

    (void)from;
    node->offered = index;
}

static inline int lab_apply(struct raft_fsm *machine, const struct raft_buffer *buf, void **result)
{
    struct lab_node *node = machine->data;
    raft_index index = node->raft.last_applied + 1;
    uint64_t value;

    memcpy(&value, buf->base, sizeof(value));
    if (node->lab->truth[index] == 0) {
        node->lab->truth[index] = value;
    }
    node->lab->diverged |= node->lab->truth[index] != value;
    node->applied = index;
    *result = NULL;
    return 0;
}

static inline int lab_take_snapshot(struct raft_fsm *machine, struct raft_buffer *bufs[],
                                    unsigned *count)
{
    struct lab_node *node = machine->data;

    if (!shim_snapshot_allowed(node->shim)) {
        return RAFT_BUSY;
    }
    *bufs = raft_calloc(1, sizeof(**bufs));
    *count = 1;
    (*bufs)[0] = (struct raft_buffer){.base = raft_calloc(1, 8), .len = 8};
    return 0;
}

static inline int lab_restore(struct raft_fsm *machine, struct raft_buffer *buf)
{
    (void)machine;
    raft_free(buf->base);
    return 0;
}

/* The configuration entry as libraft encodes it: nodes 1 to count, all voters. */
static inline void lab_put_members(struct lab_node *node, raft_term term, int count)
{
    struct raft_configuration members;
    struct raft_buffer bytes;

    raft_configuration_init(&members);
    for (int i = 1; i <= count; i++) {
        assert_int_equal(
            raft_configuration_add(&members, lab_id(i), node->lab->nodes[i].address, RAFT_VOTER),
            0);
    }
    assert_int_equal(raft_configuration_encode(&members, &bytes), 0);
    lab_put(node, term, RAFT_CHANGE, bytes.base, bytes.len);
    raft_free(bytes.base);
    raft_configuration_close(&members);
}

/* Nodes that know of each other and nothing else, in term 2, not started. */
static inline struct lab *lab_new(void)
{
    struct lab *lab = mem_zalloc(sizeof(*lab));

    lab->now = 10000;
    for (int i = 1; i <= LAB_NODES; i++) {
        struct lab_node *node = &lab->nodes[i];

        node->lab = lab;
        node->number = i;
        node->id = lab_id(i);
        node->term = 2;
        (void)snprintf(node->address, sizeof(node->address), "%d", i);
    }
    for (int i = 1; i <= LAB_NODES; i++) {
        lab_put_members(&lab->nodes[i], 1, LAB_NODES);
    }
    return lab;
}

static inline void lab_put_command(struct lab *lab, int number, raft_term term)
{
    uint8_t bytes[8] = {0};

    lab_put(&lab->nodes[number], term, RAFT_COMMAND, bytes, sizeof(bytes));
}

static inline void lab_start_node(struct lab *lab, int number)
{
    struct lab_node *node = &lab->nodes[number];
    const struct shim_config config = {
        .id = node->id,
        .disk = &node->disk,
        .transport = {.ctx = node, .send = lab_transport_send},
        .ctx = node,
        .fail_stop = lab_fail_stop,
        .on_snapshot_offered = lab_on_offer,
        .guards_off = lab->guards_off,
    };

    node->disk = (struct raft_io){.version = 1,
                                  .impl = node,
                                  .init = lab_disk_init,
                                  .close = lab_disk_close,
                                  .load = lab_disk_load,
                                  .start = lab_disk_start,
                                  .set_term = lab_disk_set_term,
                                  .set_vote = lab_disk_set_vote,
                                  .append = lab_disk_append,
                                  .truncate = lab_disk_truncate,
                                  .snapshot_put = lab_disk_snapshot_put,
                                  .time = lab_disk_time,
                                  .random = lab_disk_random};
    node->machine = (struct raft_fsm){.version = 1,
                                      .data = node,
                                      .apply = lab_apply,
                                      .snapshot = lab_take_snapshot,
                                      .restore = lab_restore};
    node->written_count = node->log_count;
    node->shim = shim_new(&config);
    shim_attach(node->shim, &node->raft);
    assert_int_equal(
        raft_init(&node->raft, shim_io(node->shim), &node->machine, node->id, node->address), 0);
    raft_set_election_timeout(&node->raft, LAB_ELECTION_MS);
    raft_set_heartbeat_timeout(&node->raft, LAB_HEARTBEAT_MS);
    assert_int_equal(raft_start(&node->raft), 0);
}

static inline void lab_start(struct lab *lab, unsigned guards_off)
{
    lab->guards_off = guards_off;
    for (int i = 1; i <= LAB_NODES; i++) {
        lab_start_node(lab, i);
    }
}

static inline void lab_on_closed(struct raft *raft)
{
    struct lab_node *node = raft->data;

    node->closed = true;
}

/* What a loop does before it sleeps, unless the node has stopped. */
static inline void lab_turn_node(struct lab *lab, int number)
{
    if (lab->nodes[number].stopped == NULL) {
        shim_turn(lab->nodes[number].shim);
        shim_begin_writes(lab->nodes[number].shim);
    }
}

static inline void lab_turn(struct lab *lab)
{
    for (int i = 1; i <= LAB_NODES; i++) {
        lab_turn_node(lab, i);
    }
}

/* Complete the writes of a node's disk that are under way. */
static inline void lab_write(struct lab *lab, int number, int status)
{
    struct lab_node *node = &lab->nodes[number];
    struct lab_append pending[LAB_PENDING_MAX];
    int count;

    shim_begin_writes(node->shim);
    count = node->pending_count;
    memcpy(pending, node->pending, sizeof(pending));
    node->pending_count = 0;
    for (int i = 0; i < count; i++) {
        if (status == 0 && pending[i].end > node->written_count) {
            node->written_count = pending[i].end;
        }
        pending[i].callback(pending[i].request, status);
        if (node->stopped != NULL) {
            lab_keep(pending[i]);
        }
    }
    if (node->snapshot.request != NULL) {
        struct raft_io_snapshot_put *request = node->snapshot.request;

        node->snapshot.request = NULL;
        node->snapshot.callback(request, status);
    }
}

static inline void lab_stop_node(struct lab *lab, int number)
{
    struct lab_node *node = &lab->nodes[number];

    node->raft.data = node;
    node->closed = false;
    raft_close(&node->raft, lab_on_closed);
    lab_write(lab, number, 0);
    shim_turn(node->shim);
    assert_true(node->closed);
    shim_free(&node->shim);
}

static inline void lab_free(struct lab **lab)
{
    for (int i = 1; i <= LAB_NODES; i++) {
        struct lab_node *node = &(*lab)->nodes[i];

        lab_stop_node(*lab, i);
        (void)lab_disk_truncate(&node->disk, 1);
        raft_configuration_close(&node->snapshot.members);
    }
    for (int i = 0; i < (*lab)->mail_count; i++) {
        mem_free(&(*lab)->mail[i].bytes);
    }
    mem_free(lab);
}

/* Deliver at most max messages of a type (0: any) to a node, oldest first. */
static inline int lab_deliver(struct lab *lab, int to, uint8_t type, int max)
{
    int end = lab->mail_count;
    int count = 0;

    for (int i = 0; i < end && count < max; i++) {
        struct lab_mail *mail = &lab->mail[i];

        if (mail->to != to || (type != 0 && mail->type != type)) {
            continue;
        }
        mail->to = 0;
        if (!lab->cut[to] && !lab->cut[mail->from]) {
            assert_int_equal(shim_receive(lab->nodes[to].shim, (uint32_t)mail->from,
                                          slice_make(mail->bytes, mail->len)),
                             0);
            count++;
        }
    }
    return count;
}

/* A message made by the test comes in, as over a link. */
static inline void lab_receive(struct lab *lab, int from, const struct raft_message *message)
{
    int to = (int)shim_node_of(message->server_id);
    struct wire_frame frame = {0};
    struct buf bytes = BUF_EMPTY;

    wire_encode(message, lab_id(from), &frame);
    for (size_t i = 0; i < frame.part_count; i++) {
        buf_append(&bytes, frame.parts[i]);
    }
    assert_int_equal(shim_receive(lab->nodes[to].shim, (uint32_t)from, buf_slice(&bytes)), 0);
    buf_deinit(&bytes);
    wire_frame_deinit(&frame);
}

/* A leader of a term offers node `to` what stands for its log up to an entry. */
static inline void lab_offer(struct lab *lab, int from, int to, raft_term term, raft_index last,
                             raft_term last_term)
{
    char manifest[8] = "manifest";
    struct raft_message offer = {
        .type = RAFT_IO_INSTALL_SNAPSHOT,
        .server_id = lab_id(to),
        .install_snapshot = {.term = term,
                             .last_index = last,
                             .last_term = last_term,
                             .conf_index = 1,
                             .data = {manifest, sizeof(manifest)}},
    };

    lab_copy_members(&lab->nodes[to].raft.configuration, &offer.install_snapshot.conf);
    lab_receive(lab, from, &offer);
    raft_configuration_close(&offer.install_snapshot.conf);
}

#define LAB_ALL 1000

static inline void lab_drop_all(struct lab *lab)
{
    for (int i = 0; i < lab->mail_count; i++) {
        lab->mail[i].to = 0;
    }
}

static inline void lab_tick(struct lab *lab, int number)
{
    lab->nodes[number].tick(&lab->nodes[number].disk);
}

/* Let a node stand for election now, whatever it waits for, and get the vote of another. */
static inline void lab_elect(struct lab *lab, int number, int voter)
{
    lab->now += 5 * LAB_ELECTION_MS;
    lab->nodes[voter].raft.follower_state.current_leader.id = 0;
    lab_tick(lab, number);
    (void)lab_deliver(lab, voter, RAFT_IO_REQUEST_VOTE, LAB_ALL);
    (void)lab_deliver(lab, number, RAFT_IO_REQUEST_VOTE_RESULT, LAB_ALL);
    assert_int_equal(lab->nodes[number].raft.state, RAFT_LEADER);
    lab_turn(lab);
}

/* Time, messages and writes flow between all that are not cut off, this many heartbeats long. */
static inline void lab_run(struct lab *lab, int leader, int heartbeats)
{
    for (int k = 0; k < heartbeats; k++) {
        lab->now += LAB_HEARTBEAT_MS + LAB_HEARTBEAT_MS / 2;
        lab_tick(lab, leader);
        for (int round = 0; round < 6; round++) {
            for (int i = 1; i <= LAB_NODES; i++) {
                (void)lab_deliver(lab, i, 0, LAB_ALL);
                if (lab->nodes[i].stopped == NULL) {
                    lab_write(lab, i, 0);
                }
            }
            lab_turn(lab);
        }
    }
}

static inline int lab_propose(struct lab *lab, int number, struct raft_apply *request, size_t len)
{
    static uint64_t value;
    struct raft_buffer bytes = {.base = raft_calloc(1, len), .len = len};
    int rv;

    value++;
    memcpy(bytes.base, &value, sizeof(value));
    rv = raft_apply(&lab->nodes[number].raft, request, &bytes, 1, NULL);

    if (rv != 0) {
        raft_free(bytes.base);
    }
    return rv;
}

#endif
