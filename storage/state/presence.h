/* presence - availability of sessions (RFC 6121 §4): one row for each available session, another
 * one for what it shows, a tombstone for each that ended, EFFECT_PRESENCE for the nodes to spread.
 * The first is walked for every message and by every fan-out, so it is small. */
#ifndef STORAGE_STATE_PRESENCE_H
#define STORAGE_STATE_PRESENCE_H

#include "storage/state/apply.h"

/** Rows of all that is shown as available of a user, standing ones included. */
struct row_list presence_list(struct apply *a, const char *user);
/** Is there a session behind it? */
bool presence_is_own(const Pb__PresenceRow *row);
/** The row of a session, or NULL. */
Pb__PresenceRow *presence_get(struct apply *a, const char *user, uint64_t session);

/** The session ended: contacts and those with directed presence see it unavailable, once. */
void presence_end_session(struct apply *a, uint64_t session, const char *user,
                          const char *resource);
/** The session was replaced by a bind of the same address: its presence stays until then, and with
 * it the memory of whom it was directed to. False: it had none. */
bool presence_leave_standing(struct apply *a, uint64_t session, const char *user,
                             uint64_t until_ms);
/** The time of a standing presence is over. */
void presence_end_standing(struct apply *a, uint64_t session, const char *user);
/** The time of the memory of an ended presence is over. Who resumes with an older position all the
 * same is told of the contact as a whole (AccountRow.forgotten_position). */
void presence_expire_tombstone(struct apply *a, const char *user, const char *resource);
/* A subscription came or went: queue each presence of user, or its end, for the available sessions
 * of viewer. Pending, not volatile: what a resume repairs is told by positions, and these did not
 * move. */
void presence_show(struct apply *a, const char *user, const char *viewer);
void presence_hide(struct apply *a, const char *user, const char *viewer);
/** Queue a stanza for every available session of user but one (0: none is left out). */
void presence_deliver_available(struct apply *a, const char *user, uint64_t except,
                                const Pb__Stanza *stanza);
/** The same for all of them, and for what must not get lost (pending_add_self()). */
void presence_owe_available(struct apply *a, const char *user, const Pb__Stanza *stanza);

#endif
