/* groups - redundancy groups of the nodes that serve, and the operator who moves users between
 * them, now and then, whatever else goes wrong. */
#ifndef TESTS_SIM_GROUPS_H
#define TESTS_SIM_GROUPS_H

#include "tests/sim/room.h"

/** Pairs of neighbours, enabled; false: a node refused. */
bool groups_make(struct sim_host *from, const struct sim_cluster *cluster);
/** One request of those that operators make, granted or refused. From a thread. */
void groups_order(struct sim_host *from, const struct sim_cluster *cluster);
/** Does every node of a group serve its own users? Asks those that do not to do so. */
bool groups_are_normal(struct sim_host *from, const struct sim_cluster *cluster);

#endif
