/* member_item - a member of the cluster as JSON: what its link, its report and the log say. */
#ifndef NODE_ADMIN_MEMBER_ITEM_H
#define NODE_ADMIN_MEMBER_ITEM_H

#include "node/core/members.h"

#include <jansson.h>

/** "voter", "standby" or "spare". */
const char *member_role_name(enum rlog_role role);
/** The same, or "leader". */
const char *member_role_text(const struct members *members, const struct member_view *member);
/** Names of the alarms in a set. */
json_t *member_alarm_names(uint32_t alarms);
/** What the member is, for people: "serving", "waiting: why", "down", "no report". */
json_t *member_state_text(const struct members *members, const struct member_view *member);
/** All of it; values that nobody knows are left out. */
json_t *member_item(const struct members *members, const struct member_view *member);

#endif
