/* How sessions end: by their client, an operator, a deadline, an overflow, a removed account, or
 * because another one binds the same address (DESIGN 5, "Detached"). */
#include "storage/state/directed.h"
#include "storage/state/ended.h"
#include "storage/state/node.h"
#include "storage/state/presence.h"
#include "storage/state/session.h"
#include "storage/state/settle.h"

static void remove_row(struct apply *a, uint64_t session, Pb__SessionRow *row)
{
    session_unindex(a, session, row);
    row_delete(a->state, TABLE_SESSION, key_u64(session));
    row_delete(a->state, TABLE_SESSION_OF, key_user_u64(row->user, session));
    if (row->resumable) {
        row_delete(a->state, TABLE_RESUME,
                   key_bytes(slice_make(row->resume_id.data, row->resume_id.len)));
        ended_remember(a, session, row);
    }
    node_release(a, row->owner->incarnation);
}

/* The row goes first, so that nothing that follows finds a session to deliver to. */
static void end(struct apply *a, uint64_t session, Pb__SessionRow *row)
{
    remove_row(a, session, row);
    settle_list(a, session, row->user, 0);
    presence_end_session(a, session, row->user, row->resource);
}

void session_end(struct apply *a, uint64_t session, enum drop_reason reason)
{
    Pb__SessionRow *row = state_session(a->state, a->arena, session);

    if (row != NULL) {
        session_drop(a, session, row, reason);
        end(a, session, row);
    }
}

void session_end_closed(struct apply *a, uint64_t session)
{
    Pb__SessionRow *row = state_session(a->state, a->arena, session);

    if (row != NULL) {
        end(a, session, row);
    }
}

static void end_replaced(struct apply *a, uint64_t session, uint64_t by)
{
    Pb__SessionRow *row = state_session(a->state, a->arena, session);
    uint64_t deadline_ms;

    (void)state_session_life(a->state, row, &deadline_ms);
    if (deadline_ms == 0) {
        deadline_ms = a->now_ms + row->window_ms; /* as if its connection had gone just now */
    }
    session_drop(a, session, row, DROP_CONFLICT);
    remove_row(a, session, row);
    settle_list(a, session, row->user, by);
    if (!presence_leave_standing(a, session, row->user, deadline_ms)) {
        directed_move(a, session, by);
    }
}

void session_replace(struct apply *a, uint64_t session, uint64_t by)
{
    a->replaced = session;
    a->replaced_by = by;
}

void session_doom(struct apply *a, uint64_t session)
{
    struct doomed *doomed = arena_alloc(a->arena, sizeof(*doomed));

    *doomed = (struct doomed){.next = a->doomed, .session = session};
    a->doomed = doomed;
}

void session_end_deferred(struct apply *a)
{
    if (a->replaced != 0) {
        end_replaced(a, a->replaced, a->replaced_by);
    }
    while (a->doomed != NULL) {
        struct doomed *doomed = a->doomed;

        a->doomed = doomed->next; /* ending one may doom another */
        session_end(a, doomed->session, DROP_KILLED);
    }
}
