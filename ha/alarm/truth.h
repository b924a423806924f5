/* truth - does an alarm hold now, and why. Pure. */
#ifndef HA_ALARM_TRUTH_H
#define HA_ALARM_TRUTH_H

#include "ha/alarm/alarm.h"

enum truth { TRUTH_NO, TRUTH_YES, TRUTH_UNKNOWN };

/** About a member; reason is filled in when it holds. */
enum truth truth_of_node(const struct alarm_facts *facts, const struct alarm_node *node,
                         enum alarm_kind kind, char reason[ALARM_REASON_BYTES]);
/** About the cluster as a whole. */
enum truth truth_of_cluster(const struct alarm_facts *facts, enum alarm_kind kind,
                            char reason[ALARM_REASON_BYTES]);

#endif
