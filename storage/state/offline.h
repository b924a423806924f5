/* offline - messages that wait for a user without available sessions (XEP-0160). */
#ifndef STORAGE_STATE_OFFLINE_H
#define STORAGE_STATE_OFFLINE_H

#include "storage/state/apply.h"

#define OFFLINE_ERASED_MAX 100 /* rows a step of an erasure */

/** Keep a new message. False at the limit. */
bool offline_add_new(struct apply *a, const char *user, Pb__Stanza *stanza);
/** Keep a message of the stanza table, of so many bytes, that no list names any more. It was
 * accepted when it came, so there is room for a whole list beyond what is refused to new ones.
 * False at the limit. */
bool offline_add_shared(struct apply *a, const char *user, uint64_t shared, uint32_t bytes);
/** All of it becomes pending at a session that is ready for messages. */
void offline_move(struct apply *a, const char *user, uint64_t session);
/** Delete some; true when nothing is left. */
bool offline_erase_step(struct apply *a, const char *user);

#endif
