/* node - nodes, their process lives (incarnations) and what is up (DESIGN 3 and 7). */
#ifndef STORAGE_STATE_NODE_H
#define STORAGE_STATE_NODE_H

#include "storage/state/apply.h"

/** seq of a running incarnation was taken. */
void node_take_seq(struct apply *a, uint64_t incarnation, uint64_t seq);
/** A session of incarnation went away: forget a dead incarnation that no session names. */
void node_release(struct apply *a, uint64_t incarnation);
/** "host:port" where to resume when a node dies: its peer's in its redundancy group when that is
 * up, else another node's that is up and serves; "" if there is none. In the arena. */
const char *node_backup_address(struct state *state, struct arena *arena, uint32_t node);

#endif
