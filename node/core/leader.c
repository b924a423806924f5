/* What the leader decides from facts and time: deaths, expiry, marks, time stamps (DESIGN 3, 4, 7).
 * Each decision names its own precondition; one that is lost is found again at the next tick. */
#include "node/base/clock.h"
#include "node/base/log.h"
#include "node/core/core_private.h"

#define EXPIRE_ITEMS_MAX 200  /* a tick: 2000 sessions a second */
#define EXPIRE_LOST_MS   2000 /* a decision not seen by then died with its term */
#define PROMOTE_MS       1000
#define STAMP_MS         10000
#define WINDOW_BYTES_MAX (8u * 1024 * 1024)

void core_on_role(struct core *core, bool is_leader, uint32_t leader_node, uint64_t term)
{
    if (is_leader != core->leader.is_leader || leader_node != core->leader.leader_node) {
        log_info("core.role", LOG_STR("role", is_leader ? "leader" : "follower"),
                 LOG_UINT("leader", leader_node), LOG_UINT("term", term));
    }
    core->leader =
        (struct leader){.is_leader = is_leader, .leader_node = leader_node, .term = term};
}

bool core_leads(const struct core *core)
{
    return core->leader.is_leader && core->applied_term == core->leader.term;
}

static void decide(struct core *core, Pb__Command *command, uint64_t cookie)
{
    Pb__Ref ref = PB__REF__INIT;
    size_t size;
    uint8_t *bytes;

    if (cookie != COOKIE_NONE) {
        ref.worker = REF_WORKER_NODE;
        ref.cookie = cookie;
        command->ref = &ref;
    }
    size = pb__command__get_packed_size(command);
    bytes = arena_alloc(&core->arena, size);
    (void)pb__command__pack(command, bytes);
    rlog_decide(core->log, core->leader.term, slice_make(bytes, size));
}

void core_presume_dead(struct core *core, uint32_t node_id)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__NodeDown down = PB__NODE_DOWN__INIT;
    Pb__IncarnationRow *life;
    Pb__NodeRow *node;

    if (!core_leads(core)) {
        return;
    }
    node = state_node(core->state, &core->arena, node_id);
    if (node == NULL || node->incarnation == 0) {
        return;
    }
    life = state_incarnation(core->state, &core->arena, node->incarnation);
    if (life == NULL || !life->up) {
        return;
    }
    log_warn("core.node_presumed_dead", LOG_UINT("node", node_id),
             LOG_UINT("incarnation", node->incarnation));
    down.incarnation = node->incarnation;
    command.body_case = PB__COMMAND__BODY_NODE_DOWN;
    command.node_down = &down;
    decide(core, &command, COOKIE_NONE);
}

/* Cluster time goes on between entries by this leader's clock. */
static uint64_t cluster_time_ms(struct core *core, uint64_t now_ms)
{
    struct leader *leader = &core->leader;
    uint64_t time_ms = rlog_time_ms(core->log);

    if (time_ms != leader->time_seen_ms) {
        leader->time_seen_ms = time_ms;
        leader->time_seen_at_ms = now_ms;
    }
    return time_ms + (now_ms - leader->time_seen_at_ms);
}

static void expire_due(struct core *core, uint64_t now_ms)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Expire expire = PB__EXPIRE__INIT;
    struct leader *leader = &core->leader;

    if (leader->expire_sent_ms != 0 && now_ms - leader->expire_sent_ms < EXPIRE_LOST_MS) {
        return;
    }
    if (state_due(core->state, &core->arena, cluster_time_ms(core, now_ms), EXPIRE_ITEMS_MAX,
                  &expire) == 0) {
        return;
    }
    leader->expire_sent_ms = now_ms;
    command.body_case = PB__COMMAND__BODY_EXPIRE;
    command.expire = &expire;
    decide(core, &command, COOKIE_EXPIRE);
}

static void close_window_when_due(struct core *core, uint64_t now_ms)
{
    bool is_due =
        now_ms - core->leader.marked_ms >= core->mark_ms || core->window_bytes >= WINDOW_BYTES_MAX;

    if (is_due) {
        (void)core_close_window(core);
    }
}

bool core_close_window(struct core *core)
{
    size_t unwritten_bytes;
    size_t open_rows;

    if (!core_leads(core)) {
        return false;
    }
    kv_usage(core->kv, &unwritten_bytes, &open_rows);
    if (open_rows != 0) {
        core->leader.marked_ms = clock_mono_ms();
        core->window_bytes = 0;
        rlog_decide_mark(core->log, core->leader.term, ENTRY_MARK);
    }
    return true;
}

static void stamp_when_idle(struct core *core, uint64_t now_ms)
{
    if (now_ms - core->applied_ms >= STAMP_MS && state_has_deadlines(core->state)) {
        core->applied_ms = now_ms; /* not again before this one can be back */
        rlog_decide_mark(core->log, core->leader.term, ENTRY_STAMP);
    }
}

/* ---- new members */

static void on_promoted(void *ctx, int status)
{
    struct note *note = note_new(NOTE_PROMOTED);

    note->status = status;
    inbox_post_take(ctx, note);
}

void core_on_promoted(struct core *core, int status)
{
    core->leader.is_promoting = false;
    if (status != 0) {
        log_info("core.promotion_failed", LOG_STR("cause", err_text(status)));
    }
}

static enum rlog_role promotion(const struct rlog_status *log)
{
    size_t voters = 0;

    for (size_t i = 0; i < log->peer_count; i++) {
        voters += log->peers[i].role == RLOG_VOTER;
    }
    return voters < RLOG_VOTERS_MAX ? RLOG_VOTER : RLOG_STANDBY;
}

/* A member is added as a spare, which gets no log. As soon as it is there it becomes a voter, or a
 * standby beside five of them; one at a time (DESIGN 4). */
static void promote_spare(struct core *core, uint64_t now_ms)
{
    struct leader *leader = &core->leader;
    struct rlog_status log;

    if (leader->is_promoting || now_ms - leader->promoted_ms < PROMOTE_MS) {
        return;
    }
    leader->promoted_ms = now_ms;
    rlog_get_status(core->log, &log);
    for (size_t i = 0; i < log.peer_count; i++) {
        const struct rlog_peer_status *peer = &log.peers[i];

        if (peer->role == RLOG_SPARE && peer->connected) {
            log_info("core.promoting", LOG_UINT("node", peer->node_id),
                     LOG_UINT("raft_id", peer->raft_id));
            leader->is_promoting = true;
            rlog_member_assign(core->log, peer->raft_id, promotion(&log), on_promoted,
                               &core->inbox);
            return;
        }
    }
}

void core_lead(struct core *core, uint64_t now_ms)
{
    if (!core_leads(core)) {
        return;
    }
    expire_due(core, now_ms);
    close_window_when_due(core, now_ms);
    stamp_when_idle(core, now_ms);
    promote_spare(core, now_ms);
}
