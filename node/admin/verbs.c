#include "node/admin/verbs.h"

#include <string.h>

static const struct verb verbs[] = {
    {"alarm.list", verb_alarm_list},
    {"assignment.plan", verb_assignment_plan},
    {"assignment.rebalance", verb_assignment_rebalance},
    {"assignment.set", verb_assignment_set},
    {"assignment.show", verb_assignment_show},
    {"backup.begin", verb_backup_begin},
    {"backup.read", verb_backup_read},
    {"cluster.status", verb_cluster_status},
    {"cluster.transfer", verb_cluster_transfer},
    {"cluster.upgrade-check", verb_cluster_upgrade_check},
    {"cluster.upgrade-finish", verb_cluster_upgrade_finish},
    {"dns.records", verb_dns_records},
    {"domain.add", verb_domain_add},
    {"domain.list", verb_domain_list},
    {"domain.remove", verb_domain_remove},
    {"group.add-node", verb_group_add_node},
    {"group.create", verb_group_create},
    {"group.delete", verb_group_delete},
    {"group.disable", verb_group_disable},
    {"group.enable", verb_group_enable},
    {"group.list", verb_group_list},
    {"group.remove-node", verb_group_remove_node},
    {"ha.abort", verb_ha_abort},
    {"ha.drain", verb_ha_drain},
    {"ha.failover", verb_ha_failover},
    {"ha.fallback", verb_ha_fallback},
    {"ha.plan", verb_ha_plan},
    {"ha.recover", verb_ha_recover},
    {"ha.status", verb_ha_status},
    {"log.level", verb_log_level},
    {"member.add", verb_member_add},
    {"member.assign", verb_member_assign},
    {"member.remove", verb_member_remove},
    {"node.list", verb_node_list},
    {"node.promote", verb_node_promote},
    {"node.remove", verb_node_remove},
    {"node.status", verb_node_status},
    {"reload", verb_reload},
    {"replication.monitor", verb_replication_monitor},
    {"replication.state", verb_replication_state},
    {"session.kill", verb_session_kill},
    {"session.list", verb_session_list},
    {"session.show", verb_session_show},
    {"state.hash", verb_state_hash},
    {"state.mark", verb_state_mark},
    {"state.scrub", verb_state_scrub},
    {"user.add", verb_user_add},
    {"user.assign", verb_user_assign},
    {"user.dump", verb_user_dump},
    {"user.import", verb_user_import},
    {"user.list", verb_user_list},
    {"user.load", verb_user_load},
    {"user.passwd", verb_user_passwd},
    {"user.remove", verb_user_remove},
    {"user.show", verb_user_show},
};

const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(verbs); i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}
