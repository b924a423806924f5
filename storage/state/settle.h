/* settle - what becomes of the list of a session that ended (DESIGN 5, "Detached"). */
#ifndef STORAGE_STATE_SETTLE_H
#define STORAGE_STATE_SETTLE_H

#include "storage/state/apply.h"

/** Empty the list of an ended session: messages that nobody else had go to the heir, which bound
 * the same address, or else (0) to the user's other sessions or to offline storage; IQs are
 * answered with an error, the rest is dropped. */
void settle_list(struct apply *a, uint64_t session, const char *user, uint64_t heir);

#endif
