/* replace - a node loses its disk, and is replaced under a new raft id, as man musterctl says. */
#ifndef TESTS_SIM_REPLACE_H
#define TESTS_SIM_REPLACE_H

#include "tests/sim/room.h"

void replace_init(void);
/** Begin with this node, unless another one is being replaced, or a majority would not be left;
 * goes on by itself. */
void replace_begin(struct sim_host *from, struct sim_cluster *cluster, uint32_t number);
bool replace_is_over(void);
/** Is it the node that has no disk? Nobody can start it then. */
bool replace_is_of(uint32_t number);

#endif
