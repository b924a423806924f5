/* The leader puts into the log which nodes are well: what each reports, when it has lasted (DESIGN
 * 7, ha/health/watch.h). Every node derives states from it. */
#include "node/base/log.h"
#include "node/core/core_private.h"
#include "node/core/members.h"

/* Those of members that are gone are free again (forget_strangers()), so there is one for each. */
static struct health_watch *watch_of(struct core *core, uint32_t node)
{
    struct node_watch *watches = core->leader.watches;
    struct node_watch *free_one = NULL;

    for (size_t i = 0; i < RLOG_MEMBERS_MAX; i++) {
        if (watches[i].node == node) {
            return &watches[i].watch;
        }
        if (watches[i].node == 0 && free_one == NULL) {
            free_one = &watches[i];
        }
    }
    ASSERT(free_one != NULL);
    *free_one = (struct node_watch){.node = node};
    return &free_one->watch;
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

/* True: something was decided. */
static bool look_at(struct core *core, const struct member_view *member, uint64_t now_ms)
{
    const Pb__NodeRow *row = member->row;
    struct health_stored stored;
    struct health_seen reported;
    struct health_seen seen;

    /* Who is down, or about to be presumed so, is another matter. */
    if (!member->is_up || !member->peer->connected) {
        return false;
    }
    stored = (struct health_stored){
        .incarnation = row->incarnation,
        .starts = row->starting,
        .seen = {.services_down = row->services_down, .serves = !row->not_serving}};
    if (member->report != NULL) {
        reported = (struct health_seen){.services_down = member->report->services_down,
                                        .serves = member->report->serves};
    }
    if (!health_decide(watch_of(core, row->node), &stored,
                       member->report == NULL ? NULL : &reported, now_ms, core->service_ms,
                       &seen)) {
        return false;
    }
    tell(core, row, &seen);
    return true;
}

/* Free the watches of nodes that are no members any more: watch_of() finds one for each member. */
static void forget_strangers(struct core *core, const struct members *members)
{
    for (size_t i = 0; i < RLOG_MEMBERS_MAX; i++) {
        struct node_watch *watch = &core->leader.watches[i];
        bool is_member = false;

        for (size_t k = 0; k < members->count; k++) {
            is_member = is_member || members->items[k].peer->node_id == watch->node;
        }
        if (!is_member) {
            *watch = (struct node_watch){.node = 0};
        }
    }
}

bool core_decide_health(struct core *core, uint64_t now_ms)
{
    struct members members;
    bool has_decided = false;

    if (!core_may_write(core, STATE_LOG_VERSION_HEALTH)) {
        return false;
    }
    members_read(core, &members);
    forget_strangers(core, &members);
    for (size_t i = 0; i < members.count; i++) {
        has_decided = look_at(core, &members.items[i], now_ms) || has_decided;
    }
    return has_decided;
}

void core_on_health(const struct effect *effect)
{
    if (effect->up) {
        log_info("core.node_well", LOG_UINT("node", effect->node));
    } else {
        log_warn("core.node_unwell", LOG_UINT("node", effect->node),
                 LOG_UINT("services_down", effect->services_down));
    }
}
