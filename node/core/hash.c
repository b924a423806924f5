/* Marks that are on disk: their hashes, told to the other nodes and compared with theirs (P7), and
 * the snapshot manifests that raft waits for. */
#include "node/base/log.h"
#include "node/core/core_private.h"

static size_t voter_count(struct core *core)
{
    struct rlog_status status;
    size_t count = 0;

    rlog_get_status(core->log, &status);
    for (size_t i = 0; i < status.peer_count; i++) {
        count += status.peers[i].role == RLOG_VOTER;
    }
    return count;
}

static void judge(struct core *core, enum marks_verdict verdict, uint64_t mark_index)
{
    if (verdict == MARKS_OUTVOTED) {
        log_error("core.outvoted", LOG_UINT("mark", mark_index));
        core_fail_stop(EXIT_OUTVOTED);
    }
    if (verdict == MARKS_DIFFERENT) {
        log_error("core.state_differs", LOG_UINT("mark", mark_index));
        core->status.state_differs = true;
    }
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
    core->applied_index = mark.index;
    core->applied_term = mark.term;
    if (mark.index != 0) {
        (void)marks_add_own(&core->marks, mark.index, mark.hash, RLOG_VOTERS_MAX);
    }
}

void core_on_durable(struct core *core, uint64_t mark_index, uint64_t hash, int status)
{
    if (status != 0) {
        log_error("core.storage_failed", LOG_STR("cause", err_text(status)));
        core_fail_stop(EXIT_STORAGE_FAILED);
    }
    judge(core, marks_add_own(&core->marks, mark_index, hash, voter_count(core)), mark_index);
    rlog_publish_hash(core->log, mark_index, hash);
    answer_manifest(core);
}

void core_on_other_hash(struct core *core, uint32_t node, uint64_t mark_index, uint64_t hash)
{
    judge(core, marks_add_other(&core->marks, mark_index, node, hash, voter_count(core)),
          mark_index);
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
