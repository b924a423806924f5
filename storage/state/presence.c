#include "storage/state/presence.h"

#include "storage/state/deadline.h"
#include "storage/state/directed.h"
#include "storage/state/offline.h"
#include "storage/state/pending.h"
#include "storage/state/session.h"
#include "storage/state/stanza.h"
#include "storage/state/subscription.h"

/* Presences of a user, those left standing among them, when one more may be left. Then all of its
 * sessions may still become available. */
#define STANDING_MAX   (2 * STATE_SESSIONS_MAX)
#define PRESENCES_MAX  (STANDING_MAX + STATE_SESSIONS_MAX)
#define HEAD_BYTES_MAX 4096 /* of a presence beside what it shows: two addresses */

/* Neither what others may send nor what waited offline leaves too little for a contact's answer. */
_Static_assert(STATE_PENDING_ANSWERS_MAX + STATE_OFFLINE_SETTLED_MAX + PRESENCES_MAX <=
                   STATE_PENDING_SELF_MAX,
               "the presences of a contact overflow a list");
_Static_assert(STATE_PENDING_ANSWERS_BYTES_MAX + STATE_OFFLINE_SETTLED_BYTES_MAX +
                       PRESENCES_MAX * (STATE_PRESENCE_BYTES_MAX + HEAD_BYTES_MAX) <=
                   STATE_PENDING_SELF_BYTES_MAX,
               "the presences of a contact overflow a list");

/* ---- rows */

struct row_list presence_list(struct apply *a, const char *user)
{
    return rows_all(a->state, a->arena, TABLE_PRESENCE, key_user(user));
}

bool presence_is_own(const Pb__PresenceRow *row)
{
    return row->until_ms == 0;
}

Pb__PresenceRow *presence_get(struct apply *a, const char *user, uint64_t session)
{
    return row_get(a->state, a->arena, TABLE_PRESENCE, key_user_u64(user, session));
}

static void presence_put(struct apply *a, const char *user, const Pb__PresenceRow *row,
                         Pb__Stanza *stanza)
{
    Pb__ShownRow shown = PB__SHOWN_ROW__INIT;

    shown.stanza = stanza;
    row_put(a->state, TABLE_PRESENCE, key_user_u64(user, row->session), row);
    row_put(a->state, TABLE_SHOWN, key_user_u64(user, row->session), &shown);
}

static void presence_delete(struct apply *a, const char *user, uint64_t session)
{
    row_delete(a->state, TABLE_PRESENCE, key_user_u64(user, session));
    row_delete(a->state, TABLE_SHOWN, key_user_u64(user, session));
}

static void tombstone_delete(struct apply *a, const char *user, const char *resource)
{
    const Pb__TombstoneRow *row =
        row_get(a->state, a->arena, TABLE_TOMBSTONE, key_user_digest(user, resource));

    if (row != NULL) {
        deadline_delete(a, row->until_ms, PB__DEADLINE_KIND__PRESENCE_TOMBSTONE, row->session);
        row_delete(a->state, TABLE_TOMBSTONE, key_user_digest(user, resource));
    }
}

static void tombstone_put(struct apply *a, const char *user, const Pb__PresenceRow *presence,
                          uint64_t position)
{
    Pb__TombstoneRow row = PB__TOMBSTONE_ROW__INIT;
    Pb__DeadlineRow deadline = PB__DEADLINE_ROW__INIT;

    tombstone_delete(a, user, presence->resource);
    row.user = (char *)user;
    row.session = presence->session;
    row.resource = presence->resource;
    row.position = position;
    row.until_ms = a->now_ms + STATE_PRESENCE_TOMBSTONE_MS;
    row_put(a->state, TABLE_TOMBSTONE, key_user_digest(user, presence->resource), &row);
    deadline.user = (char *)user;
    deadline.resource = presence->resource;
    deadline_put(a, row.until_ms, PB__DEADLINE_KIND__PRESENCE_TOMBSTONE, row.session, &deadline);
}

/* Nobody is told of this end by its resource any more. A removed account needs no such memory. */
static void tombstone_forget(struct apply *a, const Pb__TombstoneRow *row)
{
    Pb__AccountRow *account = state_account(a->state, a->arena, row->user);

    if (account != NULL && row->position > account->forgotten_position) {
        account->forgotten_position = row->position;
        row_put(a->state, TABLE_ACCOUNT, key_user(row->user), account);
    }
    tombstone_delete(a, row->user, row->resource);
}

/* Resources are free to choose, and each that ends is remembered. */
static void bound_tombstones(struct apply *a, const char *user)
{
    struct row_list list = rows_all(a->state, a->arena, TABLE_TOMBSTONE, key_user(user));
    const Pb__TombstoneRow *oldest = NULL;

    for (size_t i = 0; i < list.count; i++) {
        const Pb__TombstoneRow *row = list.items[i].row;

        if (oldest == NULL || row->position < oldest->position) {
            oldest = row;
        }
    }
    if (list.count > STATE_PRESENCE_TOMBSTONES_MAX) {
        tombstone_forget(a, oldest);
    }
}

void presence_expire_tombstone(struct apply *a, const char *user, const char *resource)
{
    const Pb__TombstoneRow *row =
        row_get(a->state, a->arena, TABLE_TOMBSTONE, key_user_digest(user, resource));

    ASSERT(row != NULL); /* its deadline names it */
    tombstone_forget(a, row);
}

/* ---- broadcast */

static void push_effect(struct apply *a, uint64_t session, const char *user,
                        const Pb__Stanza *stanza, uint64_t position, bool initial)
{
    struct effect *effect = effects_push(a->out, EFFECT_PRESENCE);

    effect->session = session;
    effect->user = arena_strndup(a->out->arena, slice_str(user));
    effect->stanza = stanza_for_effect(a, stanza);
    effect->position = position;
    effect->initial = initial;
}

/* Delete a presence and say so, once; stanza: the client's own, or NULL. */
static void end_presence(struct apply *a, const char *user, const Pb__PresenceRow *row,
                         const Pb__Stanza *stanza)
{
    uint64_t position = apply_position(a);

    if (stanza == NULL) {
        stanza = stanza_presence(a, "unavailable", address_full(a, user, row->resource), "");
    }
    if (!presence_is_own(row)) {
        deadline_delete(a, row->until_ms, PB__DEADLINE_KIND__STANDING_PRESENCE, row->session);
    }
    presence_delete(a, user, row->session);
    tombstone_put(a, user, row, position);
    bound_tombstones(a, user);
    push_effect(a, row->session, user, stanza, position, false);
}

void presence_end_session(struct apply *a, uint64_t session, const char *user, const char *resource)
{
    const Pb__PresenceRow *row = presence_get(a, user, session);

    directed_end(a, session, user, resource);
    if (row != NULL) {
        end_presence(a, user, row, NULL);
    }
}

/* Owed to each available session of viewer; what it shows only where there is room for it, or those
 * who wait for many answers would be ended by them. */
static void owe_shown(struct apply *a, const char *viewer, const Pb__Stanza *stanza)
{
    struct row_list list = presence_list(a, viewer);
    const Pb__Stanza *bare = stanza_presence(a, "", stanza->from, viewer);

    for (size_t i = 0; i < list.count; i++) {
        const Pb__PresenceRow *row = list.items[i].row;

        if (presence_is_own(row) && !pending_add_own(a, row->session, stanza)) {
            pending_add_self(a, row->session, bare);
        }
    }
}

void presence_show(struct apply *a, const char *user, const char *viewer)
{
    struct row_list list = presence_list(a, user);

    for (size_t i = 0; i < list.count; i++) {
        const Pb__PresenceRow *row = list.items[i].row;
        Pb__Stanza *stanza = state_shown(a->state, a->arena, user, row->session);

        stanza->to = (char *)viewer;
        owe_shown(a, viewer, stanza);
    }
}

/* May the session have been shown what ended at position, and not acked its end? */
static bool may_miss_end(struct apply *a, uint64_t session, uint64_t position)
{
    const Pb__SessionRow *row = state_session(a->state, a->arena, session);

    return position > row->presence_position && position > row->initial_position;
}

static void hide_end(struct apply *a, const char *from, const char *viewer, uint64_t position)
{
    struct row_list viewers = presence_list(a, viewer);
    const Pb__Stanza *stanza = stanza_presence(a, "unavailable", from, viewer);

    for (size_t i = 0; i < viewers.count; i++) {
        const Pb__PresenceRow *row = viewers.items[i].row;

        if (presence_is_own(row) && may_miss_end(a, row->session, position)) {
            pending_add_self(a, row->session, stanza);
        }
    }
}

/* What ended: its unavailable was volatile, or is not even expanded yet, and from now on neither
 * fan-out nor the repair after a resume looks at this contact. */
static void hide_ended(struct apply *a, const char *user, const char *viewer)
{
    struct row_list ended = rows_all(a->state, a->arena, TABLE_TOMBSTONE, key_user(user));
    const Pb__AccountRow *account = state_account(a->state, a->arena, user);

    for (size_t i = 0; i < ended.count; i++) {
        const Pb__TombstoneRow *row = ended.items[i].row;

        hide_end(a, address_full(a, user, row->resource), viewer, row->position);
    }
    if (account != NULL) {
        hide_end(a, user, viewer, account->forgotten_position);
    } else { /* what was forgotten of it went with it */
        presence_owe_available(a, viewer, stanza_presence(a, "unavailable", user, viewer));
    }
}

void presence_hide(struct apply *a, const char *user, const char *viewer)
{
    struct row_list list = presence_list(a, user);

    for (size_t i = 0; i < list.count; i++) {
        const Pb__PresenceRow *row = list.items[i].row;
        const char *from = address_full(a, user, row->resource);

        presence_owe_available(a, viewer, stanza_presence(a, "unavailable", from, viewer));
    }
    hide_ended(a, user, viewer);
}

void presence_deliver_available(struct apply *a, const char *user, uint64_t except,
                                const Pb__Stanza *stanza)
{
    struct row_list list = presence_list(a, user);

    for (size_t i = 0; i < list.count; i++) {
        const Pb__PresenceRow *row = list.items[i].row;

        if (presence_is_own(row) && row->session != except) {
            (void)pending_add_own(a, row->session, stanza);
        }
    }
}

void presence_owe_available(struct apply *a, const char *user, const Pb__Stanza *stanza)
{
    struct row_list list = presence_list(a, user);

    for (size_t i = 0; i < list.count; i++) {
        const Pb__PresenceRow *row = list.items[i].row;

        if (presence_is_own(row)) {
            pending_add_self(a, row->session, stanza);
        }
    }
}

/* ---- a replaced session's presence (DESIGN 5, "Bind of a detached full JID") */

bool presence_leave_standing(struct apply *a, uint64_t session, const char *user, uint64_t until_ms)
{
    Pb__PresenceRow *row = presence_get(a, user, session);
    Pb__DeadlineRow deadline = PB__DEADLINE_ROW__INIT;

    if (row == NULL) {
        return false;
    }
    if (presence_list(a, user).count > STANDING_MAX) {
        end_presence(a, user, row, NULL); /* a client that binds over and over */
        return false;
    }
    row->until_ms = until_ms;
    row_put(a->state, TABLE_PRESENCE, key_user_u64(user, session), row);
    deadline.user = (char *)user;
    deadline_put(a, until_ms, PB__DEADLINE_KIND__STANDING_PRESENCE, session, &deadline);
    return true;
}

void presence_end_standing(struct apply *a, uint64_t session, const char *user)
{
    const Pb__PresenceRow *row = presence_get(a, user, session);

    if (row != NULL && !presence_is_own(row)) {
        directed_end(a, session, user, row->resource);
        end_presence(a, user, row, NULL);
    }
}

/* The new session of the same address is available: it takes over, nobody saw a leave. */
static void take_over_standing(struct apply *a, uint64_t id, const Pb__SessionRow *session)
{
    struct row_list list = presence_list(a, session->user);

    for (size_t i = 0; i < list.count; i++) {
        const Pb__PresenceRow *row = list.items[i].row;

        if (!presence_is_own(row) && strcmp(row->resource, session->resource) == 0) {
            deadline_delete(a, row->until_ms, PB__DEADLINE_KIND__STANDING_PRESENCE, row->session);
            presence_delete(a, session->user, row->session);
            directed_move(a, row->session, id);
        }
    }
}

/* ---- commands */

/* All contacts are shown to it now; a resume before that is acked has to show all of them again. */
static void begin_availability(struct apply *a, uint64_t session, uint64_t position)
{
    Pb__SessionRow *row = state_session(a->state, a->arena, session);

    row->initial_position = position;
    row->presence_position = 0;
    session_put(a, session, row);
}

static void set_available(struct apply *a, const Pb__SendPresence *command,
                          const Pb__SessionRow *session)
{
    const uint64_t id = command->from->session;
    const Pb__PresenceRow *old = presence_get(a, session->user, id);
    Pb__PresenceRow row = PB__PRESENCE_ROW__INIT;

    row.session = id;
    row.resource = session->resource;
    row.priority = command->priority;
    take_over_standing(a, id, session);
    tombstone_delete(a, session->user, session->resource);
    row.position = apply_position(a); /* after what a list got by the way */
    presence_put(a, session->user, &row, command->stanza);
    push_effect(a, id, session->user, command->stanza, row.position, old == NULL);

    if (old == NULL) {
        begin_availability(a, id, row.position);
        subscription_show_requests(a, session->user, id);
    }
    if (row.priority >= 0 && (old == NULL || old->priority < 0)) {
        offline_move(a, session->user, id); /* XEP-0160 §3 */
    }
}

static void set_unavailable(struct apply *a, const Pb__SendPresence *command,
                            const Pb__SessionRow *session)
{
    const Pb__PresenceRow *row = presence_get(a, session->user, command->from->session);

    directed_end(a, command->from->session, session->user, session->resource);
    if (row != NULL) {
        end_presence(a, session->user, row, command->stanza);
    }
}

/* Here and not where it comes from: the limits of lists rely on it, whichever node and program put
 * it into the log. */
static void refuse_large(struct apply *a, uint64_t session, const Pb__SessionRow *row,
                         Pb__Stanza *stanza)
{
    if (stanza->to[0] == '\0') {
        stanza->to = row->user; /* RFC 6120 §10.3: without to, for the account itself */
    }
    stanza_refuse(a, session, stanza, STANZA_POLICY_VIOLATION);
}

int presence_send(struct apply *a, const Pb__SendPresence *command)
{
    Pb__Stanza *stanza = command->stanza;
    Pb__SessionRow *row;
    int rc = session_take_stanza(a, command->from, stanza, &row);

    if (rc != 0) {
        return rc;
    }
    if (stanza_content_bytes(stanza) > STATE_PRESENCE_BYTES_MAX) {
        refuse_large(a, command->from->session, row, stanza);
        return 0;
    }
    if (stanza_is_subscription(stanza)) {
        subscription_send(a, command->from->session, row->user, stanza);
    } else if (stanza->to[0] != '\0') {
        directed_send(a, command->from->session, stanza);
    } else if (stanza->type[0] == '\0') {
        set_available(a, command, row);
    } else if (stanza_is(stanza, "unavailable")) {
        set_unavailable(a, command, row);
    }
    return 0; /* other types without to mean nothing: counted only */
}
