/* The version of commands that may be written rises when every member understands it (DESIGN 3): a
 * node stops at a command that it does not know, and could not come back before it is upgraded. */
#include "node/core/core_private.h"
#include "storage/state/command.h"

/* What a member understands; 0 when it does not say so. */
static uint32_t version_of(uint32_t node, const struct rlog_heard *heard, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (heard[i].node_id == node) {
            return heard[i].report.log_version;
        }
    }
    return 0;
}

/* A spare has no log yet. */
static uint32_t common_version(const struct rlog_status *log, const struct rlog_heard *heard,
                               size_t count)
{
    uint32_t common = STATE_LOG_VERSION;

    for (size_t i = 0; i < log->peer_count; i++) {
        uint32_t version = version_of(log->peers[i].node_id, heard, count);

        if (log->peers[i].role != RLOG_SPARE && version < common) {
            common = version;
        }
    }
    return common;
}

void core_raise_log_version(struct core *core, const struct rlog_status *log,
                            const struct rlog_heard *heard, size_t count)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__ClusterSet set = PB__CLUSTER_SET__INIT;
    uint32_t common = common_version(log, heard, count);

    if (common <= state_cluster(core->state, &core->arena)->log_version) {
        return;
    }
    set.log_version = common;
    command.body_case = PB__COMMAND__BODY_CLUSTER_SET;
    command.cluster_set = &set;
    core_decide(core, &command, COOKIE_NONE);
}
