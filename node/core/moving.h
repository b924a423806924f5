/* moving - this node's part in the moves of users: it drops the sessions that are to go. State
 * thread. */
#ifndef NODE_CORE_MOVING_H
#define NODE_CORE_MOVING_H

#include "ha/mover/mover.h"
#include "node/core/core.h"

struct moving;

struct moving *moving_new(void);
void moving_free(struct moving **moving);

/** Does the mover, an incarnation, drop this session when the users of node move away from it, or
 * home to it? Away from a node everybody goes. */
bool moving_drops(struct core *core, uint32_t node, bool away, uint64_t mover,
                  const Pb__SessionRow *row);
/** Users were moved, or this node began a life: look what is to be done. */
void moving_look_again(struct core *core);
/** Ten times a second. */
void moving_step(struct core *core, uint64_t now_ms);

#endif
