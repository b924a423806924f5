/* leases - the messages around raft/log/lease: the leader probes all members every third of a
 * lease, their answers keep its own lease and ask for theirs, its grants carry what remains of its
 * own. */
#include "raft/log/internal.h"

#include "node/base/clock.h"
#include "node/base/log.h"

static void send_grant(struct rlog *rlog, uint32_t node_id, const struct lease_ask *ask)
{
    uint64_t now_ms = clock_boot_ms();
    uint64_t end_ms = lease_own_end(&rlog->leases, now_ms);
    const struct lease_grant grant = {.term = ask->term,
                                      .ask_ms = ask->sent_ms,
                                      .incarnation = ask->incarnation,
                                      .remaining_ms = end_ms > now_ms ? end_ms - now_ms : 0};

    if (grant.remaining_ms == 0 || !rlog_leads_applied(rlog) || rlog->stall.is_stalled ||
        !lease_may_grant(&rlog->leases, node_id, ask->incarnation)) {
        return;
    }
    buf_clear(&rlog->scratch);
    lease_grant_encode(&grant, &rlog->scratch);
    (void)rlog_send(rlog, node_id, LINK_URGENT, FRAME_LEASE_GRANT, buf_slice(&rlog->scratch));
}

static void prolong_lease(struct rlog *rlog, uint64_t end_ms)
{
    if (end_ms > atomic_load(&rlog->lease_end_ms)) {
        atomic_store(&rlog->lease_end_ms, end_ms);
    }
}

/* The leader needs nobody's grant, but the same majority and its own no-op applied. A voter that
 * joins has not answered yet: what was promised before stays promised meanwhile, as whoever may be
 * elected without those who promised is elected by an entry that this leader wrote later. */
static void hold_own_lease(struct rlog *rlog)
{
    if (rlog_leads_applied(rlog) && !rlog->stall.is_stalled) {
        prolong_lease(rlog, lease_own_end(&rlog->leases, clock_boot_ms()));
    }
}

/* Not for longer than to the next beat: one that never answers may mean something else by a lease,
 * and be elected by another one that does. */
static void drop_unanswered_lease(struct rlog *rlog)
{
    if (rlog_leads_applied(rlog) && lease_own_end(&rlog->leases, clock_boot_ms()) == 0) {
        atomic_store(&rlog->lease_end_ms, 0);
    }
}

static void send_probes(struct rlog *rlog)
{
    const struct lease_probe probe = {.term = rlog->raft.current_term,
                                      .sent_ms = clock_boot_ms(),
                                      .lease_ms = rlog->config.lease_ms};

    for (size_t i = 0; i < rlog->peer_count; i++) {
        uint32_t node_id = rlog->peers[i].node_id;

        buf_clear(&rlog->scratch);
        lease_probe_encode(&probe, link_version(rlog->links, node_id), &rlog->scratch);
        (void)rlog_send(rlog, node_id, LINK_URGENT, FRAME_LEASE_PROBE, buf_slice(&rlog->scratch));
    }
}

static void send_ask(struct rlog *rlog, uint32_t node_id, uint64_t probe_ms)
{
    const struct lease_ask ask = {.term = rlog->raft.current_term,
                                  .probe_ms = probe_ms,
                                  .sent_ms = clock_boot_ms(),
                                  .incarnation = rlog->origin.incarnation,
                                  .is_full = rlog_is_full(rlog),
                                  .has_left = rlog->has_left || rlog->stall.is_stalled};

    buf_clear(&rlog->scratch);
    lease_ask_encode(&ask, link_version(rlog->links, node_id), &rlog->scratch);
    (void)rlog_send(rlog, node_id, LINK_URGENT, FRAME_LEASE_ASK, buf_slice(&rlog->scratch));
}

void rlog_lease_ask(struct rlog *rlog)
{
    if (rlog->role.is_leader) {
        hold_own_lease(rlog);
    } else if (rlog->role.leader_node != 0) {
        send_ask(rlog, rlog->role.leader_node, 0);
    }
}

void rlog_lease_members(struct rlog *rlog)
{
    if (rlog->role.is_leader) {
        send_probes(rlog);
        (void)uv_timer_again(&rlog->beat); /* the whole time to the next one is there to answer */
    }
}

void rlog_lease_elected(struct rlog *rlog)
{
    lease_elected(&rlog->leases, clock_boot_ms());
    send_probes(rlog);
}

static void tell_silent(struct rlog *rlog)
{
    uint64_t incarnation;
    uint32_t node_id;

    if (!rlog_leads_applied(rlog)) {
        return;
    }
    while (lease_take_silent(&rlog->leases, clock_boot_ms(), &node_id, &incarnation)) {
        rlog->events.on_silent(rlog->events.ctx, node_id, incarnation);
    }
}

void rlog_lease_beat(struct rlog *rlog)
{
    uint64_t now_ms = clock_boot_ms();

    if (!rlog->role.is_leader) {
        return;
    }
    send_probes(rlog);
    hold_own_lease(rlog);
    drop_unanswered_lease(rlog);
    if (lease_own_end(&rlog->leases, now_ms) <= now_ms) {
        lease_lapsed(&rlog->leases, now_ms);
    }
    tell_silent(rlog);
}

/* Does the leader mean the same by a lease? One that counts on a longer lease than its successor
 * waits for would serve beside it: what a leader holds is promised by a majority that agrees with
 * it, and the majority of its successor has a node in common with that. */
static bool agrees_on_lease(struct rlog *rlog, uint32_t node_id, uint64_t lease_ms)
{
    bool differs = lease_ms != 0 && lease_ms != rlog->config.lease_ms;

    if (differs && !rlog->lease_differs) {
        log_error("raft.lease_differs", LOG_UINT("leader", node_id),
                  LOG_UINT("leader_lease_ms", lease_ms),
                  LOG_UINT("lease_ms", rlog->config.lease_ms),
                  LOG_STR("hint", "timers.lease_ms must be the same on all nodes"));
    }
    rlog->lease_differs = differs;
    return !differs;
}

static int on_probe(struct rlog *rlog, uint32_t node_id, struct slice bytes)
{
    struct lease_probe probe;
    int rc = lease_probe_decode(bytes, &probe);

    /* Who has seen a later term may have voted against this leader: it gets no answer. */
    if (rc == 0 && probe.term == rlog->raft.current_term) {
        send_ask(rlog, node_id, agrees_on_lease(rlog, node_id, probe.lease_ms) ? probe.sent_ms : 0);
    }
    return rc;
}

static int on_ask(struct rlog *rlog, uint32_t node_id, struct slice bytes)
{
    struct lease_ask ask;
    int rc = lease_ask_decode(bytes, &ask);

    if (rc != 0 || !rlog->role.is_leader || ask.term != rlog->raft.current_term) {
        return rc;
    }
    lease_heard(&rlog->leases, node_id, ask.probe_ms, clock_boot_ms());
    lease_set_full(&rlog->leases, node_id, ask.is_full);
    hold_own_lease(rlog);
    if (ask.has_left) {
        lease_left(&rlog->leases, node_id, ask.incarnation);
        tell_silent(rlog);
    }
    send_grant(rlog, node_id, &ask);
    return 0;
}

/* The first grant of a leader says that it knows our incarnation. What it got before it did was
 * passed over: again. */
static void follow_grant(struct rlog *rlog, const struct lease_grant *grant)
{
    if (grant->term != rlog->granted_term || grant->incarnation != rlog->granted_incarnation) {
        rlog->granted_term = grant->term;
        rlog->granted_incarnation = grant->incarnation;
        origin_rewind(&rlog->origin);
    }
}

static int on_grant(struct rlog *rlog, uint32_t node_id, struct slice bytes)
{
    struct lease_grant grant;
    int rc = lease_grant_decode(bytes, &grant);

    if (rc != 0 || node_id != rlog->role.leader_node || grant.term != rlog->raft.current_term ||
        rlog->has_left || rlog->stall.is_stalled || grant.ask_ms <= rlog->stall.left_ms ||
        grant.incarnation != rlog->origin.incarnation || grant.ask_ms > clock_boot_ms() ||
        grant.remaining_ms > rlog->config.lease_ms) {
        return rc;
    }
    follow_grant(rlog, &grant);
    prolong_lease(rlog, grant.ask_ms + grant.remaining_ms);
    return 0;
}

int rlog_on_lease_frame(struct rlog *rlog, uint32_t node_id, enum frame_type type,
                        struct slice bytes)
{
    switch (type) {
    case FRAME_LEASE_PROBE:
        return on_probe(rlog, node_id, bytes);
    case FRAME_LEASE_ASK:
        return on_ask(rlog, node_id, bytes);
    default:
        return on_grant(rlog, node_id, bytes);
    }
}
