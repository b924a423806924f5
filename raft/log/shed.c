/* shed - a leader whose own store can not keep up, or whose log stands still, proposes nothing; it
 * hands leadership on, but only when a majority keeps up: else it would but move the standstill,
 * and perhaps back (DESIGN 3). */
#include "raft/log/internal.h"

#include "node/base/clock.h"
#include "node/base/log.h"
#include "raft/member/member.h"

/* A store that is behind for a moment catches up faster than a new leader is elected. */
#define SHED_AFTER_MS 200
#define SHED_AGAIN_MS 2000 /* after a try that failed */

static void on_shed(void *ctx, int status)
{
    struct rlog *rlog = ctx;

    rlog->shed.is_asked = false;
    if (status != 0) {
        log_warn("raft.shed_failed", LOG_STR("cause", err_text(status)));
    }
}

/* The one with the most of our log. Without a majority that takes entries a new leader could not
 * even commit its own no-op. */
raft_id rlog_find_heir(const struct rlog *rlog)
{
    const struct raft *raft = &rlog->raft;
    const uint64_t now_ms = clock_boot_ms();
    raft_index best = 0;
    raft_id heir = 0;
    unsigned voters = 0;
    unsigned takers = 0;

    for (unsigned i = 0; i < raft->configuration.n; i++) {
        const struct raft_server *server = &raft->configuration.servers[i];
        raft_index match = raft->leader_state.progress[i].match_index;

        voters += server->role == RAFT_VOTER ? 1 : 0;
        if (server->id == raft->id ||
            !lease_may_lead(&rlog->leases, shim_node_of(server->id), now_ms)) {
            continue;
        }
        takers++;
        if (match > best) {
            best = match;
            heir = server->id;
        }
    }
    return takers > voters / 2 ? heir : 0;
}

void rlog_shed_beat(struct rlog *rlog)
{
    uint64_t now_ms = clock_mono_ms();
    struct member_request request = {.kind = MEMBER_TRANSFER, .term = rlog->raft.current_term};

    if (!rlog->role.is_leader || rlog->raft.state != RAFT_LEADER || rlog->life != LIFE_RUNS ||
        !rlog_is_full(rlog)) {
        rlog->shed.due_ms = now_ms + SHED_AFTER_MS;
        return;
    }
    if (rlog->shed.is_asked || now_ms < rlog->shed.due_ms) {
        return;
    }
    request.id = rlog_find_heir(rlog);
    if (request.id == 0) {
        return; /* everyone is behind, or away: nothing is admitted until somebody has caught up */
    }
    log_warn("raft.sheds_leadership", LOG_UINT("to", shim_node_of(request.id)));
    rlog->shed = (struct shed){.is_asked = true, .due_ms = now_ms + SHED_AGAIN_MS};
    member_change(rlog->members, &request, on_shed, rlog, now_ms);
}
