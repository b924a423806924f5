#include "storage/state/directed.h"

#include "storage/state/account.h"
#include "storage/state/message.h"
#include "storage/state/pending.h"
#include "storage/state/presence.h"
#include "storage/state/roster.h"
#include "storage/state/session.h"
#include "storage/state/stanza.h"

#define ENTRY_BYTES_MAX 32 /* of a list, beside its stanza */

/* RFC 6121 §8.5.2.1.2 and §8.5.3: who gets what session sends to an address. */
static struct targets targets_of(struct apply *a, uint64_t session, const char *to)
{
    const char *user = address_bare(a, to);
    const char *resource = address_resource(a, to);
    struct row_list list = presence_list(a, user);
    struct targets targets = {
        .sessions = arena_alloc(a->arena, (list.count + 1) * sizeof(*targets.sessions))};

    if (resource[0] != '\0') {
        targets.sessions[0] = session_by_resource(a, user, resource);
        targets.count = targets.sessions[0] == 0 ? 0 : 1;
        return targets;
    }
    for (size_t i = 0; i < list.count; i++) {
        const Pb__PresenceRow *row = list.items[i].row;

        if (presence_is_own(row) && row->session != session) {
            targets.sessions[targets.count++] = row->session;
        }
    }
    return targets;
}

static bool all_have_room(struct apply *a, const struct targets *targets, const Pb__Stanza *stanza)
{
    uint32_t bytes = stanza_bytes(stanza) + ENTRY_BYTES_MAX;

    for (size_t i = 0; i < targets->count; i++) {
        if (!pending_has_room(a, targets->sessions[i], bytes)) {
            return false;
        }
    }
    return true;
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

/* True when it was remembered. */
static bool forget(struct apply *a, uint64_t session, const char *to)
{
    struct key key = key_u64_digest(session, to);

    if (!row_exists(a->state, TABLE_DIRECTED, key)) {
        return false;
    }
    row_delete(a->state, TABLE_DIRECTED, key);
    count_directed(a, session, -1);
    return true;
}

/* To all or to none, who then are owed no end: by presence that comes and goes a stranger would
 * otherwise fill a list with ends, which are always taken, until its session is ended. */
static bool send_available(struct apply *a, uint64_t session, const Pb__Stanza *stanza)
{
    struct targets targets = targets_of(a, session, stanza->to);

    if (!all_have_room(a, &targets, stanza) || !remember(a, session, stanza->to)) {
        return false;
    }
    for (size_t i = 0; i < targets.count; i++) {
        (void)pending_add_own(a, targets.sessions[i], stanza);
    }
    return true;
}

/* With its content where there is room, without it where it is owed. */
static bool send_other(struct apply *a, uint64_t session, const Pb__Stanza *stanza)
{
    struct targets targets = targets_of(a, session, stanza->to);
    bool is_owed = stanza_is(stanza, "unavailable") && forget(a, session, stanza->to);
    bool is_full = false;

    for (size_t i = 0; i < targets.count; i++) {
        if (pending_add_own(a, targets.sessions[i], stanza)) {
            continue;
        }
        is_full = true;
        if (is_owed) {
            pending_add_self(a, targets.sessions[i],
                             stanza_presence(a, "unavailable", stanza->from, stanza->to));
        }
    }
    return is_owed || !is_full || address_resource(a, stanza->to)[0] == '\0';
}

void directed_send(struct apply *a, uint64_t session, const Pb__Stanza *stanza)
{
    bool was_taken;

    if (!address_is_local(a, stanza->to)) {
        stanza_refuse(a, session, stanza, STANZA_REMOTE_SERVER_NOT_FOUND);
        return;
    }
    if (!account_exists(a->state, address_bare(a, stanza->to))) {
        return; /* RFC 6121 §8.5.1: silently */
    }
    was_taken = stanza->type[0] == '\0' ? send_available(a, session, stanza)
                                        : send_other(a, session, stanza);
    if (!was_taken) { /* its sender must know */
        stanza_refuse(a, session, stanza, STANZA_RESOURCE_CONSTRAINT);
    }
}

/* A session that was addressed though it is not available sees no broadcast (RFC 6121 §4.6.3). */
static bool sees_broadcasts(struct apply *a, const char *to)
{
    uint64_t session = session_by_address(a, to);

    return session == 0 || presence_get(a, address_bare(a, to), session) != NULL;
}

/* Contacts with a subscription, and the user's own sessions, see the end by the broadcast, if there
 * is one. */
static bool is_told_by_broadcast(struct apply *a, const char *user, const char *to)
{
    const char *bare = address_bare(a, to);
    const Pb__RosterItem *item = roster_find(a, user, bare);

    return (strcmp(bare, user) == 0 || (item != NULL && roster_item_has(item, ROSTER_FROM))) &&
           sees_broadcasts(a, to);
}

void directed_end(struct apply *a, uint64_t session, const char *user, const char *resource)
{
    struct row_list list = rows_all(a->state, a->arena, TABLE_DIRECTED, key_u64(session));
    const char *from = address_full(a, user, resource);
    bool broadcast = presence_get(a, user, session) != NULL;

    for (size_t i = 0; i < list.count; i++) {
        const Pb__DirectedRow *row = list.items[i].row;

        kv_delete(a->state->kv, TABLE_DIRECTED, list.items[i].key);
        if (!broadcast || !is_told_by_broadcast(a, user, row->to)) {
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

    if (!is_told_by_broadcast(a, row->user, to)) {
        deliver_end(a, address_full(a, row->user, row->resource), to);
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
