#include "storage/state/roster.h"

#include "storage/state/pending.h"
#include "storage/state/session.h"
#include "storage/state/subscription.h"

/* ---- items and their sums */

Pb__RosterRow *roster_load(struct apply *a, const char *user)
{
    Pb__RosterRow *roster = state_roster(a->state, a->arena, user);

    if (roster == NULL) {
        roster = arena_alloc(a->arena, sizeof(*roster));
        pb__roster_row__init(roster);
    }
    return roster;
}

Pb__RosterItem *roster_find(struct apply *a, const char *user, const char *contact)
{
    return state_roster_item(a->state, a->arena, user, contact);
}

Pb__RosterItem *roster_find_or_add(struct apply *a, const char *user, const char *contact)
{
    Pb__RosterItem *item = roster_find(a, user, contact);

    if (item != NULL || roster_load(a, user)->count >= STATE_ROSTER_MAX) {
        return item;
    }
    item = arena_alloc(a->arena, sizeof(*item));
    pb__roster_item__init(item);
    item->contact = arena_strndup(a->arena, slice_str(contact));
    return item;
}

/* The user's row as it is when item, or nothing, stands where the contact's item stands now. */
static Pb__RosterRow *sums_with(struct apply *a, const char *user, const char *contact,
                                const Pb__RosterItem *item)
{
    Pb__RosterRow *roster = roster_load(a, user);
    const Pb__RosterItem *stored = roster_find(a, user, contact);

    if (stored != NULL) {
        roster->count--;
        roster->bytes -= pb__roster_item__get_packed_size(stored);
        roster->requests -= stored->pending_in ? 1 : 0;
    }
    if (item != NULL) {
        roster->count++;
        roster->bytes += pb__roster_item__get_packed_size(item);
        roster->requests += item->pending_in ? 1 : 0;
    }
    return roster;
}

/* item: what is to stand there, or NULL. Returns the version. */
static uint64_t write_item(struct apply *a, const char *user, const char *contact,
                           const Pb__RosterItem *item, bool visible)
{
    Pb__RosterRow *roster = sums_with(a, user, contact, item);

    if (visible) {
        roster->version = apply_position(a); /* never used twice, not even for a name used again */
    }
    row_put(a->state, TABLE_ROSTER, key_user(user), roster);
    if (item != NULL) {
        row_put(a->state, TABLE_ROSTER_ITEM, key_user_digest(user, contact), item);
    } else {
        row_delete(a->state, TABLE_ROSTER_ITEM, key_user_digest(user, contact));
    }
    return roster->version;
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

void roster_put(struct apply *a, const char *user, const Pb__RosterItem *item, bool visible)
{
    bool is_kept = item->listed || item->pending_in;
    uint64_t version = write_item(a, user, item->contact, is_kept ? item : NULL, visible);

    if (visible) {
        push_item(a, user, version, item, false);
    }
}

int roster_put_grown(struct apply *a, const char *user, const Pb__RosterItem *item, bool visible)
{
    if (sums_with(a, user, item->contact, item)->bytes > STATE_ROSTER_BYTES_MAX) {
        return ERR_LIMIT;
    }
    roster_put(a, user, item, visible);
    return 0;
}

void roster_remove(struct apply *a, const char *user, const Pb__RosterItem *item)
{
    uint64_t version = write_item(a, user, item->contact, NULL, true);

    push_item(a, user, version, item, true);
}

bool roster_erase_step(struct apply *a, const char *user)
{
    struct row_list list = rows_collect(a->state, a->arena, TABLE_ROSTER_ITEM, key_user(user),
                                        slice_make(NULL, 0), ROSTER_ERASED_MAX);

    for (size_t i = 0; i < list.count; i++) {
        const Pb__RosterItem *item = list.items[i].row;

        (void)write_item(a, user, item->contact, NULL, false);
        subscription_cancel(a, user, item);
    }
    if (list.count == ROSTER_ERASED_MAX) {
        return false;
    }
    row_delete(a->state, TABLE_ROSTER, key_user(user));
    return true;
}
