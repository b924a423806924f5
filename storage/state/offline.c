#include "storage/state/offline.h"

#include "storage/state/pending.h"

#define ERASE_STEP 100 /* rows a command */

static uint32_t total(struct apply *a, const char *user)
{
    const Pb__OfflineTotalRow *row =
        row_get(a->state, a->arena, TABLE_OFFLINE_TOTAL, key_user(user));

    return row == NULL ? 0 : row->count;
}

static void set_total(struct apply *a, const char *user, uint32_t count)
{
    Pb__OfflineTotalRow row = PB__OFFLINE_TOTAL_ROW__INIT;

    row.count = count;
    if (count > 0) {
        row_put(a->state, TABLE_OFFLINE_TOTAL, key_user(user), &row);
    } else {
        row_delete(a->state, TABLE_OFFLINE_TOTAL, key_user(user));
    }
}

static bool add(struct apply *a, const char *user, uint64_t shared, uint32_t limit)
{
    Pb__OfflineRow row = PB__OFFLINE_ROW__INIT;
    uint32_t count = total(a, user);

    if (count >= limit) {
        return false;
    }
    row.shared = shared;
    row_put(a->state, TABLE_OFFLINE, key_user_u64(user, shared), &row);
    set_total(a, user, count + 1);
    return true;
}

bool offline_add_shared(struct apply *a, const char *user, uint64_t shared)
{
    return add(a, user, shared, STATE_OFFLINE_SETTLED_MAX);
}

bool offline_add_new(struct apply *a, const char *user, Pb__Stanza *stanza)
{
    Pb__StanzaRow row = PB__STANZA_ROW__INIT;
    uint64_t position = apply_position(a);

    if (!add(a, user, position, STATE_OFFLINE_MAX)) {
        return false;
    }
    stanza->position = position;
    stanza->delayed = true; /* XEP-0160 §3: it will carry XEP-0203 */
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
        pending_add_shared(a, session, apply_position(a), row->shared);
    }
    if (list.count > 0) {
        set_total(a, user, 0);
    }
}

bool offline_erase_step(struct apply *a, const char *user)
{
    struct row_list list = rows_collect(a->state, a->arena, TABLE_OFFLINE, key_user(user),
                                        slice_make(NULL, 0), ERASE_STEP);

    for (size_t i = 0; i < list.count; i++) {
        const Pb__OfflineRow *row = list.items[i].row;

        kv_delete(a->state->kv, TABLE_OFFLINE, list.items[i].key);
        pending_forget(a, row->shared);
    }
    if (list.count > 0) {
        set_total(a, user, total(a, user) - (uint32_t)list.count);
    }
    return list.count < ERASE_STEP;
}
