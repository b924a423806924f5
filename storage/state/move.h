/* move - whose users are served elsewhere, and how far their sessions have followed (DESIGN 7). The
 * state keeps who drops the sessions of a move, and is told what became of them; it is over with
 * that process life, so that no move can get stuck. */
#ifndef STORAGE_STATE_MOVE_H
#define STORAGE_STATE_MOVE_H

#include "storage/state/apply.h"

/** The users of a node are its own again; nobody drops sessions for that. */
void move_home(struct apply *a, Pb__NodeRow *row);

#endif
