/* message - where a message goes (RFC 6121 §8.5). */
#ifndef STORAGE_STATE_MESSAGE_H
#define STORAGE_STATE_MESSAGE_H

#include "storage/state/apply.h"

struct targets {
    uint64_t *sessions;
    size_t count;
};

/** Sessions of user that get messages to its bare address: available, priority not negative. A
 * detached one counts; a presence whose session was replaced does not. */
struct targets message_targets(struct apply *a, const char *user);

#endif
