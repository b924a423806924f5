#include "storage/state/directed.h"

#include "storage/state/account.h"
#include "storage/state/pending.h"
#include "storage/state/presence.h"
#include "storage/state/roster.h"
#include "storage/state/session.h"
#include "storage/state/stanza.h"

/* RFC 6121 §8.5.2.1.2 and §8.5.3. False when a full address has no room: its sender must know. */
static bool deliver(struct apply *a, uint64_t session, const Pb__Stanza *stanza)
{
    const char *user = address_bare(a, stanza->to);
    const char *resource = address_resource(a, stanza->to);
    uint64_t target;

    if (resource[0] == '\0') {
        presence_deliver_available(a, user, session, stanza);
        return true;
    }
    target = session_by_resource(a, user, resource);
    return target == 0 || pending_add_own(a, target, stanza);
}

/* Whoever was shown presence is told its end, however full the list is. */
static void deliver_end(struct apply *a, const char *from, const char *to)
{
    const Pb__Stanza *stanza = stanza_presence(a, "unavailable", from, to);
    uint64_t target;

    if (address_resource(a, to)[0] == '\0') {
        presence_owe_available(a, to, stanza);
        return;
    }
    target = session_by_address(a, to);
    if (target != 0) {
        pending_add_self(a, target, stanza);
    }
}

static void count_directed(struct apply *a, uint64_t session, int by)
{
    Pb__SessionRow *row = state_session(a->state, a->arena, session);

    if (row != NULL) {
        row->directed_count = (uint32_t)((int64_t)row->directed_count + by);
        session_put(a, session, row);
    }
}

/* False at the limit. */
static bool remember(struct apply *a, uint64_t session, const char *to)
{
    struct key key = key_u64_digest(session, to);
    const Pb__SessionRow *row = state_session(a->state, a->arena, session);
    Pb__DirectedRow directed = PB__DIRECTED_ROW__INIT;

    if (row_exists(a->state, TABLE_DIRECTED, key)) {
        return true;
    }
    if (row->directed_count >= STATE_DIRECTED_MAX) {
        return false;
    }
    directed.to = (char *)to;
    row_put(a->state, TABLE_DIRECTED, key, &directed);
    count_directed(a, session, 1);
    return true;
}

static void forget(struct apply *a, uint64_t session, const char *to)
{
    struct key key = key_u64_digest(session, to);

    if (row_exists(a->state, TABLE_DIRECTED, key)) {
        row_delete(a->state, TABLE_DIRECTED, key);
        count_directed(a, session, -1);
    }
}

void directed_send(struct apply *a, uint64_t session, const Pb__Stanza *stanza)
{
    bool available = stanza->type[0] == '\0';

    if (!address_is_local(a, stanza->to)) {
        stanza_refuse(a, session, stanza, STANZA_REMOTE_SERVER_NOT_FOUND);
        return;
    }
    if (!account_exists(a->state, address_bare(a, stanza->to))) {
        return; /* RFC 6121 §8.5.1: silently */
    }
    if (available && !remember(a, session, stanza->to)) {
        stanza_refuse(a, session, stanza, STANZA_RESOURCE_CONSTRAINT);
        return;
    }
    if (strcmp(stanza->type, "unavailable") == 0) {
        forget(a, session, stanza->to);
    }
    if (!deliver(a, session, stanza)) {
        stanza_refuse(a, session, stanza, STANZA_RESOURCE_CONSTRAINT);
    }
}

/* Contacts with a subscription, and the user's own sessions, see the end by the broadcast, if there
 * is one. */
static bool is_told_by_broadcast(struct apply *a, const char *user, const Pb__RosterRow *roster,
                                 const char *to)
{
    const char *bare = address_bare(a, to);
    const Pb__RosterItem *item = roster_find(roster, bare);

    return strcmp(bare, user) == 0 || (item != NULL && roster_item_has(item, ROSTER_FROM));
}

void directed_end(struct apply *a, uint64_t session, const char *user, const char *resource)
{
    struct row_list list = rows_all(a->state, a->arena, TABLE_DIRECTED, key_u64(session));
    const char *from = apply_printf(a, "%s/%s", user, resource);
    bool broadcast = presence_get(a, user, session) != NULL;
    const Pb__RosterRow *roster = list.count == 0 ? NULL : roster_load(a, user);

    for (size_t i = 0; i < list.count; i++) {
        const Pb__DirectedRow *row = list.items[i].row;

        kv_delete(a->state->kv, TABLE_DIRECTED, list.items[i].key);
        if (!broadcast || !is_told_by_broadcast(a, user, roster, row->to)) {
            deliver_end(a, from, row->to);
        }
    }
    if (list.count > 0) {
        count_directed(a, session, -(int)list.count);
    }
}

/* Without room for more a user would gather ever more of them, one bind after the other. */
static void end_one(struct apply *a, uint64_t session, const char *to)
{
    const Pb__SessionRow *row = state_session(a->state, a->arena, session);

    if (!is_told_by_broadcast(a, row->user, roster_load(a, row->user), to)) {
        deliver_end(a, apply_printf(a, "%s/%s", row->user, row->resource), to);
    }
}

void directed_move(struct apply *a, uint64_t session, uint64_t to)
{
    struct row_list list = rows_all(a->state, a->arena, TABLE_DIRECTED, key_u64(session));

    for (size_t i = 0; i < list.count; i++) {
        const Pb__DirectedRow *row = list.items[i].row;

        kv_delete(a->state->kv, TABLE_DIRECTED, list.items[i].key);
        if (!remember(a, to, row->to)) {
            end_one(a, to, row->to);
        }
    }
}
