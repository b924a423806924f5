/* roster - a user's contacts, one row each, with the state of both subscriptions, and the pushes
 * that follow each change (RFC 6121 §2). A row of the user says how much they are together, so that
 * a change costs what it changes, however long the roster is. */
#ifndef STORAGE_STATE_ROSTER_H
#define STORAGE_STATE_ROSTER_H

#include "storage/state/apply.h"

#define ROSTER_ERASED_MAX                                                                          \
    20 /* contacts a step of an erasure: each changes somebody else's roster */

/* Bits of RosterItem.Subscription. */
#define ROSTER_TO   PB__ROSTER_ITEM__SUBSCRIPTION__TO
#define ROSTER_FROM PB__ROSTER_ITEM__SUBSCRIPTION__FROM

/** Version and sums; all zero when there is no roster. */
Pb__RosterRow *roster_load(struct apply *a, const char *user);
/** A copy of the item, or NULL. Changes count with roster_put(). */
Pb__RosterItem *roster_find(struct apply *a, const char *user, const char *contact);
/** The item, made (not listed) if it is not there; NULL when the roster is full. */
Pb__RosterItem *roster_find_or_add(struct apply *a, const char *user, const char *contact);

static inline bool roster_item_has(const Pb__RosterItem *item, unsigned bit)
{
    return ((unsigned)item->subscription & bit) != 0;
}
void roster_item_add(Pb__RosterItem *item, unsigned bit);
void roster_item_drop(Pb__RosterItem *item, unsigned bit);

/** Write a changed item; one that means nothing any more goes. visible: the client sees the change,
 * so it is pushed to the sessions that asked for the roster. */
void roster_put(struct apply *a, const char *user, const Pb__RosterItem *item, bool visible);
/** The same for an item that grew; ERR_LIMIT, and nothing is written, when the roster would be
 * larger than STATE_ROSTER_BYTES_MAX. */
NODISCARD int roster_put_grown(struct apply *a, const char *user, const Pb__RosterItem *item,
                               bool visible);
/** Take an item out, push. */
void roster_remove(struct apply *a, const char *user, const Pb__RosterItem *item);
/** Queue a stanza for every session of user that asked for the roster ("interested"). */
void roster_deliver_interested(struct apply *a, const char *user, const Pb__Stanza *stanza);
/** The same for what they need not know when their lists are full. */
void roster_mention_interested(struct apply *a, const char *user, const Pb__Stanza *stanza);
/** Cancel some subscriptions of a removed account; true when the roster is gone. */
bool roster_erase_step(struct apply *a, const char *user);

#endif
