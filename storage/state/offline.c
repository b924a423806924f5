#include "storage/state/offline.h"

#include "storage/state/pending.h"
#include "storage/state/stanza.h"

static Pb__OfflineTotalRow total(struct apply *a, const char *user)
{
    const Pb__OfflineTotalRow *row =
        row_get(a->state, a->arena, TABLE_OFFLINE_TOTAL, key_user(user));
    Pb__OfflineTotalRow none = PB__OFFLINE_TOTAL_ROW__INIT;

    return row == NULL ? none : *row;
}

static void set_total(struct apply *a, const char *user, const Pb__OfflineTotalRow *row)
{
    if (row->count > 0) {
        row_put(a->state, TABLE_OFFLINE_TOTAL, key_user(user), row);
    } else {
        row_delete(a->state, TABLE_OFFLINE_TOTAL, key_user(user));
    }
}

static bool add(struct apply *a, const char *user, uint64_t shared, uint32_t bytes,
                uint32_t count_max, uint64_t bytes_max)
{
    Pb__OfflineRow row = PB__OFFLINE_ROW__INIT;
    Pb__OfflineTotalRow sum = total(a, user);

    if (sum.count >= count_max || sum.bytes + bytes > bytes_max) {
        return false;
    }
    row.shared = shared;
    row.bytes = bytes;
    row_put(a->state, TABLE_OFFLINE, key_user_u64(user, shared), &row);
    sum.count++;
    sum.bytes += bytes;
    set_total(a, user, &sum);
    return true;
}

bool offline_add_shared(struct apply *a, const char *user, uint64_t shared, uint32_t bytes)
{
    return add(a, user, shared, bytes, STATE_OFFLINE_SETTLED_MAX, STATE_OFFLINE_SETTLED_BYTES_MAX);
}

bool offline_add_new(struct apply *a, const char *user, Pb__Stanza *stanza)
{
    Pb__StanzaRow row = PB__STANZA_ROW__INIT;
    uint64_t position = apply_position(a);

    stanza->position = position;
    stanza->delayed = true; /* XEP-0160 §3: it will carry XEP-0203 */
    if (!add(a, user, position, stanza_bytes(stanza), STATE_OFFLINE_MAX, STATE_OFFLINE_BYTES_MAX)) {
        return false;
    }
    row.stanza = stanza;
    row.store = true;
    row_put(a->state, TABLE_STANZA, key_u64(position), &row);
    return true;
}

void offline_move(struct apply *a, const char *user, uint64_t session)
{
    struct row_list list = rows_all(a->state, a->arena, TABLE_OFFLINE, key_user(user));

    for (size_t i = 0; i < list.count; i++) {
        const Pb__OfflineRow *row = list.items[i].row;

        kv_delete(a->state->kv, TABLE_OFFLINE, list.items[i].key);
        pending_add_shared(a, session, apply_position(a), row->shared, row->bytes);
    }
    if (list.count > 0) {
        row_delete(a->state, TABLE_OFFLINE_TOTAL, key_user(user));
    }
}

void state_each_offline(struct state *state, const char *user, state_stanza_visit visit, void *ctx)
{
    struct row_list list;
    struct arena arena;
    bool goes_on = true;

    arena_init(&arena);
    list = rows_all(state, &arena, TABLE_OFFLINE, key_user(user));
    for (size_t i = 0; i < list.count && goes_on; i++) {
        const Pb__OfflineRow *row = list.items[i].row;
        struct arena one;
        const Pb__StanzaRow *stanza;

        arena_init(&one);
        stanza = row_get(state, &one, TABLE_STANZA, key_u64(row->shared));
        ASSERT(stanza != NULL); /* an offline list names what is there */
        goes_on = visit(ctx, stanza->stanza);
        arena_deinit(&one);
    }
    arena_deinit(&arena);
}

bool offline_erase_step(struct apply *a, const char *user)
{
    struct row_list list = rows_collect(a->state, a->arena, TABLE_OFFLINE, key_user(user),
                                        slice_make(NULL, 0), OFFLINE_ERASED_MAX);
    Pb__OfflineTotalRow sum = total(a, user);

    for (size_t i = 0; i < list.count; i++) {
        const Pb__OfflineRow *row = list.items[i].row;

        kv_delete(a->state->kv, TABLE_OFFLINE, list.items[i].key);
        pending_forget(a, row->shared);
        sum.count--;
        sum.bytes -= row->bytes;
    }
    if (list.count > 0) {
        set_total(a, user, &sum);
    }
    return list.count < OFFLINE_ERASED_MAX;
}
