/* The version of commands that may be written rises when every member understands it (DESIGN 3): a
 * node stops at a command that it does not know, and could not come back before it is upgraded. */
#include "node/core/core_private.h"
#include "node/core/members.h"

/* A member that reports nothing may run a program from before reports told this: it counts as
 * version 0. A spare that does has no log yet, and gets none before it says what it understands. */
static uint32_t common_version(const struct members *members)
{
    uint32_t common = STATE_LOG_VERSION;

    for (size_t i = 0; i < members->count; i++) {
        const struct member_view *member = &members->items[i];
        uint32_t version = member->report == NULL ? 0 : member->report->log_version;

        if (version < common && (member->peer->role != RLOG_SPARE || member->report != NULL)) {
            common = version;
        }
    }
    return common;
}

bool core_may_write(struct core *core, uint32_t log_version)
{
    return state_cluster(core->state, &core->arena)->log_version >= log_version;
}

void core_raise_log_version(struct core *core)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__ClusterSet set = PB__CLUSTER_SET__INIT;
    struct members members;
    uint32_t common;

    members_read(core, &members);
    common = common_version(&members);
    if (common <= state_cluster(core->state, &core->arena)->log_version) {
        return;
    }
    set.log_version = common;
    command.body_case = PB__COMMAND__BODY_CLUSTER_SET;
    command.cluster_set = &set;
    core_decide(core, &command, COOKIE_NONE);
}
