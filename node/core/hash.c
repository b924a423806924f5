/* Marks that are on disk: their hashes, told to the other nodes and compared with theirs (P7), and
 * the snapshot manifests that raft waits for. */
#include "node/base/log.h"
#include "node/core/core_private.h"

_Static_assert(MARKS_NODES_MAX >= RLOG_MEMBERS_MAX, "each member may report");

static struct marks_members members_of(struct core *core)
{
    struct marks_members members = {0};
    struct rlog_status status;

    rlog_get_status(core->log, &status);
    for (size_t i = 0; i < status.peer_count; i++) {
        members.list[members.count++] = (struct marks_member){
            .node = status.peers[i].node_id, .votes = status.peers[i].role == RLOG_VOTER};
    }
    return members;
}

static void judge(struct core *core, const struct marks_members *members, uint64_t mark_index)
{
    enum marks_verdict verdict = marks_judge(&core->marks, members, mark_index);
    bool differs = verdict == MARKS_DIFFERENT;

    if (verdict == MARKS_OUTVOTED) {
        log_error("core.outvoted", LOG_UINT("mark", mark_index));
        core_fail_stop(EXIT_OUTVOTED);
    }
    if (differs && !core->state_differs) {
        log_error("core.state_differs", LOG_UINT("mark", mark_index));
    } else if (!differs && core->state_differs) {
        log_info("core.state_agrees", LOG_UINT("mark", mark_index));
    }
    core->state_differs = differs;
}

/* Several windows may be written at once; then only the newest mark has a hash, and a manifest for
 * an older one is refused: raft asks again at a later mark. */
static void answer_manifest(struct core *core)
{
    uint64_t wanted = core->manifest_index;
    uint64_t hash = 0;
    int status = ERR_BUSY;

    if (wanted == 0 || wanted > core->marks.newest_own_index) {
        return;
    }
    if (marks_find_own(&core->marks, wanted, &hash)) {
        status = 0;
    }
    core->manifest_index = 0;
    rlog_manifest_ready(core->log, wanted, hash, status);
}

void core_adopt_mark(struct core *core)
{
    struct kv_mark mark;

    kv_durable_mark(core->kv, &mark);
    core->hash_error = 0;
    core->adopted_index = mark.index;
    core->applied_index = mark.index;
    core->applied_term = mark.term;
    if (mark.index != 0) {
        marks_add_own(&core->marks, mark.index, mark.hash);
    }
}

void core_on_durable(struct core *core, uint64_t mark_index, uint64_t hash, int status)
{
    const struct marks_members members = members_of(core);

    if (status != 0) {
        log_error("core.storage_failed", LOG_STR("cause", err_text(status)));
        core_fail_stop(EXIT_STORAGE_FAILED);
    }
    hash += core->hash_error;
    marks_add_own(&core->marks, mark_index, hash);
    judge(core, &members, mark_index);
    rlog_publish_hash(core->log, mark_index, hash);
    answer_manifest(core);
}

/* The hash is a sum over the rows, so the error stays the same while other rows change, and from
 * the next mark on this node's vote is for what it really has: it is outvoted there (P7), or the
 * alarm stands while there is no majority against it. */
void core_on_scrubbed(struct core *core, uint64_t mark_index, uint64_t error, int status)
{
    if (status == ERR_CLOSED || mark_index < core->adopted_index) {
        return; /* ended early, or it was of a store that is gone */
    }
    if (status != 0 && status != ERR_CORRUPT) {
        log_error("core.scrub_failed", LOG_STR("cause", err_text(status)));
        core_fail_stop(EXIT_STORAGE_FAILED);
    }
    core->hash_error = error; /* an alarm of the status as long as it is not 0 */
    if (status == ERR_CORRUPT) {
        log_error("core.scrub_differs", LOG_UINT("mark", mark_index));
    } else {
        log_info("core.scrubbed", LOG_UINT("mark", mark_index));
    }
}

void core_on_other_hash(struct core *core, uint32_t node, uint64_t mark_index, uint64_t hash)
{
    const struct marks_members members = members_of(core);

    marks_add_other(&core->marks, &members, node, mark_index, hash);
    judge(core, &members, mark_index);
}

void core_on_manifest_wanted(struct core *core, uint64_t index)
{
    core->manifest_index = index;
    answer_manifest(core);
}

struct core_hash core_hash(struct core *core)
{
    size_t unwritten_bytes;
    size_t open_rows;

    kv_usage(core->kv, &unwritten_bytes, &open_rows);
    return (struct core_hash){.mark_index = core->marks.newest_own_index,
                              .hash = core->marks.newest_own_hash,
                              .is_current = unwritten_bytes == 0 && open_rows == 0};
}

bool core_hash_at(struct core *core, uint64_t mark_index, uint64_t *hash_out)
{
    return marks_find_own(&core->marks, mark_index, hash_out);
}
