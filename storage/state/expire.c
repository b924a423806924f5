/* Deadlines that passed, as the leader found them. Each item names what it ends; whatever moved
 * since (a resume, another epoch, a later deadline) makes it void. */
#include "storage/state/account.h"
#include "storage/state/deadline.h"
#include "storage/state/ended.h"
#include "storage/state/presence.h"
#include "storage/state/session.h"

static void expire_session(struct apply *a, const Pb__Expire__Item *item)
{
    const Pb__SessionRow *row = state_session(a->state, a->arena, item->session);
    uint64_t deadline_ms;

    (void)state_session_life(a->state, row, &deadline_ms);
    if (row != NULL && row->epoch == item->epoch && deadline_ms != 0 &&
        deadline_ms == item->deadline_ms) {
        session_end(a, item->session, DROP_EXPIRED);
    }
}

static void expire_indexed(struct apply *a, const Pb__Expire__Item *item)
{
    const Pb__DeadlineRow *row =
        row_get(a->state, a->arena, TABLE_DEADLINE,
                key_deadline(item->deadline_ms, (unsigned)item->kind, item->session));

    if (row == NULL) {
        return;
    }
    switch (item->kind) {
    case PB__DEADLINE_KIND__STANDING_PRESENCE:
        presence_end_standing(a, item->session, row->user);
        break;
    case PB__DEADLINE_KIND__PRESENCE_TOMBSTONE:
        presence_expire_tombstone(a, row->user, row->resource);
        break;
    case PB__DEADLINE_KIND__SESSION_TOMBSTONE:
        ended_expire(a, slice_make(row->resume_id.data, row->resume_id.len));
        break;
    case PB__DEADLINE_KIND__ERASURE:
        if (account_erase_step(a, row->user)) {
            deadline_delete(a, item->deadline_ms, item->kind, item->session);
        }
        break;
    default:
        break;
    }
}

int expire(struct apply *a, const Pb__Expire *command)
{
    if (command->n_items > STATE_EXPIRE_MAX) {
        return ERR_LIMIT;
    }
    for (size_t i = 0; i < command->n_items; i++) {
        const Pb__Expire__Item *item = command->items[i];

        if (item->deadline_ms > a->now_ms) {
            continue; /* never early, whatever a leader thought the time was */
        }
        if (item->kind == PB__DEADLINE_KIND__SESSION) {
            expire_session(a, item);
        } else {
            expire_indexed(a, item);
        }
    }
    return 0;
}
