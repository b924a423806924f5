#include "raft/shim/internal.h"

#include "node/base/log.h"
#include "node/base/mem.h"

static struct shim *shim_of(struct raft_io *io)
{
    return CONTAINER_OF(io, struct shim, io);
}

/* libraft shows the error text of the io that failed. */
static int forward_error(struct shim *shim, int rv)
{
    if (rv != 0) {
        memcpy(shim->io.errmsg, shim->config.disk->errmsg, sizeof(shim->io.errmsg));
    }
    return rv;
}

static int io_init(struct raft_io *io, raft_id id, const char *address)
{
    struct shim *shim = shim_of(io);

    return forward_error(shim, shim->config.disk->init(shim->config.disk, id, address));
}

/* raft_uv may say so twice, with nothing of it left to do in between; libraft would free all that
 * it has twice (defect 33). */
static void on_disk_closed(struct raft_io *disk)
{
    struct shim *shim = disk->data;
    raft_io_close_cb closed = shim->closed;

    shim->closed = NULL;
    if (closed != NULL) {
        closed(&shim->io);
    }
}

/* raft_uv would cancel the writes that wait, and 0.15 cuts its log at each of them as if it were
 * the only one: two are a crash. So they are written first. Not from a callback of raft_uv, which
 * goes on with what is closed there. */
static void close_when_written(struct shim *shim)
{
    if (!shim->disk_closing && shim->appends_under_way == 0) {
        shim->disk_closing = true;
        shim->config.disk->close(shim->config.disk, on_disk_closed);
    }
}

static void drop_offer(struct shim *shim)
{
    if (shim->offered) {
        shim->offered = false;
        wire_release(&shim->offer);
    }
}

static void io_close(struct raft_io *io, raft_io_close_cb closed)
{
    struct shim *shim = shim_of(io);

    shim_begin_writes(shim);
    shim->closing = true;
    shim->closed = closed;
    shim_complete_sends(shim);
    shim_snapshot_ready(shim, RAFT_CANCELED);
    drop_offer(shim);
    close_when_written(shim);
}

static int check_ballot(struct shim *shim, raft_term term, raft_id vote)
{
    const struct shim_config *config = &shim->config;

    return config->on_ballot_loaded == NULL ? 0 : config->on_ballot_loaded(config->ctx, term, vote);
}

static int io_load(struct raft_io *io, raft_term *term, raft_id *voted_for,
                   struct raft_snapshot **snapshot, raft_index *start_index,
                   struct raft_entry *entries[], size_t *entry_count)
{
    struct shim *shim = shim_of(io);
    struct raft_io *disk = shim->config.disk;

    int rv = disk->load(disk, term, voted_for, snapshot, start_index, entries, entry_count);

    if (rv == 0 && *snapshot != NULL) {
        shim_remember_snapshot(shim, *snapshot);
    }
    if (rv == 0) {
        shim->ballot_term = *term;
        rv = check_ballot(shim, *term, *voted_for);
    }
    return forward_error(shim, rv);
}

/* raft_uv's own network is a dummy: nothing arrives there. */
static void on_disk_message(struct raft_io *disk, struct raft_message *message)
{
    (void)disk;
    (void)message;
    ASSERT(false);
}

static int io_start(struct raft_io *io, unsigned tick_ms, raft_io_tick_cb tick,
                    raft_io_recv_cb receive)
{
    struct shim *shim = shim_of(io);
    int rv;

    shim->tick = tick;
    shim->receive = receive;
    shim->started = true;
    /* libraft has restored its log, and elects nobody before this returns. */
    shim_settle_configuration(shim, raft_last_index(shim->raft));
    rv = shim_raise_term_alone(shim);
    if (rv == 0) {
        rv = shim->config.disk->start(shim->config.disk, tick_ms, shim_tick, on_disk_message);
    }
    return forward_error(shim, rv);
}

static int io_bootstrap(struct raft_io *io, const struct raft_configuration *configuration)
{
    struct shim *shim = shim_of(io);

    return forward_error(shim, shim->config.disk->bootstrap(shim->config.disk, configuration));
}

static int io_recover(struct raft_io *io, const struct raft_configuration *configuration)
{
    struct shim *shim = shim_of(io);

    return forward_error(shim, shim->config.disk->recover(shim->config.disk, configuration));
}

/* Asked to stand for election when its term can not be written, 0.15 goes back to being a follower,
 * gives up, and frees a flag of the candidate as the leader's address (defect 31). */
static int stop_or_forward(struct shim *shim, int rv)
{
    if (rv == 0 || !shim_guards(shim, SHIM_GUARD_TERM_FAILED)) {
        return forward_error(shim, rv);
    }
    shim->config.fail_stop(shim->config.ctx, "term or vote can not be written");
    return 0; /* the process ends: libraft must not hear of it */
}

static int begin_ballot(struct shim *shim, raft_id vote)
{
    const struct shim_config *config = &shim->config;
    int rv =
        config->on_ballot == NULL ? 0 : config->on_ballot(config->ctx, shim->ballot_term, vote);

    return rv == 0 ? 0 : RAFT_IOERR;
}

static int end_ballot(struct shim *shim, int rv)
{
    if (rv == 0 && shim->config.on_ballot_written != NULL) {
        shim->config.on_ballot_written(shim->config.ctx);
    }
    return rv;
}

/* A new term comes without a vote. */
int shim_write_term(struct shim *shim, raft_term term)
{
    int rv;

    shim->ballot_term = term;
    rv = begin_ballot(shim, 0);
    if (rv == 0) {
        rv = shim->config.disk->set_term(shim->config.disk, term);
    }
    return end_ballot(shim, rv);
}

static int io_set_term(struct raft_io *io, raft_term term)
{
    struct shim *shim = shim_of(io);

    shim_begin_writes(shim);
    return stop_or_forward(shim, shim_write_term(shim, term));
}

/* When it stands for election, libraft does not know its new term yet. */
static int io_set_vote(struct raft_io *io, raft_id id)
{
    struct shim *shim = shim_of(io);
    int rv;

    shim_begin_writes(shim);
    rv = begin_ballot(shim, id);
    if (rv == 0) {
        rv = shim->config.disk->set_vote(shim->config.disk, id);
    }
    return stop_or_forward(shim, end_ballot(shim, rv));
}

static int io_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *request,
                           raft_io_snapshot_get_cb callback)
{
    struct shim *shim = shim_of(io);

    return forward_error(shim,
                         shim->config.disk->snapshot_get(shim->config.disk, request, callback));
}

static raft_time io_time(struct raft_io *io)
{
    return shim_now(shim_of(io));
}

static int io_random(struct raft_io *io, int min, int max)
{
    struct shim *shim = shim_of(io);

    return shim->config.disk->random(shim->config.disk, min, max);
}

struct shim *shim_new(const struct shim_config *config)
{
    struct shim *shim = mem_zalloc(sizeof(*shim));

    shim->config = *config;
    shim->intake_open = true;
    raft_configuration_init(&shim->snapshot_configuration);
    config->disk->data = shim;
    shim->io = (struct raft_io){
        .version = 2, /* has async_work (defect 15: raft_uv's own says 1) */
        .impl = shim,
        .init = io_init,
        .close = io_close,
        .load = io_load,
        .start = io_start,
        .bootstrap = io_bootstrap,
        .recover = io_recover,
        .set_term = io_set_term,
        .set_vote = io_set_vote,
        .send = shim_send,
        .append = shim_disk_append,
        .truncate = shim_disk_truncate,
        .snapshot_put = shim_disk_snapshot_put,
        .snapshot_get = io_snapshot_get,
        .time = io_time,
        .random = io_random,
        .async_work = shim_disk_async_work,
    };
    return shim;
}

void shim_free(struct shim **shim)
{
    ASSERT((*shim)->sent_first == NULL);
    ASSERT((*shim)->held_first == NULL);
    shim_configuration_deinit(*shim);
    wire_frame_deinit(&(*shim)->frame);
    mem_free(shim);
}

struct raft_io *shim_io(struct shim *shim)
{
    return &shim->io;
}

void shim_attach(struct shim *shim, struct raft *raft)
{
    shim->raft = raft;
}

void shim_set_intake(struct shim *shim, bool open)
{
    shim->intake_open = open;
}

const struct raft_entry *shim_entry_at(const struct raft *raft, raft_index index)
{
    const struct raft_log *log = &raft->log;
    size_t count =
        log->front <= log->back ? log->back - log->front : log->size - log->front + log->back;

    if (index <= log->offset || index > log->offset + count) {
        return NULL;
    }
    return &log->entries[(log->front + (size_t)(index - log->offset - 1)) % log->size];
}

raft_term shim_term_of(const struct raft *raft, raft_index index)
{
    const struct raft_entry *entry = shim_entry_at(raft, index);

    if (index == raft->log.snapshot.last_index && index != 0) {
        return raft->log.snapshot.last_term;
    }
    return entry == NULL ? 0 : entry->term;
}

int shim_member_index(const struct raft *raft, raft_id id)
{
    for (unsigned i = 0; i < raft->configuration.n; i++) {
        if (raft->configuration.servers[i].id == id) {
            return (int)i;
        }
    }
    return -1;
}

/* Would these entries replace others in the log while a snapshot is being stored? 0.15 then hangs
 * or leaves a log that does not load (defect 6). The leader offers them again. */
static bool cuts_under_snapshot(const struct shim *shim, const struct raft_append_entries *append)
{
    if (shim->raft->snapshot.put.data == NULL || !shim_guards(shim, SHIM_GUARD_TRUNCATE)) {
        return false;
    }
    for (unsigned i = 0; i < append->n_entries; i++) {
        raft_term term = shim_term_of(shim->raft, append->prev_log_index + 1 + i);

        if (term != 0 && term != append->entries[i].term) {
            return true;
        }
    }
    return false;
}

static void on_append_entries(struct shim *shim, struct raft_message *message)
{
    struct raft_append_entries *append = &message->append_entries;

    shim_skip_snapshot(shim, message);
    if ((!shim->intake_open || cuts_under_snapshot(shim, append)) && append->n_entries > 0) {
        wire_release(message);
        append->entries = NULL;
        append->n_entries = 0;
    }
    shim_begin_append_entries(shim, append);
    shim_hide_change(shim);
    shim->receive(&shim->io, message);
    shim_show_change(shim);
    shim->handling = (struct verified){0};
}

/* Only a leader offers, and only to who has answered it in its term, which knows it by that. Any
 * other offer could name an index that no store ever has, and would keep this node from serving for
 * ever (defect 29). */
static bool comes_from_leader(const struct shim *shim, const struct raft_message *offer)
{
    const struct raft *raft = shim->raft;
    raft_id leader = raft->state == RAFT_FOLLOWER ? raft->follower_state.current_leader.id : 0;

    return raft->state != RAFT_LEADER && offer->install_snapshot.term >= raft->current_term &&
           (leader == 0 || leader == offer->server_id);
}

static void offer_snapshot(struct shim *shim, struct raft_message *message)
{
    raft_id from = message->server_id;
    raft_index index = message->install_snapshot.last_index;

    if (!comes_from_leader(shim, message)) {
        wire_release(message);
        return;
    }
    drop_offer(shim);
    shim->offer = *message;
    shim->offered = true;
    shim->config.on_snapshot_offered(shim->config.ctx, from, index);
}

static void deliver(struct shim *shim, struct raft_message *message)
{
    switch (message->type) {
    case RAFT_IO_APPEND_ENTRIES:
        on_append_entries(shim, message);
        break;
    case RAFT_IO_APPEND_ENTRIES_RESULT:
        if (!shim_refuses_result(shim, &message->append_entries_result)) {
            shim->receive(&shim->io, message);
        }
        break;
    case RAFT_IO_REQUEST_VOTE:
        shim_bound_request_vote(shim, message->server_id, &message->request_vote);
        shim->receive(&shim->io, message);
        break;
    case RAFT_IO_INSTALL_SNAPSHOT:
        offer_snapshot(shim, message);
        break;
    case RAFT_IO_TIMEOUT_NOW:
        /* Elected with entries not yet written, it would count them as stored (defect 11). */
        if ((shim->appends_under_way == 0 || !shim_guards(shim, SHIM_GUARD_TIMEOUT_NOW)) &&
            !shim_is_alone(shim)) { /* it leads when its election is due */
            shim->receive(&shim->io, message);
        }
        break;
    default:
        shim->receive(&shim->io, message);
        break;
    }
}

static const char *address_of(const struct shim *shim, raft_id id)
{
    int i = shim_member_index(shim->raft, id);

    return i < 0 ? "" : shim->raft->configuration.servers[i].address;
}

int shim_receive(struct shim *shim, uint32_t from_node, struct slice bytes)
{
    struct wire_received received;
    int rc = wire_decode(bytes, &received);

    if (rc != 0) {
        return rc;
    }
    if (!shim->started || shim->closing || shim_ignores(shim, from_node, &received)) {
        wire_release(&received.message); /* another membership of one of us: not for this log */
        return 0;
    }
    rc = shim_check_message(shim, &received.message);
    if (rc != 0) {
        wire_release(&received.message);
        return rc;
    }
    received.message.server_address = address_of(shim, received.from);
    shim->told_no_entries = received.message.type == RAFT_IO_APPEND_ENTRIES &&
                            received.message.append_entries.n_entries == 0;
    shim->commit_before = shim->raft->commit_index;
    deliver(shim, &received.message);
    shim->told_no_entries = false;
    return 0;
}

/* Offered a snapshot while it takes or installs one, 0.15 drops the message without an answer, and
 * the leader waits minutes for it. Offered one whose last entry it has, it says at once that all is
 * stored, also when that entry is still being written: dies it then, it has less than the leader
 * believes for ever (defect 32). */
static bool is_busy(const struct shim *shim)
{
    return (shim->raft->snapshot.pending.term != 0 || shim->raft->snapshot.put.data != NULL ||
            shim->appends_under_way > 0) &&
           shim_guards(shim, SHIM_GUARD_OFFER_BUSY);
}

bool shim_keeps_offer(struct shim *shim)
{
    if (shim->offered && !comes_from_leader(shim, &shim->offer)) {
        drop_offer(shim);
    }
    return shim->offered;
}

bool shim_install_snapshot(struct shim *shim)
{
    struct raft_message message = shim->offer;

    if (!shim->offered) {
        return true;
    }
    if (is_busy(shim)) {
        return false;
    }
    shim->offered = false;
    message.server_address = address_of(shim, message.server_id);
    shim_begin_offer(shim, &message.install_snapshot);
    shim->receive(&shim->io, &message);
    shim->handling = (struct verified){0};
    return true;
}

/* What libraft's own assertions, compiled out in the package, would say cheaply. */
static void check_invariants(struct shim *shim)
{
    const struct raft *raft = shim->raft;

    if (raft->current_term < shim->seen_term || raft->commit_index < shim->seen_commit ||
        raft->last_applied < shim->seen_applied) {
        shim->config.fail_stop(shim->config.ctx, "a term or index of the log went back");
    }
    if (raft->last_applied > raft->commit_index ||
        raft->commit_index > raft_last_index((struct raft *)raft)) {
        shim->config.fail_stop(shim->config.ctx, "applied, committed, last entry out of order");
    }
    shim->seen_term = raft->current_term;
    shim->seen_commit = raft->commit_index;
    shim->seen_applied = raft->last_applied;
}

void shim_turn(struct shim *shim)
{
    if (shim->closing) {
        close_when_written(shim);
        return;
    }
    if (!shim->started) {
        return;
    }
    shim_complete_sends(shim);
    if (shim->raft->state == RAFT_UNAVAILABLE && shim_guards(shim, SHIM_GUARD_UNAVAILABLE)) {
        shim->config.fail_stop(shim->config.ctx, "libraft gave up");
        return;
    }
    check_invariants(shim);
    shim_lead(shim);
    shim_complete_sends(shim);
}
