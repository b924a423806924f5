/* The leader's duties: what ha/lead finds due, as commands for the log (DESIGN 3, 4, 7). Each
 * command names its own precondition; one that is lost is found again at the next tick. */
#include "node/base/clock.h"
#include "node/base/log.h"
#include "node/core/core_private.h"
#include "storage/state/command.h"

#define EXPIRE_ITEMS_MAX 200 /* a tick: 2000 sessions a second */

void core_on_role(struct core *core, bool is_leader, uint32_t leader_node, uint64_t term)
{
    if (is_leader != core->leader.is_leader || leader_node != core->leader.leader_node) {
        log_info("core.role", LOG_STR("role", is_leader ? "leader" : "follower"),
                 LOG_UINT("leader", leader_node), LOG_UINT("term", term));
    }
    core->leader =
        (struct leader){.is_leader = is_leader, .leader_node = leader_node, .term = term};
}

static bool leads(const struct core *core)
{
    return core->leader.is_leader && core->applied_term == core->leader.term;
}

void core_decide(struct core *core, Pb__Command *command, uint64_t cookie)
{
    const struct effect_ref ref = {.worker = REF_WORKER_NODE, .cookie = cookie};
    struct buf bytes = BUF_EMPTY;

    command_append(command, &ref, &bytes);
    rlog_decide(core->log, core->leader.term, buf_slice(&bytes));
    buf_deinit(&bytes);
}

void core_presume_dead(struct core *core, uint32_t node_id, uint64_t incarnation)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__NodeDown down = PB__NODE_DOWN__INIT;

    if (!leads(core) || !state_is_up(core->state, &core->arena, incarnation)) {
        return;
    }
    log_warn("core.node_presumed_dead", LOG_UINT("node", node_id),
             LOG_UINT("incarnation", incarnation));
    down.incarnation = incarnation;
    command.body_case = PB__COMMAND__BODY_NODE_DOWN;
    command.node_down = &down;
    core_decide(core, &command, COOKIE_NONE);
}

static void expire_due(struct core *core, uint64_t now_ms)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Expire expire = PB__EXPIRE__INIT;
    uint64_t time_ms = lead_time_ms(&core->leader.lead, rlog_time_ms(core->log), now_ms);

    if (state_due(core->state, &core->arena, time_ms, EXPIRE_ITEMS_MAX, &expire) == 0) {
        return;
    }
    core->leader.lead.expiry_sent_ms = now_ms;
    command.body_case = PB__COMMAND__BODY_EXPIRE;
    command.expire = &expire;
    core_decide(core, &command, COOKIE_EXPIRE);
}

bool core_close_window(struct core *core)
{
    size_t unwritten_bytes;
    size_t open_rows;

    if (!leads(core)) {
        return false;
    }
    kv_usage(core->kv, &unwritten_bytes, &open_rows);
    if (open_rows != 0) {
        core->leader.lead.window_closed_ms = clock_mono_ms();
        core->window_bytes = 0;
        rlog_decide_mark(core->log, core->leader.term, ENTRY_MARK);
    }
    return true;
}

static void stamp(struct core *core, uint64_t now_ms)
{
    core->leader.lead.stamped_ms = now_ms;
    rlog_decide_mark(core->log, core->leader.term, ENTRY_STAMP);
}

static void carry_out(struct core *core, unsigned duties, uint64_t now_ms)
{
    uint64_t time_ms = lead_time_ms(&core->leader.lead, rlog_time_ms(core->log), now_ms);

    if (duties & LEAD_EXPIRE) {
        expire_due(core, now_ms);
    }
    if (duties & LEAD_CLOSE_WINDOW) {
        (void)core_close_window(core);
    }
    if (duties & LEAD_STAMP) {
        stamp(core, now_ms);
    }
    if (duties & LEAD_HAND_ON) {
        core_hand_on(core, now_ms);
    }
    if (duties & LEAD_ROLES) {
        core->leader.lead.roles_seen_ms = now_ms;
        core_change_roles(core, time_ms);
    }
    if (duties & LEAD_ROTATE) {
        core->leader.lead.rotated_ms = now_ms;
        core_rotate_secrets(core);
    }
    if (duties & LEAD_PAIRS) {
        core->leader.lead.pairs_seen_ms = now_ms;
        core_begin_log_version(core);
        /* What it puts into the log may change what pairs have to do: that waits for the next look.
         */
        if (!core_decide_health(core, now_ms)) {
            core_decide_pairs(core, time_ms);
        }
        core_decide_homes(core);
        core_decide_alarms(core, time_ms, now_ms);
    }
}

static uint64_t secrets_age_ms(struct core *core, uint64_t now_ms)
{
    uint64_t time_ms = lead_time_ms(&core->leader.lead, rlog_time_ms(core->log), now_ms);

    if (core->secrets_version == 0) {
        return UINT64_MAX;
    }
    return time_ms < core->secrets_made_ms ? 0 : time_ms - core->secrets_made_ms;
}

void core_lead(struct core *core, uint64_t now_ms)
{
    if (leads(core)) {
        const struct lead_facts facts = {.now_ms = now_ms,
                                         .applied_ms = core->applied_ms,
                                         .window_bytes = core->window_bytes,
                                         .mark_ms = core->mark_ms,
                                         .secrets_age_ms = secrets_age_ms(core, now_ms),
                                         .has_deadlines = state_has_deadlines(core->state) ||
                                                          core->leader.is_fallback_awaited,
                                         .is_witness = core->is_witness};

        lead_note_room(&core->leader.lead, core->store_is_low || core->log_is_low, now_ms);
        carry_out(core, lead_due(&core->leader.lead, &facts), now_ms);
    }
}
