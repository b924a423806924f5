/* roster - one row per user: its contacts in order, with the state of both subscriptions, and the
 * pushes that follow each change (RFC 6121 §2). */
#ifndef STORAGE_STATE_ROSTER_H
#define STORAGE_STATE_ROSTER_H

#include "storage/state/apply.h"

/* Bits of RosterItem.Subscription. */
#define ROSTER_TO   PB__ROSTER_ITEM__SUBSCRIPTION__TO
#define ROSTER_FROM PB__ROSTER_ITEM__SUBSCRIPTION__FROM

/** The roster to be changed; a new one when there is none. */
Pb__RosterRow *roster_load(struct apply *a, const char *user);
Pb__RosterItem *roster_find(const Pb__RosterRow *roster, const char *contact);
/** The item, made (not listed) if it is not there; NULL when the roster is full. */
Pb__RosterItem *roster_find_or_add(struct apply *a, Pb__RosterRow *roster, const char *contact);

static inline bool roster_item_has(const Pb__RosterItem *item, unsigned bit)
{
    return ((unsigned)item->subscription & bit) != 0;
}
void roster_item_add(Pb__RosterItem *item, unsigned bit);
void roster_item_drop(Pb__RosterItem *item, unsigned bit);

/** May a roster that grew be written (STATE_ROSTER_BYTES_MAX)? */
bool roster_fits(const Pb__RosterRow *roster);
/** Write a changed roster; item is what changed. An item that means nothing any more goes. visible:
 * the client sees the change, so it is pushed to the sessions that asked for the roster. */
void roster_put(struct apply *a, const char *user, Pb__RosterRow *roster, Pb__RosterItem *item,
                bool visible);
/** Take an item out, write, push. */
void roster_remove(struct apply *a, const char *user, Pb__RosterRow *roster,
                   const Pb__RosterItem *item);
/** Queue a stanza for every session of user that asked for the roster ("interested"). */
void roster_deliver_interested(struct apply *a, const char *user, const Pb__Stanza *stanza);
/** The same for what they need not know when their lists are full. */
void roster_mention_interested(struct apply *a, const char *user, const Pb__Stanza *stanza);
/** Cancel some subscriptions of a removed account; true when the roster is gone. */
bool roster_erase_step(struct apply *a, const char *user);

#endif
