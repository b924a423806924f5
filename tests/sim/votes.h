/* votes - an operator who hands leadership on and moves votes about while things go wrong. What it
 * takes away the cluster gives back by itself: a member that could vote does so in the end. */
#ifndef TESTS_SIM_VOTES_H
#define TESTS_SIM_VOTES_H

#include "tests/sim/room.h"

/** One order, to any of the nodes; refused or lost is fine. May it move votes, too? */
void votes_order(struct sim_host *from, const struct sim_cluster *cluster, bool moves);
/** Do as many vote as may? */
bool votes_are_given(struct sim_host *from, const struct sim_cluster *cluster);
/** The same as every node has it: one alone may have a change that never comes to the others. */
bool votes_are_given_everywhere(struct sim_host *from, const struct sim_cluster *cluster);

#endif
