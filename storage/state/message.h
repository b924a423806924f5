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
/** Message types that wait for a user who is away: chat and normal, which is also what an unknown
 * type means (RFC 6121 §5.2.2). */
bool message_may_wait(const Pb__Stanza *stanza);

#endif
