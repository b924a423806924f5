/* Whether the nodes can be restarted one after the other now. */
#include "ha/upgrade/upgrade.h"
#include "node/admin/member_item.h"
#include "node/admin/verbs.h"

_Static_assert(UPGRADE_NODES_MAX >= RLOG_MEMBERS_MAX, "each member counts");

static struct upgrade_node node_facts(const struct members *members,
                                      const struct member_view *member)
{
    const struct rlog_report *report = member->report;
    struct upgrade_node node = {.node = member->peer->node_id,
                                .is_voter = member->peer->role == RLOG_VOTER,
                                .is_spare = member->peer->role == RLOG_SPARE,
                                .is_up = member->is_up,
                                .is_connected = member->peer->connected,
                                .is_away = member->row != NULL && member->row->away,
                                .is_drained = member->row != NULL && member->row->drained,
                                .reports = report != NULL,
                                .program = ""};

    if (report != NULL) {
        node.serves = report->serves;
        node.gate = report->gate;
        node.alarms = report->alarms;
        node.services_down = report->services_down;
        node.lag = members->commit_index > report->applied_index
                       ? members->commit_index - report->applied_index
                       : 0;
        node.log_version = report->log_version;
        node.schema_version = report->schema_version;
        node.program = report->program;
    }
    return node;
}

static void add_reason(void *ctx, const char *reason)
{
    (void)json_array_append_new(ctx, json_string(reason));
}

static void read_upgrade(struct request *request, struct core *core)
{
    struct upgrade_facts facts = {
        .log_version = state_cluster(core_state(core), core_arena(core))->log_version};
    json_t *reasons = json_array();
    json_t *nodes = json_array();
    struct members members;
    bool is_safe;

    members_read(core, &members);
    facts.has_leader = members.log.leader_node != 0;
    for (size_t i = 0; i < members.count; i++) {
        facts.nodes[facts.count++] = node_facts(&members, &members.items[i]);
        (void)json_array_append_new(nodes, member_item(&members, &members.items[i]));
    }
    is_safe = upgrade_check(&facts, add_reason, reasons) == 0;
    request->result =
        json_pack("{s:b,s:o,s:o}", "safe", (int)is_safe, "reasons", reasons, "nodes", nodes);
}

void verb_cluster_upgrade_check(struct request *request)
{
    request_read_state(request, read_upgrade);
}
