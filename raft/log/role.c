/* role - who leads, told to the state thread and to everything here that depends on it. */
#include "raft/log/internal.h"

#include "node/base/clock.h"
#include "node/base/log.h"

static struct role current_role(struct rlog *rlog)
{
    struct role role = {.is_leader = shim_leads(rlog->shim), .term = rlog->raft.current_term};
    const char *address;

    raft_leader(&rlog->raft, &role.leader_id, &address);
    if (rlog->raft.state == RAFT_LEADER) {
        role.leader_id = rlog->raft.id; /* libraft says 0 while it hands leadership on */
    }
    role.leader_node = shim_node_of(role.leader_id);
    return role;
}

/* A new leader may have nothing of what was sent to an earlier one; what waited here for an earlier
 * term of our own is sent again by its origins. */
static void begin_with_leader(struct rlog *rlog)
{
    intake_clear(&rlog->intake);
    origin_rewind(&rlog->origin);
}

void rlog_follow_role(struct rlog *rlog)
{
    struct role was = rlog->role;
    struct role now = current_role(rlog);

    if (now.leader_id != was.leader_id || now.term != was.term) {
        rlog->role = now;
        begin_with_leader(rlog);
    }
    if (now.is_leader && (!was.is_leader || now.term != was.term)) {
        rlog_ask_empty_again(rlog);
        stamp_begin(&rlog->clock, clock_mono_ms());
        rlog->role_index = rlog->raft.last_applied;
        rlog_lease_elected(rlog);
    }
    rlog->role = now;
    if (now.is_leader != was.is_leader || now.leader_node != was.leader_node ||
        now.term != was.term) {
        log_info("raft.role", LOG_UINT("leads", now.is_leader ? 1 : 0),
                 LOG_UINT("leader", now.leader_node), LOG_UINT("term", now.term));
        rlog_deliver_gaps(rlog); /* the state thread hears of it after what came before */
        rlog->events.on_role(rlog->events.ctx, now.is_leader, now.leader_node, now.term);
    }
}

bool rlog_leads_applied(const struct rlog *rlog)
{
    return rlog->role.is_leader && shim_leads(rlog->shim) && rlog->store_index >= rlog->role_index;
}
