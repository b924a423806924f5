/* The version that is written (DESIGN 3). A new cluster begins with the newest that all its members
 * read, by itself. Later an operator says when it rises (verb_upgrade.c): until then the program
 * before can come back. */
#include "node/base/log.h"
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

void core_tell_version(struct core *core)
{
    rlog_set_written(core->log, state_cluster(core->state, &core->arena)->log_version);
}

void core_on_version(struct core *core)
{
    log_info("core.version_raised",
             LOG_UINT("version", state_cluster(core->state, &core->arena)->log_version));
    core_tell_version(core);
    if (core->incarnation != 0) {
        core_announce_node(core); /* a version may let it say more */
    }
}

void core_begin_log_version(struct core *core)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__ClusterSet set = PB__CLUSTER_SET__INIT;
    struct members members;
    uint32_t common;

    if (state_cluster(core->state, &core->arena)->log_version != 0) {
        return;
    }
    members_read(core, &members);
    common = common_version(&members);
    if (common == 0) {
        return;
    }
    set.log_version = common;
    command.body_case = PB__COMMAND__BODY_CLUSTER_SET;
    command.cluster_set = &set;
    core_decide(core, &command, COOKIE_NONE);
}
