/* verbs - everything that can be asked on the control socket. */
#ifndef NODE_ADMIN_VERBS_H
#define NODE_ADMIN_VERBS_H

#include "node/admin/request.h"

#define LIST_ROWS_MAX 10000 /* an answer: the state thread does nothing else meanwhile */

struct verb {
    const char *name;
    void (*start)(struct request *request);
};

/** NULL: there is no such verb. */
const struct verb *verb_find(const char *name);

void verb_alarm_list(struct request *request);

void verb_assignment_plan(struct request *request);
void verb_assignment_rebalance(struct request *request);
void verb_assignment_set(struct request *request);
void verb_assignment_show(struct request *request);
void verb_backup_begin(struct request *request);
void verb_backup_read(struct request *request);

void verb_user_add(struct request *request);
void verb_user_assign(struct request *request);
void verb_user_passwd(struct request *request);
void verb_user_remove(struct request *request);
void verb_user_list(struct request *request);
void verb_user_show(struct request *request);
void verb_user_import(struct request *request);
void verb_user_dump(struct request *request);
void verb_user_load(struct request *request);
/** Why a command for one account was refused, or the row of an import that it failed for. */
void verb_user_explain(struct request *request, struct core *core);

void verb_dns_records(struct request *request);

void verb_domain_add(struct request *request);
void verb_domain_list(struct request *request);
void verb_domain_remove(struct request *request);

void verb_group_add_node(struct request *request);
void verb_group_create(struct request *request);
void verb_group_delete(struct request *request);
void verb_group_disable(struct request *request);
void verb_group_enable(struct request *request);
void verb_group_list(struct request *request);
void verb_group_remove_node(struct request *request);

void verb_ha_abort(struct request *request);
void verb_ha_drain(struct request *request);
void verb_ha_failover(struct request *request);
void verb_ha_fallback(struct request *request);
void verb_ha_plan(struct request *request);
void verb_ha_recover(struct request *request);
void verb_ha_status(struct request *request);

void verb_replication_monitor(struct request *request);
void verb_replication_state(struct request *request);

void verb_session_list(struct request *request);
void verb_session_show(struct request *request);
void verb_session_kill(struct request *request);

void verb_node_list(struct request *request);
void verb_node_promote(struct request *request);
void verb_node_remove(struct request *request);
void verb_node_status(struct request *request);
void verb_state_hash(struct request *request);
void verb_state_scrub(struct request *request);
void verb_state_mark(struct request *request);
void verb_cluster_status(struct request *request);
void verb_cluster_transfer(struct request *request);
void verb_cluster_upgrade_check(struct request *request);
void verb_cluster_upgrade_finish(struct request *request);
void verb_member_add(struct request *request);
void verb_member_assign(struct request *request);
void verb_member_remove(struct request *request);
void verb_reload(struct request *request);
void verb_log_level(struct request *request);

#endif
