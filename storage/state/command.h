/* command - commands as bytes, and what effect.h and they have in common. Pure. */
#ifndef STORAGE_STATE_COMMAND_H
#define STORAGE_STATE_COMMAND_H

#include "node/base/buf.h"
#include "storage/state/effect.h"
#include "storage/state/schema.pb-c.h"

/** Appends command to out, with ref as its Ref; NULL, or without a cookie: nobody waits for its
 * outcome. What command had for a Ref does not count: of a foreign one only the fields that this
 * program knows are kept, since the others would be written in another order than they were read.
 */
void command_append(Pb__Command *command, const struct effect_ref *ref, struct buf *out);

/** The same for an Empty, which stands for a command that may not enter the log; reason is an enum
 * err. */
void command_append_empty(int reason, const struct effect_ref *ref, struct buf *out);

/** Where the outcome goes; all zero for none. ref may be NULL. */
struct effect_ref command_ref(const Pb__Ref *ref);

/** Does this program know it, all of it that says what kind it is? One that it does not know may
 * not be applied, nor one that would let others write what it can not read. */
bool command_is_known(const Pb__Command *command);

struct owner command_owner(const Pb__Owner *owner);
/** The same connection, in the form that rows and commands have. */
Pb__Owner command_owner_row(const struct owner *owner);

#endif
