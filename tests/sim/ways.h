/* ways - do the nodes know each other again? */
#ifndef TESTS_SIM_WAYS_H
#define TESTS_SIM_WAYS_H

#include "tests/sim/room.h"

/** P8: every node has a link to every other one. NULL: yes, else which one has not. A cluster may
 * serve without one of them, as long as the leader is another one. */
const char *ways_judge(struct sim_host *from, const struct sim_cluster *cluster);

#endif
