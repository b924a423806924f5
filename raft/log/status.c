/* status - the picture that other threads see, refreshed on the raft thread. */
#include "raft/log/internal.h"

#include "node/base/clock.h"

#define STATUS_PERIOD_MS 50

enum rlog_role rlog_role_of(int role)
{
    switch (role) {
    case RAFT_VOTER:
        return RLOG_VOTER;
    case RAFT_STANDBY:
        return RLOG_STANDBY;
    default:
        return RLOG_SPARE;
    }
}

static void describe_peer(const struct rlog *rlog, unsigned i, struct rlog_peer_status *out)
{
    const struct raft *raft = &rlog->raft;
    const struct raft_server *server = &raft->configuration.servers[i];
    bool own = server->id == raft->id;

    *out = (struct rlog_peer_status){.node_id = shim_node_of(server->id),
                                     .raft_id = server->id,
                                     .role = rlog_role_of(server->role)};
    (void)snprintf(out->address, sizeof(out->address), "%s", server->address);
    out->connected = own || link_is_up(rlog->links, out->node_id);
    if (raft->state == RAFT_LEADER) {
        const uint64_t now_ms = clock_boot_ms();

        out->match_index = own ? raft->last_stored : raft->leader_state.progress[i].match_index;
        out->silent_ms = own ? 0 : lease_silent_ms(&rlog->leases, out->node_id, now_ms);
        out->answers = own || lease_answers(&rlog->leases, out->node_id, now_ms);
        out->may_lead = own || lease_may_lead(&rlog->leases, out->node_id, now_ms);
    }
    if (!own) {
        out->rtt_us = link_rtt_us(rlog->links, out->node_id);
        out->queue_bytes = link_queued_bytes(rlog->links, out->node_id);
    }
}

static void describe(struct rlog *rlog, struct rlog_status *out)
{
    struct raft *raft = &rlog->raft;

    *out = (struct rlog_status){.as_of_ms = rlog->status_ms,
                                .is_leader = rlog->role.is_leader,
                                .leader_node = rlog->role.leader_node,
                                .term = raft->current_term,
                                .last_index = raft_last_index(raft),
                                .commit_index = raft->commit_index,
                                .applied_index = rlog->store_index,
                                .incarnation = rlog->origin.incarnation,
                                /* Also what is still on its way to this thread. */
                                .outstanding = atomic_load(&rlog->outstanding_count),
                                .lease_differs = rlog->lease_differs && !rlog->role.is_leader,
                                .disk_stalled = rlog->stall.is_stalled,
                                .disk_free_bytes = rlog->disk_free_bytes,
                                .disk_wanted_bytes = 2 * rlog->config.disk_free_bytes_min};
    for (unsigned i = 0; i < raft->configuration.n && i < RLOG_MEMBERS_MAX; i++) {
        uint32_t membership = (uint32_t)raft->configuration.servers[i].id;

        describe_peer(rlog, i, &out->peers[out->peer_count++]);
        if (membership > rlog->membership_highest) {
            rlog->membership_highest = membership;
        }
    }
    out->membership_highest = rlog->membership_highest;
}

void rlog_publish_status(struct rlog *rlog)
{
    uint64_t now_ms = clock_mono_ms();
    struct rlog_report report;
    struct rlog_status status;

    if (rlog->status_ms != 0 && now_ms - rlog->status_ms < STATUS_PERIOD_MS) {
        return;
    }
    rlog->status_ms = now_ms;
    describe(rlog, &status);
    report = rlog_compose_report(rlog);
    (void)pthread_mutex_lock(&rlog->status_mutex);
    rlog->status = status;
    rlog->own_report = report;
    (void)pthread_mutex_unlock(&rlog->status_mutex);
}

void rlog_get_status(struct rlog *rlog, struct rlog_status *out)
{
    (void)pthread_mutex_lock(&rlog->status_mutex);
    *out = rlog->status;
    (void)pthread_mutex_unlock(&rlog->status_mutex);
}
