/* kept - elements that a user keeps here: private XML, for its own clients alone (XEP-0049), and
 * its vCard, for everybody (XEP-0054). One row each; a row of the user says how much they are
 * together. State thread only. */
#ifndef STORAGE_STATE_KEPT_H
#define STORAGE_STATE_KEPT_H

#include "storage/state/apply.h"

#define KEPT_ERASED_MAX 100 /* elements a step of an erasure */

/** 0 and all of them are kept, empty ones no longer; or nothing is changed: ERR_INVALID when one
 * stands twice or has no name, ERR_LIMIT for an element, ERR_NO_SPACE for all together. */
NODISCARD int kept_put(struct apply *a, const char *user, Pb__Kept **items, size_t count);
/** Delete some of a removed account; true when there are none left. */
bool kept_erase_step(struct apply *a, const char *user);
/** How many rows the next step of an erasure touches. */
size_t kept_erasure_rows(struct state *state, struct arena *arena, const char *user);

#endif
