/* group - redundancy groups: who stands in for whom. */
#ifndef STORAGE_STATE_GROUP_H
#define STORAGE_STATE_GROUP_H

#include "storage/state/apply.h"

/** The group that a node is in; NULL: none. */
const Pb__GroupRow *group_of(struct state *state, struct arena *arena, uint32_t node);
/** The node that stands in for a node; NULL: there is none, or its group is not enabled. */
Pb__NodeRow *group_peer(struct state *state, struct arena *arena, uint32_t node);
/** The node that serves the users of a node now: itself, or its peer. NULL: no node in particular.
 */
const Pb__NodeRow *group_in_charge(struct state *state, struct arena *arena, uint32_t home);

#endif
