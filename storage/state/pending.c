#include "storage/state/pending.h"

#include "storage/state/session.h"
#include "storage/state/stanza.h"

/* ---- adding */

static void push_effect(struct apply *a, uint64_t session, const Pb__SessionRow *row,
                        uint64_t position)
{
    struct effect *effect;

    if (!session_is_writable(row)) {
        return; /* CONFIRMED will write it out */
    }
    effect = effects_push(a->out, EFFECT_PENDING);
    effect->session = session;
    effect->epoch = row->epoch;
    effect->owner = session_owner(row);
    effect->position = position;
}

/* How much a list may hold; it depends on who adds to it. */
struct limit {
    uint32_t count;
    uint64_t bytes;
};

static const struct limit limit_of_others = {STATE_PENDING_MAX, STATE_PENDING_BYTES_MAX};
static const struct limit limit_of_answers = {STATE_PENDING_ANSWERS_MAX,
                                              STATE_PENDING_ANSWERS_BYTES_MAX};
static const struct limit limit_of_self = {STATE_PENDING_SELF_MAX, STATE_PENDING_SELF_BYTES_MAX};
static const struct limit no_limit = {UINT32_MAX, UINT64_MAX};

static bool has_room(const Pb__SessionRow *row, const struct limit *limit, uint32_t bytes)
{
    return row != NULL && row->pending_count < limit->count &&
           row->pending_bytes + bytes <= limit->bytes;
}

static bool add(struct apply *a, uint64_t session, uint64_t position, Pb__PendingRow *entry,
                const struct limit *limit)
{
    Pb__SessionRow *row = state_session(a->state, a->arena, session);

    if (entry->bytes == 0) { /* of a shared one its caller knows */
        entry->bytes = (uint32_t)pb__pending_row__get_packed_size(entry);
    }
    if (!has_room(row, limit, entry->bytes)) {
        return false;
    }
    row->pending_count++;
    row->pending_bytes += entry->bytes;
    session_put(a, session, row);
    row_put(a->state, TABLE_PENDING, key_u64_u64(session, position), entry);
    push_effect(a, session, row, position);
    return true;
}

static void add_self(struct apply *a, uint64_t session, Pb__PendingRow *entry)
{
    if (!add(a, session, apply_position(a), entry, &limit_of_self)) {
        session_doom(a, session);
    }
}

static bool add_stanza(struct apply *a, uint64_t session, const Pb__Stanza *stanza,
                       const struct limit *limit)
{
    Pb__PendingRow entry = PB__PENDING_ROW__INIT;

    entry.what_case = PB__PENDING_ROW__WHAT_OWN;
    entry.own = (Pb__Stanza *)stanza;
    return add(a, session, apply_position(a), &entry, limit);
}

bool pending_add_own(struct apply *a, uint64_t session, const Pb__Stanza *stanza)
{
    return add_stanza(a, session, stanza, &limit_of_others);
}

bool pending_add_answer(struct apply *a, uint64_t session, const Pb__Stanza *stanza)
{
    return add_stanza(a, session, stanza, &limit_of_answers);
}

void pending_add_self(struct apply *a, uint64_t session, const Pb__Stanza *stanza)
{
    Pb__PendingRow entry = PB__PENDING_ROW__INIT;

    entry.what_case = PB__PENDING_ROW__WHAT_OWN;
    entry.own = (Pb__Stanza *)stanza;
    add_self(a, session, &entry);
}

static void add_ask(struct apply *a, uint64_t session, const Pb__Stanza *request)
{
    Pb__PendingRow entry = PB__PENDING_ROW__INIT;

    entry.what_case = PB__PENDING_ROW__WHAT_ASK;
    entry.ask = (Pb__Stanza *)request;
    add_self(a, session, &entry);
}

void pending_add_push(struct apply *a, uint64_t session, const Pb__RosterPush *push)
{
    Pb__PendingRow entry = PB__PENDING_ROW__INIT;

    entry.what_case = PB__PENDING_ROW__WHAT_PUSH;
    entry.push = (Pb__RosterPush *)push;
    add_self(a, session, &entry);
}

bool pending_has_room(struct apply *a, uint64_t session, uint32_t bytes)
{
    return has_room(state_session(a->state, a->arena, session), &limit_of_others, bytes);
}

bool pending_may_inherit(struct apply *a, uint64_t session, uint32_t bytes)
{
    return has_room(state_session(a->state, a->arena, session), &limit_of_self, bytes);
}

static void add_shared(struct apply *a, uint64_t session, uint64_t position, uint64_t shared,
                       uint32_t bytes, Pb__Copy copy)
{
    Pb__PendingRow entry = PB__PENDING_ROW__INIT;
    bool added;

    entry.copy = copy;
    entry.what_case = PB__PENDING_ROW__WHAT_SHARED;
    entry.shared = shared;
    entry.bytes = bytes;
    added = add(a, session, position, &entry, &no_limit);
    ASSERT(added);
}

void pending_add_shared(struct apply *a, uint64_t session, uint64_t position, uint64_t shared,
                        uint32_t bytes)
{
    add_shared(a, session, position, shared, bytes, PB__COPY__NO_COPY);
}

void pending_add_received(struct apply *a, uint64_t session, uint64_t position, uint64_t shared,
                          uint32_t bytes)
{
    add_shared(a, session, position, shared, bytes, PB__COPY__RECEIVED);
}

bool pending_add_sent(struct apply *a, uint64_t session, uint64_t position,
                      const Pb__Stanza *message)
{
    Pb__PendingRow entry = PB__PENDING_ROW__INIT;

    entry.copy = PB__COPY__SENT;
    entry.what_case = PB__PENDING_ROW__WHAT_OWN;
    entry.own = (Pb__Stanza *)message;
    return add(a, session, position, &entry, &limit_of_others);
}

/* ---- stanzas that several lists share. The usual stanza stands in one list: no row of its own
 * says so. */

void pending_set_refs(struct apply *a, uint64_t shared, uint32_t count)
{
    Pb__StanzaRefsRow refs = PB__STANZA_REFS_ROW__INIT;

    ASSERT(count > 0);
    refs.count = count;
    if (count > 1) {
        row_put(a->state, TABLE_STANZA_REFS, key_u64(shared), &refs);
    }
}

void pending_forget(struct apply *a, uint64_t shared)
{
    row_delete(a->state, TABLE_STANZA, key_u64(shared));
    row_delete(a->state, TABLE_STANZA_REFS, key_u64(shared));
}

enum pending_release pending_release(struct apply *a, uint64_t shared, bool delivered)
{
    Pb__StanzaRefsRow *refs = row_get(a->state, a->arena, TABLE_STANZA_REFS, key_u64(shared));

    if (refs != NULL && refs->count > 1) {
        refs->count--;
        refs->delivered = refs->delivered || delivered;
        row_put(a->state, TABLE_STANZA_REFS, key_u64(shared), refs);
        return PENDING_OTHERS_HOLD;
    }
    if (delivered || (refs != NULL && refs->delivered)) {
        pending_forget(a, shared);
        return PENDING_FORGOTTEN;
    }
    row_delete(a->state, TABLE_STANZA_REFS, key_u64(shared));
    return PENDING_WAS_LAST;
}

/* ---- numbers and acks */

static void remove_done(struct apply *a, Pb__SessionRow *row, const struct row_entry *item)
{
    const Pb__PendingRow *entry = item->row;

    if (entry->what_case == PB__PENDING_ROW__WHAT_SHARED) {
        (void)pending_release(a, entry->shared, true);
    }
    kv_delete(a->state->kv, TABLE_PENDING, item->key);
    row->pending_count--;
    row->pending_bytes -= entry->bytes;
}

/* Is number at or before h, in the arithmetic of a counter that wraps (XEP-0198 §4)? */
static bool is_covered(uint32_t number, uint32_t h)
{
    return h - number < UINT32_C(0x80000000);
}

/* Numbers are given in the order of positions: with the entry the client has all presence that
 * changed before it, and must not get that again behind it. */
static void confirm_presence(Pb__SessionRow *row, uint64_t position)
{
    if (position > row->presence_position && position >= row->initial_position) {
        row->presence_position = position;
    }
}

void pending_confirm(struct apply *a, uint64_t session, Pb__SessionRow *row, uint32_t h)
{
    struct row_list list = rows_all(a->state, a->arena, TABLE_PENDING, key_u64(session));

    for (size_t i = 0; i < list.count; i++) {
        Pb__PendingRow *entry = list.items[i].row;

        if (!entry->numbered) {
            continue;
        }
        if (is_covered(entry->number, h)) {
            confirm_presence(row, key_last_u64(list.items[i].key));
            remove_done(a, row, &list.items[i]);
        } else { /* it goes out again under a new number */
            entry->numbered = false;
            entry->number = 0;
            row_put(a->state, TABLE_PENDING, key_bytes(list.items[i].key), entry);
        }
    }
}

/* A session whose confirmed connection sends the note, or NULL: notes of any other are void. */
static Pb__SessionRow *noted_session(struct apply *a, uint64_t session, uint32_t epoch)
{
    Pb__SessionRow *row = state_session(a->state, a->arena, session);

    if (row == NULL || row->epoch != epoch || !session_is_writable(row) ||
        !session_is_senders(a, row->owner)) {
        return NULL;
    }
    return row;
}

static void note_run(struct apply *a, const Pb__Notes__Run *run)
{
    const Pb__SessionRow *row = noted_session(a, run->session, run->epoch);
    struct key from = key_u64_u64(run->session, run->first_position);
    struct row_list list;
    struct effect *effect;

    if (row == NULL || run->count == 0 || run->count > STATE_PENDING_SELF_MAX) {
        return;
    }
    list = rows_collect(a->state, a->arena, TABLE_PENDING, key_u64(run->session), key_slice(&from),
                        run->count);
    for (size_t i = 0; i < list.count; i++) {
        Pb__PendingRow *entry = list.items[i].row;

        entry->numbered = true;
        entry->number = run->first_number + (uint32_t)i;
        row_put(a->state, TABLE_PENDING, key_bytes(list.items[i].key), entry);
    }
    effect = effects_push(a->out, EFFECT_RECORDED);
    effect->session = run->session;
    effect->epoch = run->epoch;
    effect->owner = session_owner(row);
    effect->number = run->first_number + run->count - 1;
}

static void note_ack(struct apply *a, const Pb__Notes__Ack *ack)
{
    Pb__SessionRow *row = noted_session(a, ack->session, ack->epoch);
    struct row_list list;

    if (row == NULL) {
        return;
    }
    list = rows_up_to(a->state, a->arena, TABLE_PENDING, key_u64(ack->session),
                      key_u64_u64(ack->session, ack->done_position));
    for (size_t i = 0; i < list.count; i++) {
        remove_done(a, row, &list.items[i]);
    }
    if (ack->presence_position > row->presence_position &&
        ack->presence_position >= row->initial_position) {
        row->presence_position = ack->presence_position;
    }
    session_put(a, ack->session, row);
}

int notes(struct apply *a, const Pb__Notes *command)
{
    Pb__SessionRow *row;

    for (size_t i = 0; i < command->n_counts; i++) {
        if (session_take(a, command->counts[i], &row) != 0) {
            continue; /* a stale one is void, not an error */
        }
    }
    for (size_t i = 0; i < command->n_runs; i++) {
        note_run(a, command->runs[i]);
    }
    for (size_t i = 0; i < command->n_acks; i++) {
        note_ack(a, command->acks[i]);
    }
    return 0;
}

/* ---- answers to the session itself */

int answer(struct apply *a, const Pb__Answer *command)
{
    Pb__SessionRow *row;
    int rc = command->stanza == NULL ? ERR_INVALID : session_take(a, command->from, &row);

    if (rc == 0) {
        pending_add_self(a, command->from->session, command->stanza);
    }
    return rc;
}

int pending_ask(struct apply *a, const Pb__Ask *command)
{
    Pb__SessionRow *row;
    Pb__Stanza *request = command->request;
    int rc = request == NULL ? ERR_INVALID : session_take(a, command->from, &row);

    if (rc != 0) {
        return rc;
    }
    if (request->to[0] != '\0' && !address_is_local(a, request->to)) {
        stanza_refuse(a, command->from->session, request, STANZA_REMOTE_SERVER_NOT_FOUND);
        return 0;
    }
    if (command->roster && !row->wants_roster) {
        row->wants_roster = true;
        session_put(a, command->from->session, row);
    }
    add_ask(a, command->from->session, command->request);
    return 0;
}
