/* substitute - writes a command that stands for one which may not go into the log as it came. Its
 * Ref carries nothing but the fields of this program: what it does not know of a foreign command
 * would be written in another order than it was read, perhaps to be read by nobody. Pure. */
#ifndef STORAGE_STATE_SUBSTITUTE_H
#define STORAGE_STATE_SUBSTITUTE_H

#include "node/base/arena.h"
#include "node/base/buf.h"
#include "storage/state/schema.pb-c.h"

/** Appends command to out, under ref (NULL: under none). */
void substitute_append(Pb__Command *command, const Pb__Ref *ref, struct arena *arena,
                       struct buf *out);

/** The same for Empty with reason. */
void substitute_append_empty(int reason, const Pb__Ref *ref, struct arena *arena, struct buf *out);

#endif
