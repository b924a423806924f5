/* pending - a session's list of what its client must get, in order of position, kept until acked
 * (DESIGN 5). Stanzas for several sessions stand once in the stanza table and are counted. */
#ifndef STORAGE_STATE_PENDING_H
#define STORAGE_STATE_PENDING_H

#include "storage/state/apply.h"

/** Append a stanza for this session alone, caused by somebody else. False when the list is full. */
bool pending_add_own(struct apply *a, uint64_t session, const Pb__Stanza *stanza);
/** The same for another client's answer: there is room when messages fill the list. */
bool pending_add_answer(struct apply *a, uint64_t session, const Pb__Stanza *stanza);
/* Append what the session itself caused or asked to know, or what the server owes it: ends of
 * presence that it was shown, subscriptions, errors for what it sent. They are never dropped: a
 * session that lets even these overflow is ended after the command. */
void pending_add_self(struct apply *a, uint64_t session, const Pb__Stanza *stanza);
void pending_add_push(struct apply *a, uint64_t session, const Pb__RosterPush *push);

bool pending_has_room(struct apply *a, uint64_t session, uint32_t bytes);
/** The same for who inherits a list: what was accepted once goes on as a whole, in its order. */
bool pending_may_inherit(struct apply *a, uint64_t session, uint32_t bytes);
/** Append a stanza of the stanza table, of so many bytes (stanza_bytes()). The caller counts it
 * (pending_set_refs()). Only after one of these, or for what was bounded before (offline
 * messages). */
void pending_add_shared(struct apply *a, uint64_t session, uint64_t position, uint64_t shared,
                        uint32_t bytes);
/** The same for a session that gets a copy of a message that went to others (XEP-0280): it counts
 * like theirs, since its client shows it, too. */
void pending_add_received(struct apply *a, uint64_t session, uint64_t position, uint64_t shared,
                          uint32_t bytes);
/** Append a copy of a message that another session of the user sent, at the position of that. False
 * when the list is full. */
bool pending_add_sent(struct apply *a, uint64_t session, uint64_t position,
                      const Pb__Stanza *message);
/** Number of lists that name a stanza of the stanza table, all new. */
void pending_set_refs(struct apply *a, uint64_t shared, uint32_t count);

enum pending_release {
    PENDING_OTHERS_HOLD, /* other lists still name it */
    PENDING_WAS_LAST,    /* nobody had it: the caller moves it, or deletes it by pending_forget() */
    PENDING_FORGOTTEN    /* somebody had it and the row is gone */
};
/** One list less names the stanza; delivered: because its client has it. */
enum pending_release pending_release(struct apply *a, uint64_t shared, bool delivered);
/** Delete a stanza that no list names. */
void pending_forget(struct apply *a, uint64_t shared);

/** CONFIRM: numbers up to h are done, all others are erased. Changes row, which the caller writes.
 */
void pending_confirm(struct apply *a, uint64_t session, Pb__SessionRow *row, uint32_t h);

#endif
