/* How the log of a new cluster begins that takes over the store of another one: a backup was
 * restored. It begins behind the last entry of that store, with a snapshot there, as if what the
 * store holds had been in this log: so members that come later have to fetch a copy of the store,
 * and positions in the log go on. Before the raft thread runs. */
#include "node/base/log.h"
#include "raft/log/internal.h"

/* A write of libraft's, waited for. */
struct putting {
    struct raft_io_snapshot_put request;
    bool is_done;
    int status;
};

static void on_put(struct raft_io_snapshot_put *request, int status)
{
    struct putting *putting = CONTAINER_OF(request, struct putting, request);

    putting->is_done = true;
    putting->status = status;
}

/* Nothing else of the loop may run yet: there is no raft to turn. */
static int put_snapshot(struct rlog *rlog, const struct raft_snapshot *snapshot)
{
    struct putting putting = {.is_done = false};
    int rv = rlog->disk.snapshot_put(&rlog->disk, 0, &putting.request, snapshot, on_put);

    while (rv == 0 && !putting.is_done) {
        (void)uv_run(&rlog->loop, UV_RUN_ONCE);
    }
    return rv == 0 ? putting.status : rv;
}

int rlog_found_behind_store(struct rlog *rlog, const struct raft_configuration *members)
{
    uint8_t manifest[MANIFEST_BYTES];
    struct raft_buffer content = {.base = manifest, .len = sizeof(manifest)};
    const struct raft_snapshot snapshot = {.index = rlog->config.applied_index,
                                           .term = rlog->config.applied_term,
                                           .configuration = *members,
                                           .configuration_index = rlog->config.applied_index,
                                           .bufs = &content,
                                           .n_bufs = 1};
    uint64_t beat_ms = uv_timer_get_repeat(&rlog->beat);
    int rv;

    rlog_manifest_write(manifest, rlog->config.applied_index, rlog->config.applied_hash);
    rv = rlog->disk.set_term(&rlog->disk, rlog->config.applied_term);
    if (rv != 0) {
        return rv;
    }
    (void)uv_prepare_stop(&rlog->prepare);
    (void)uv_timer_stop(&rlog->beat);
    rv = put_snapshot(rlog, &snapshot);
    (void)uv_prepare_start(&rlog->prepare, rlog->prepare.prepare_cb);
    (void)uv_timer_start(&rlog->beat, rlog->beat.timer_cb, beat_ms, beat_ms);
    if (rv == 0) {
        log_info("raft.founded_behind_store", LOG_UINT("index", rlog->config.applied_index),
                 LOG_UINT("term", rlog->config.applied_term));
    }
    return rv;
}
