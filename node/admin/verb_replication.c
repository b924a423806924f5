/* Verbs about replication: how far each member is, and whether a replica that is not current is an
 * alarm. */
#include "ha/upgrade/upgrade.h"
#include "node/admin/member_item.h"
#include "node/admin/verbs.h"

/* ---- replication.state */

static void read_replication(struct request *request, struct core *core)
{
    const Pb__ClusterRow *cluster = state_cluster(core_state(core), core_arena(core));
    json_t *nodes = json_array();
    struct members members;

    members_read(core, &members);
    for (size_t i = 0; i < members.count; i++) {
        (void)json_array_append_new(nodes, member_item(&members, &members.items[i]));
    }
    request->result = json_pack("{s:I,s:I,s:s,s:o}", "leader", (json_int_t)members.log.leader_node,
                                "commit_index", (json_int_t)members.commit_index, "monitor",
                                cluster->monitor_off ? "disabled" : "enabled", "nodes", nodes);
}

void verb_replication_state(struct request *request)
{
    request_read_state(request, read_replication);
}

/* ---- replication.monitor */

static void read_version(struct request *request, struct core *core)
{
    uint32_t written = state_cluster(core_state(core), core_arena(core))->log_version;
    char reason[UPGRADE_REASON_BYTES];

    if (!upgrade_may_write(written, STATE_LOG_VERSION_ALARMS, reason)) {
        request_deny(request, ERR_NOT_ALLOWED, "%s", reason);
    }
}

static void submit_monitor(struct request *request)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__ClusterSet set = PB__CLUSTER_SET__INIT;

    set.monitor = json_is_true(json_object_get(request->args, "enabled"))
                      ? PB__MONITOR_SETTING__MONITOR_ENABLED
                      : PB__MONITOR_SETTING__MONITOR_DISABLED;
    command.body_case = PB__COMMAND__BODY_CLUSTER_SET;
    command.cluster_set = &set;
    request_submit(request, &command);
}

void verb_replication_monitor(struct request *request)
{
    if (!json_is_boolean(json_object_get(request->args, "enabled"))) {
        request_fail_usage(request, "enabled must be true or false");
        return;
    }
    request_read_then(request, read_version, submit_monitor);
}
