/* Whether the nodes can be restarted one after the other now, and what is written once all of them
 * run the newer program (docs/decisions/0020). */
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
        node.program = report->program;
    }
    return node;
}

static void add_reason(void *ctx, const char *reason)
{
    (void)json_array_append_new(ctx, json_string(reason));
}

static void read_facts(struct core *core, struct members *members, struct upgrade_facts *out)
{
    members_read(core, members);
    *out = (struct upgrade_facts){.log_version = members->log_version,
                                  .has_leader = members->log.leader_node != 0};
    for (size_t i = 0; i < members->count; i++) {
        out->nodes[out->count++] = node_facts(members, &members->items[i]);
    }
}

/* ---- cluster.upgrade-check */

static void read_upgrade(struct request *request, struct core *core)
{
    json_t *against_restart = json_array();
    json_t *against_raise = json_array();
    json_t *nodes = json_array();
    struct upgrade_facts facts;
    struct members members;
    uint32_t newest;
    bool is_safe;

    read_facts(core, &members, &facts);
    for (size_t i = 0; i < members.count; i++) {
        (void)json_array_append_new(nodes, member_item(&members, &members.items[i]));
    }
    newest = upgrade_newest(&facts);
    is_safe = upgrade_check(&facts, add_reason, against_restart) == 0;
    (void)upgrade_raise_check(&facts, newest, add_reason, against_raise);
    request->result = json_pack("{s:b,s:o,s:I,s:I,s:o,s:o}", "safe", (int)is_safe, "reasons",
                                against_restart, "written", (json_int_t)facts.log_version, "newest",
                                (json_int_t)newest, "hindrances", against_raise, "nodes", nodes);
}

void verb_cluster_upgrade_check(struct request *request)
{
    request_read_state(request, read_upgrade);
}

/* ---- cluster.upgrade-finish */

static void deny(void *ctx, const char *reason)
{
    struct request *request = ctx;

    if (request->rc == 0) { /* the first one will do */
        request_deny(request, ERR_NOT_ALLOWED, "%s", reason);
    }
}

/* Every node hears every other one. A member that comes back older after this look is refused by
 * its links, or stops: it is in no danger. */
static void read_raise(struct request *request, struct core *core)
{
    struct upgrade_facts facts;
    struct members members;
    uint32_t newest;

    read_facts(core, &members, &facts);
    newest = upgrade_newest(&facts);
    if (upgrade_raise_check(&facts, newest, deny, request) == 0 && newest == facts.log_version) {
        request_deny(request, ERR_EXISTS, "version %u is written already, and no node reads more",
                     newest);
    }
    request->kind = newest;
}

static void submit_raise(struct request *request)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__ClusterSet set = PB__CLUSTER_SET__INIT;

    set.log_version = request->kind;
    command.body_case = PB__COMMAND__BODY_CLUSTER_SET;
    command.cluster_set = &set;
    request_submit(request, &command);
}

void verb_cluster_upgrade_finish(struct request *request)
{
    request_read_then(request, read_raise, submit_raise);
}
