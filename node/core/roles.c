/* The leader and the members of the cluster: who gets another role, and to whom a leader that
 * should not be one hands leadership. ha/lead decides; here are its facts, and what it takes to
 * carry a decision out. */
#include "node/base/log.h"
#include "node/core/core_private.h"
#include "node/core/members.h"

static const enum lead_role lead_roles[] = {
    [RLOG_VOTER] = LEAD_VOTER, [RLOG_STANDBY] = LEAD_STANDBY, [RLOG_SPARE] = LEAD_SPARE};
static const enum rlog_role rlog_roles[] = {
    [LEAD_VOTER] = RLOG_VOTER, [LEAD_STANDBY] = RLOG_STANDBY, [LEAD_SPARE] = RLOG_SPARE};
static const char *const role_names[] = {
    [LEAD_VOTER] = "voter", [LEAD_STANDBY] = "standby", [LEAD_SPARE] = "spare"};

/* ---- facts */

/* Silent, or presumed dead: a node whose disk stands still answers, but its vote is worth nothing.
 */
static bool is_dead(const struct core *core, const struct member_view *member, uint64_t time_ms)
{
    const Pb__NodeRow *row = member->row;
    bool is_down = row != NULL && row->incarnation != 0 && !member->is_up;

    if (member->peer->node_id == core->node_id || core->replace_ms == 0) {
        return false;
    }
    return member->peer->silent_ms >= core->replace_ms ||
           (is_down && time_ms >= row->life_ms + core->replace_ms);
}

/* False: the picture is not of this leadership yet. */
static bool describe_members(struct core *core, uint64_t time_ms, struct rlog_status *log,
                             struct lead_member out[RLOG_MEMBERS_MAX])
{
    struct members members;

    members_read(core, &members);
    *log = members.log;
    for (size_t i = 0; i < log->peer_count; i++) {
        const struct member_view *member = &members.items[i];
        const struct rlog_peer_status *peer = member->peer;
        const Pb__NodeRow *row = member->row;

        out[i] = (struct lead_member){
            .raft_id = peer->raft_id,
            .is_self = peer->node_id == core->node_id,
            .role = lead_roles[peer->role],
            .is_ready = peer->connected && members_understands(&members, member),
            .is_witness = row != NULL && row->witness,
            .answers = peer->answers,
            .may_lead = peer->may_lead,
            .has_room = member->report != NULL && health_has_room(member->report->alarms),
            .is_dead = is_dead(core, member, time_ms),
            .is_noted = row != NULL && row->voter_raft_id >= peer->raft_id,
            .match_index = peer->match_index};
    }
    return log->is_leader && log->term == core->leader.term;
}

/* ---- roles */

static void note_votes(struct core *core, const struct rlog_status *log,
                       const struct lead_member *members)
{
    for (size_t i = 0; i < log->peer_count && core_may_write(core, STATE_LOG_VERSION_VOTES); i++) {
        Pb__Command command = PB__COMMAND__INIT;
        Pb__NodeVotes votes = PB__NODE_VOTES__INIT;

        if (members[i].role != LEAD_VOTER || members[i].is_noted) {
            continue;
        }
        votes.node = log->peers[i].node_id;
        votes.raft_id = log->peers[i].raft_id;
        command.body_case = PB__COMMAND__BODY_NODE_VOTES;
        command.node_votes = &votes;
        core_decide(core, &command, COOKIE_NONE);
    }
}

static void on_role_changed(void *ctx, int status)
{
    struct note *note = note_new(NOTE_ROLE_CHANGED);

    note->status = status;
    inbox_post_take(ctx, note);
}

void core_on_role_changed(struct core *core, int status)
{
    lead_end_role(&core->leader.lead, status == 0);
    if (status != 0) {
        log_info("core.role_change_failed", LOG_STR("cause", err_text(status)));
    }
}

void core_change_roles(struct core *core, uint64_t time_ms)
{
    struct lead_member members[RLOG_MEMBERS_MAX];
    struct rlog_status log;
    struct lead_rules rules;
    enum lead_role role;
    size_t member;

    if (!describe_members(core, time_ms, &log, members)) {
        return;
    }
    note_votes(core, &log, members);
    rules = (struct lead_rules){.voters_max = RLOG_VOTERS_MAX,
                                .commit_index = log.commit_index,
                                .replaces = core->replace_ms != 0,
                                .failed_spare_id = core->leader.lead.failed_spare_id};
    if (!lead_role_change(members, log.peer_count, &rules, &member, &role)) {
        return;
    }
    log_info("core.changes_role", LOG_UINT("node", log.peers[member].node_id),
             LOG_UINT("raft_id", log.peers[member].raft_id),
             LOG_STR("from", role_names[members[member].role]), LOG_STR("to", role_names[role]));
    lead_begin_role(&core->leader.lead, &members[member]);
    rlog_decide_role(core->log, log.term, log.peers[member].raft_id, rlog_roles[role],
                     on_role_changed, &core->inbox);
}

/* ---- leadership is handed on */

static void on_handed_on(void *ctx, int status)
{
    struct note *note = note_new(NOTE_HANDED_ON);

    note->status = status;
    inbox_post_take(ctx, note);
}

void core_on_handed_on(struct core *core, int status)
{
    core->leader.lead.is_handing_on = false;
    if (status != 0) {
        log_warn("core.handing_on_failed", LOG_STR("cause", err_text(status)));
    }
}

void core_hand_on(struct core *core, uint64_t now_ms)
{
    struct lead_member members[RLOG_MEMBERS_MAX];
    struct rlog_status log;
    size_t heir;

    if (!describe_members(core, 0, &log, members) ||
        !lead_heir(members, log.peer_count, log.commit_index, !core->is_witness, &heir)) {
        return; /* looked for again at the next tick */
    }
    log_info("core.hands_on", LOG_UINT("to", log.peers[heir].node_id),
             LOG_STR("reason", core->is_witness ? "a witness" : "little room"));
    core->leader.lead.handed_on_ms = now_ms;
    core->leader.lead.is_handing_on = true;
    rlog_decide_transfer(core->log, log.term, log.peers[heir].node_id, on_handed_on, &core->inbox);
}
