/* The leader puts into the log which nodes are well: what each reports, when it has lasted (DESIGN
 * 7, ha/health/watch.h). Every node derives states from it. */
#include "node/base/log.h"
#include "node/core/core_private.h"
#include "node/core/members.h"
#include "storage/state/command.h"

static struct health_watch *watch_of(struct core *core, uint32_t node)
{
    struct node_watch *watches = core->leader.watches;
    size_t i = 0;

    while (i < RLOG_MEMBERS_MAX - 1 && watches[i].node != 0 && watches[i].node != node) {
        i++;
    }
    if (watches[i].node != node) { /* a free one, or that of a member that is gone */
        watches[i] = (struct node_watch){.node = node};
    }
    return &watches[i].watch;
}

static void tell(struct core *core, const Pb__NodeRow *row, const struct health_seen *seen)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__NodeHealth health = PB__NODE_HEALTH__INIT;

    health.incarnation = row->incarnation;
    health.services_down = seen->services_down;
    health.serves = seen->serves;
    command.body_case = PB__COMMAND__BODY_NODE_HEALTH;
    command.node_health = &health;
    core_decide(core, &command, COOKIE_NONE);
}

static void look_at(struct core *core, const struct member_view *member, uint64_t now_ms)
{
    const Pb__NodeRow *row = member->row;
    struct health_stored stored;
    struct health_seen reported;
    struct health_seen seen;

    /* Who is down, or about to be presumed so, is another matter. */
    if (!member->is_up || row->witness || !member->peer->connected) {
        return;
    }
    stored = (struct health_stored){
        .starts = row->starting,
        .seen = {.services_down = row->services_down, .serves = !row->not_serving}};
    if (member->report != NULL) {
        reported = (struct health_seen){.services_down = member->report->services_down,
                                        .serves = member->report->serves};
    }
    if (health_watch(watch_of(core, row->node), &stored, member->report == NULL ? NULL : &reported,
                     now_ms, core->service_ms, &seen)) {
        tell(core, row, &seen);
    }
}

void core_decide_health(struct core *core, uint64_t now_ms)
{
    struct members members;

    if (!core_may_write(core, STATE_LOG_VERSION_HEALTH)) {
        return;
    }
    members_read(core, &members);
    for (size_t i = 0; i < members.count; i++) {
        look_at(core, &members.items[i], now_ms);
    }
}

void core_on_health(const struct effect *effect)
{
    if (effect->up) {
        log_info("core.node_well", LOG_UINT("node", effect->node));
    } else {
        log_warn("core.node_unwell", LOG_UINT("node", effect->node),
                 LOG_UINT("services_down", effect->reason));
    }
}
