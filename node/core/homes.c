/* The leader sees to it that users have homes, and each node about as many (DESIGN 7). */
#include "node/core/core_private.h"

void core_decide_homes(struct core *core)
{
    Pb__AssignMode mode = state_assignment(core->state, &core->arena)->mode;
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Rebalance rebalance = PB__REBALANCE__INIT;
    struct state_rehoming *rehomings;

    if (state_plan_rehomings(core->state, &core->arena, mode, 1, &rehomings) == 0) {
        return;
    }
    rebalance.mode = mode;
    rebalance.max = STATE_REHOMINGS_MAX;
    command.body_case = PB__COMMAND__BODY_REBALANCE;
    command.rebalance = &rebalance;
    core_decide(core, &command, COOKIE_NONE);
}
