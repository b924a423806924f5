/* The leader compares what is wrong in the cluster with the alarms in the log, and puts what
 * ha/alarm decides into it; every node says in its own log what comes out. */
#include "node/base/log.h"
#include "node/core/core_private.h"
#include "node/core/members.h"

#include <string.h>

_Static_assert(ALARM_NODES_MAX >= RLOG_MEMBERS_MAX, "each member may have alarms");
_Static_assert((int)ALARM_CRITICAL == (int)PB__ALARM_SEVERITY__CRITICAL &&
                   (int)ALARM_WARNING == (int)PB__ALARM_SEVERITY__WARNING,
               "severities are stored as they are");

/* ---- facts */

static struct alarm_node node_facts(const struct member_view *member)
{
    struct alarm_node node = {.node = member->peer->node_id,
                              .is_voter = member->peer->role == RLOG_VOTER,
                              .is_connected = member->peer->connected,
                              .is_up = member->is_up,
                              .is_away = member->row != NULL && member->row->away,
                              .reports = member->report != NULL};

    if (node.reports) {
        node.serves = member->report->serves;
        node.gate = member->report->gate;
        node.alarms = member->report->alarms;
        node.services_down = member->report->services_down;
    }
    return node;
}

/* A spare has nothing to do yet, and may never come. */
static void add_members(const struct members *members, struct alarm_facts *facts)
{
    for (size_t i = 0; i < members->count; i++) {
        if (members->items[i].peer->role != RLOG_SPARE) {
            facts->nodes[facts->count++] = node_facts(&members->items[i]);
        }
    }
}

static void set_peer(struct alarm_facts *facts, uint32_t node, uint32_t peer)
{
    for (size_t i = 0; i < facts->count; i++) {
        if (facts->nodes[i].node == node) {
            facts->nodes[i].peer = peer;
        }
    }
}

static bool add_pair(void *ctx, const char *name, const Pb__GroupRow *row)
{
    (void)name;
    if (row->ha_enabled && row->n_nodes == STATE_GROUP_NODES_MAX) {
        set_peer(ctx, row->nodes[0], row->nodes[1]);
        set_peer(ctx, row->nodes[1], row->nodes[0]);
    }
    return true;
}

/* ---- alarms in the log */

struct row_collection {
    struct alarm_row rows[STATE_ALARMS_MAX];
    size_t count;
};

static bool collect(void *ctx, const Pb__AlarmRow *row)
{
    struct row_collection *to = ctx;
    enum alarm_kind kind;

    if (alarm_find(row->name, &kind)) { /* others are of a newer program: it will clear them */
        to->rows[to->count++] = (struct alarm_row){.node = row->node,
                                                   .kind = kind,
                                                   .is_active = row->active,
                                                   .times = row->times,
                                                   .changed_ms = row->changed_ms};
    }
    return to->count < STATE_ALARMS_MAX;
}

/* ---- decisions */

static void put(struct core *core, const struct alarm_change *change)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__AlarmSet set = PB__ALARM_SET__INIT;

    set.node = change->node;
    set.name = (char *)(uintptr_t)alarm_name(change->kind);
    set.active = change->is_active;
    set.times = change->times;
    if (change->is_active) {
        set.severity = (Pb__AlarmSeverity)alarm_severity(change->kind);
        set.reason = (char *)(uintptr_t)change->reason;
    }
    command.body_case = PB__COMMAND__BODY_ALARM_SET;
    command.alarm_set = &set;
    core_decide(core, &command, COOKIE_NONE);
}

void core_decide_alarms(struct core *core, uint64_t time_ms, uint64_t now_ms)
{
    const Pb__ClusterRow *cluster = state_cluster(core->state, &core->arena);
    struct alarm_facts facts = {
        .now_ms = now_ms, .time_ms = time_ms, .ignores_replicas = cluster->monitor_off};
    struct alarm_change changes[ALARM_CHANGES_MAX];
    struct row_collection alarms = {.count = 0};
    struct members members;
    size_t count;

    if (!core_may_write(core, STATE_LOG_VERSION_ALARMS)) {
        return;
    }
    members_read(core, &members);
    add_members(&members, &facts);
    state_each_group(core->state, &core->arena, add_pair, &facts);
    state_each_alarm(core->state, &core->arena, collect, &alarms);
    count = alarm_decide(&core->leader.alarms, &facts, alarms.rows, alarms.count, changes);
    for (size_t i = 0; i < count; i++) {
        put(core, &changes[i]);
    }
}

/* ---- effects */

void core_on_alarm(const struct effect *effect)
{
    const char *severity = alarm_severity_text(effect->severity);

    if (!effect->up) {
        log_info("alarm.cleared", LOG_STR("alarm", effect->alarm), LOG_UINT("node", effect->node),
                 LOG_STR("severity", severity));
    } else if (effect->severity == PB__ALARM_SEVERITY__CRITICAL) {
        log_error("alarm.raised", LOG_STR("alarm", effect->alarm), LOG_UINT("node", effect->node),
                  LOG_STR("severity", severity), LOG_STR("reason", effect->text));
    } else {
        log_warn("alarm.raised", LOG_STR("alarm", effect->alarm), LOG_UINT("node", effect->node),
                 LOG_STR("severity", severity), LOG_STR("reason", effect->text));
    }
}
