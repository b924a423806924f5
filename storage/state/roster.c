#include "storage/state/roster.h"

#include "storage/state/pending.h"
#include "storage/state/session.h"
#include "storage/state/subscription.h"

#define ERASED_ITEMS_MAX 20 /* items a command: each changes a roster of somebody else */

/* ---- items, in order of contact */

Pb__RosterRow *roster_load(struct apply *a, const char *user)
{
    Pb__RosterRow *roster = state_roster(a->state, a->arena, user);

    if (roster == NULL) {
        roster = arena_alloc(a->arena, sizeof(*roster));
        pb__roster_row__init(roster);
    }
    return roster;
}

/* Where contact stands, or would stand. */
static size_t position_of(const Pb__RosterRow *roster, const char *contact)
{
    size_t low = 0, high = roster->n_items;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(roster->items[middle]->contact, contact) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

Pb__RosterItem *roster_find(const Pb__RosterRow *roster, const char *contact)
{
    size_t at = position_of(roster, contact);

    return at < roster->n_items && strcmp(roster->items[at]->contact, contact) == 0
               ? roster->items[at]
               : NULL;
}

Pb__RosterItem *roster_find_or_add(struct apply *a, Pb__RosterRow *roster, const char *contact)
{
    Pb__RosterItem *item = roster_find(roster, contact);
    Pb__RosterItem **items;
    size_t at = position_of(roster, contact);

    if (item != NULL || roster->n_items >= STATE_ROSTER_MAX) {
        return item;
    }
    item = arena_alloc(a->arena, sizeof(*item));
    pb__roster_item__init(item);
    item->contact = arena_strndup(a->arena, slice_str(contact));

    items = arena_alloc(a->arena, (roster->n_items + 1) * sizeof(*items));
    for (size_t i = 0; i < at; i++) {
        items[i] = roster->items[i];
    }
    items[at] = item;
    for (size_t i = at; i < roster->n_items; i++) {
        items[i + 1] = roster->items[i];
    }
    roster->items = items;
    roster->n_items++;
    return item;
}

static void take_out(Pb__RosterRow *roster, const Pb__RosterItem *item)
{
    size_t at = position_of(roster, item->contact);

    roster->n_items--;
    for (size_t i = at; i < roster->n_items; i++) {
        roster->items[i] = roster->items[i + 1];
    }
}

void roster_item_add(Pb__RosterItem *item, unsigned bit)
{
    item->subscription = (Pb__RosterItem__Subscription)((unsigned)item->subscription | bit);
}

void roster_item_drop(Pb__RosterItem *item, unsigned bit)
{
    item->subscription = (Pb__RosterItem__Subscription)((unsigned)item->subscription & ~bit);
}

/* ---- writing and pushing */

typedef void (*session_do)(struct apply *a, uint64_t session, const void *what);

static void each_interested(struct apply *a, const char *user, session_do act, const void *what)
{
    struct row_list list = rows_all(a->state, a->arena, TABLE_SESSION_OF, key_user(user));

    for (size_t i = 0; i < list.count; i++) {
        uint64_t session = key_last_u64(list.items[i].key);
        const Pb__SessionRow *row = state_session(a->state, a->arena, session);

        if (row->wants_roster) {
            act(a, session, what);
        }
    }
}

static void deliver_one(struct apply *a, uint64_t session, const void *stanza)
{
    pending_add_self(a, session, stanza);
}

static void mention_one(struct apply *a, uint64_t session, const void *stanza)
{
    (void)pending_add_own(a, session, stanza);
}

void roster_deliver_interested(struct apply *a, const char *user, const Pb__Stanza *stanza)
{
    each_interested(a, user, deliver_one, stanza);
}

void roster_mention_interested(struct apply *a, const char *user, const Pb__Stanza *stanza)
{
    each_interested(a, user, mention_one, stanza);
}

static void push_one(struct apply *a, uint64_t session, const void *push)
{
    pending_add_push(a, session, push);
}

/* RFC 6121 §2.1.6. What only the server knows of an item is not part of it. */
static void push_item(struct apply *a, const char *user, uint64_t version,
                      const Pb__RosterItem *item, bool removed)
{
    Pb__RosterPush push = PB__ROSTER_PUSH__INIT;
    Pb__RosterItem shown = *item;

    shown.request = NULL;
    shown.pending_in = false;
    push.version = version;
    push.item = &shown;
    push.removed = removed;
    each_interested(a, user, push_one, &push);
}

bool roster_fits(const Pb__RosterRow *roster)
{
    return pb__roster_row__get_packed_size(roster) <= STATE_ROSTER_BYTES_MAX;
}

void roster_put(struct apply *a, const char *user, Pb__RosterRow *roster, Pb__RosterItem *item,
                bool visible)
{
    if (!item->listed && !item->pending_in) {
        take_out(roster, item);
    }
    if (visible) {
        roster->version = apply_position(a); /* never used twice, not even for a name used again */
    }
    row_put(a->state, TABLE_ROSTER, key_user(user), roster);
    if (visible) {
        push_item(a, user, roster->version, item, false);
    }
}

void roster_remove(struct apply *a, const char *user, Pb__RosterRow *roster,
                   const Pb__RosterItem *item)
{
    take_out(roster, item);
    roster->version = apply_position(a);
    row_put(a->state, TABLE_ROSTER, key_user(user), roster);
    push_item(a, user, roster->version, item, true);
}

bool roster_erase_step(struct apply *a, const char *user)
{
    Pb__RosterRow *roster = roster_load(a, user);

    for (size_t i = 0; i < ERASED_ITEMS_MAX && roster->n_items > 0; i++) {
        Pb__RosterItem *item = roster->items[--roster->n_items];

        subscription_cancel(a, user, item);
    }
    if (roster->n_items > 0) {
        row_put(a->state, TABLE_ROSTER, key_user(user), roster);
        return false;
    }
    row_delete(a->state, TABLE_ROSTER, key_user(user));
    return true;
}
