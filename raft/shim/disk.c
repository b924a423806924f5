/* disk - the log on raft_uv, and when to stop rather than go on with a log that libraft 0.15 would
 * get wrong after a failure. */
#include "raft/shim/internal.h"

#include "node/base/mem.h"

struct append {
    struct append *next; /* while held back */
    struct raft_io_append inner;
    struct raft_io_append *outer;
    struct shim *shim;
    raft_io_append_cb callback;
    const struct raft_entry *entries; /* libraft's, until called back */
    unsigned count;
};

/* After a failed write 0.15 cuts its log but stays leader and uses the index again, or goes on
 * writing behind the hole (defects 3, 4, 5, 21b). A process that ends here restarts from what is on
 * disk. Also while it closes: when a second write fails, libraft cuts what the first one has cut,
 * and reads behind the end of its log. */
static bool stops_on(struct shim *shim, int status)
{
    if (status == 0 || status == RAFT_CANCELED || !shim_guards(shim, SHIM_GUARD_APPEND_FAILED)) {
        return false;
    }
    shim->config.fail_stop(shim->config.ctx, "a write of the log failed");
    return true;
}

static void finish(struct append *append, int status)
{
    struct shim *shim = append->shim;

    shim->appends_under_way--;
    shim->appends_done++;
    if (stops_on(shim, status)) {
        return; /* the process ends: libraft must not hear of it */
    }
    if (status == 0) {
        shim_own_entries_stored(shim, append->entries[append->count - 1].term);
    }
    append->callback(append->outer, status);
    mem_free(&append);
}

static void on_appended(struct raft_io_append *inner, int status)
{
    finish(CONTAINER_OF(inner, struct append, inner), status);
}

static int start(struct append *append)
{
    struct shim *shim = append->shim;
    struct raft_io *disk = shim->config.disk;
    int rv = disk->append(disk, &append->inner, append->entries, append->count, on_appended);

    if (rv != 0) {
        memcpy(shim->io.errmsg, disk->errmsg, sizeof(shim->io.errmsg));
    }
    return rv;
}

static void hold_back(struct shim *shim, struct append *append)
{
    if (shim->held_first == NULL) {
        shim->held_first = append;
    } else {
        shim->held_last->next = append;
    }
    shim->held_last = append;
}

void shim_begin_writes(struct shim *shim)
{
    while (shim->held_first != NULL) {
        struct append *append = shim->held_first;
        int rv;

        shim->held_first = append->next;
        rv = start(append);
        if (rv != 0) {
            finish(append, rv);
        }
    }
}

int shim_disk_append(struct raft_io *io, struct raft_io_append *request,
                     const struct raft_entry entries[], unsigned count, raft_io_append_cb callback)
{
    struct shim *shim = io->impl;
    struct append *append = mem_alloc(sizeof(*append));
    int rv;

    for (unsigned i = 0; i < count; i++) {
        ASSERT(entries[i].buf.len % 8 == 0); /* 0.15 does not check and misreads it (defect 14) */
    }
    *append = (struct append){
        .outer = request,
        .shim = shim,
        .callback = callback,
        .entries = entries,
        .count = count,
    };
    shim_append_entries_accepted(shim);
    if (shim->raft->state == RAFT_LEADER) {
        shim->appends_under_way++;
        hold_back(shim, append);
        return 0;
    }
    shim_begin_writes(shim); /* of the time when this node led */
    rv = start(append);
    if (rv != 0) {
        (void)stops_on(shim, rv);
        mem_free(&append);
        return rv;
    }
    shim->appends_under_way++;
    return 0;
}

bool shim_writes(const struct shim *shim, uint64_t *done_out)
{
    *done_out = shim->appends_done;
    return shim->appends_under_way > 0;
}

int shim_disk_truncate(struct raft_io *io, raft_index index)
{
    struct shim *shim = io->impl;

    /* 0.15 loses the barrier's callback and hangs, or leaves a log that does not load (defect 6).
     */
    if (shim->raft->snapshot.put.data != NULL && shim_guards(shim, SHIM_GUARD_TRUNCATE)) {
        shim->config.fail_stop(shim->config.ctx, "the log must be cut while a snapshot is stored");
        return RAFT_BUSY;
    }
    shim_begin_writes(shim);
    shim_before_cut(shim, index);
    shim->truncated_at = shim_now(shim);
    return shim->config.disk->truncate(shim->config.disk, index);
}

bool shim_snapshot_allowed(const struct shim *shim)
{
    bool quiet = shim->truncated_at == 0 ||
                 shim_now(shim) - shim->truncated_at >= SHIM_TRUNCATE_QUIET_MS ||
                 !shim_guards(shim, SHIM_GUARD_TRUNCATE);

    /* The snapshot would say that a configuration is committed that may be taken back (defect 9).
     */
    return quiet && shim->raft->configuration_uncommitted_index == 0 &&
           shim->hidden_change <= shim->raft->last_applied;
}

/* The manifest of a leader on its way to the disk. */
struct put {
    struct raft_io_snapshot_put inner;
    struct raft_io_snapshot_put *outer;
    struct shim *shim;
    raft_io_snapshot_put_cb callback;
    const struct raft_snapshot *snapshot; /* libraft's, until called back */
    struct raft_buffer *bufs;             /* of a manifest that replaces the log; else NULL */
};

/* 0.15 forgets this array when it discards a snapshot: on a failed write, and when it closes. */
static void on_snapshot_put(struct raft_io_snapshot_put *inner, int status)
{
    struct put *put = CONTAINER_OF(inner, struct put, inner);
    struct shim *shim = put->shim;
    bool is_discarded = status != 0 || shim->raft->state == RAFT_UNAVAILABLE;

    if (!is_discarded) {
        shim_remember_snapshot(shim, put->snapshot);
    }
    put->callback(put->outer, status);
    if (is_discarded) {
        raft_free(put->bufs);
    } else if (put->bufs != NULL) {
        shim_settle_configuration(shim, raft_last_index(shim->raft));
    }
    mem_free(&put);
}

int shim_disk_snapshot_put(struct raft_io *io, unsigned trailing,
                           struct raft_io_snapshot_put *request,
                           const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb callback)
{
    struct shim *shim = io->impl;
    struct raft_io *disk = shim->config.disk;
    struct put *put = mem_alloc(sizeof(*put));
    int rv;

    *put = (struct put){
        .outer = request,
        .shim = shim,
        .callback = callback,
        .snapshot = snapshot,
        .bufs = trailing == 0 ? snapshot->bufs : NULL, /* 0: nothing of the own log stays */
    };
    shim_begin_writes(shim);
    rv = disk->snapshot_put(disk, trailing, &put->inner, snapshot, on_snapshot_put);
    if (rv != 0) {
        mem_free(&put);
    }
    return rv;
}

/* The only work that libraft hands over is waiting for the window of a snapshot to be durable: that
 * needs no thread, only patience. */
int shim_disk_async_work(struct raft_io *io, struct raft_io_async_work *request,
                         raft_io_async_work_cb callback)
{
    struct shim *shim = io->impl;

    ASSERT(shim->work == NULL); /* libraft takes one snapshot at a time */
    shim->work = request;
    shim->work_done = callback;
    return 0;
}

bool shim_snapshot_waits(const struct shim *shim)
{
    return shim->work != NULL;
}

void shim_snapshot_ready(struct shim *shim, int status)
{
    struct raft_io_async_work *work = shim->work;

    if (work == NULL) {
        return;
    }
    shim->work = NULL;
    if (status == 0) {
        status = work->work(work);
    }
    shim->work_done(work, status);
}
