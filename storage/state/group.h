/* group - redundancy groups: who stands in for whom. */
#ifndef STORAGE_STATE_GROUP_H
#define STORAGE_STATE_GROUP_H

#include "storage/state/apply.h"

/** The node that serves the users of a node now: itself, or its peer. NULL: there is no such node.
 */
const Pb__NodeRow *group_in_charge(struct apply *a, uint32_t home);

#endif
