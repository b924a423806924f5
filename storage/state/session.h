/* session - rows of sessions with their indexes, and how a session ends (DESIGN 5). */
#ifndef STORAGE_STATE_SESSION_H
#define STORAGE_STATE_SESSION_H

#include "storage/state/apply.h"

/** Does from name a connection that its session obeys? Then its inbound count is stored and *out is
 * the row (a copy: load again to change it). Else ERR_CONFLICT. */
NODISCARD int session_take(struct apply *a, const Pb__From *from, Pb__SessionRow **out);

/** The same for a stanza, which may be absent (ERR_INVALID): it is from that session, at this time.
 */
NODISCARD int session_take_stanza(struct apply *a, const Pb__From *from, Pb__Stanza *stanza,
                                  Pb__SessionRow **out);

/** A new session, indexed. */
void session_add(struct apply *a, uint64_t session, const Pb__SessionRow *row);
/** Write a row whose owner, window and deadline did not change. */
void session_put(struct apply *a, uint64_t session, const Pb__SessionRow *row);
/* To change owner, window or deadline: session_unindex(), change, session_reindex(). */
void session_unindex(struct apply *a, uint64_t session, const Pb__SessionRow *row);
void session_reindex(struct apply *a, uint64_t session, const Pb__SessionRow *row);

/** The session bound to a full address, or 0. */
uint64_t session_by_resource(struct apply *a, const char *user, const char *resource);
uint64_t session_by_address(struct apply *a, const char *full);

/** Is owner a connection of the node that sends the command? */
bool session_is_senders(const struct apply *a, const Pb__Owner *owner);
struct owner session_owner(const Pb__SessionRow *row);
/** May its owner be written to: attached, and the newest epoch confirmed? */
bool session_is_writable(const Pb__SessionRow *row);
/** Tell the owner, unless it is gone already, that it lost the session. */
void session_drop(struct apply *a, uint64_t session, const Pb__SessionRow *row,
                  enum drop_reason reason);

/** End a session: settle its list, one unavailable presence, tombstones. */
void session_end(struct apply *a, uint64_t session, enum drop_reason reason);
/** The same, by its client: nobody is dropped. */
void session_end_closed(struct apply *a, uint64_t session);
/* What waits until the outcome is out: effects for a connection follow the outcome that made it
 * one, and no handler loses its session half way. */

/** by has bound the session's address: it ends, by inherits its list, its presence stays a while.
 */
void session_replace(struct apply *a, uint64_t session, uint64_t by);
/** The session's list overflowed. */
void session_doom(struct apply *a, uint64_t session);
void session_end_deferred(struct apply *a);

#endif
