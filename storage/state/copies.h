/* copies - messages that a user's other sessions sent or got, for sessions that want to know of
 * them (XEP-0280). State thread only. */
#ifndef STORAGE_STATE_COPIES_H
#define STORAGE_STATE_COPIES_H

#include "storage/state/message.h"

/** Sessions of user that want copies, but sender and those that got the message itself. */
struct targets copies_wanted(struct apply *a, const char *user, uint64_t sender,
                             const struct targets *got);

#endif
