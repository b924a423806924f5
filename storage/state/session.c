#include "storage/state/session.h"

#include "node/base/jid.h"
#include "storage/state/command.h"
#include "storage/state/deadline.h"
#include "storage/state/node.h"
#include "storage/state/stanza.h"

#define WINDOW_NONE UINT32_MAX /* in the index: a deadline of its own runs */

int session_take(struct apply *a, const Pb__From *from, Pb__SessionRow **out)
{
    Pb__SessionRow *row = from == NULL ? NULL : state_session(a->state, a->arena, from->session);

    if (row == NULL || row->detached || row->epoch != from->epoch ||
        !session_is_senders(a, row->owner)) {
        return ERR_CONFLICT;
    }
    if (from->counted && row->acks) {
        if (from->count - row->count > 1) {
            return ERR_CONFLICT; /* one before it was refused: <resumed h/> must not cover that */
        }
        row->count = from->count;
        session_put(a, from->session, row);
    }
    *out = row;
    return 0;
}

int session_take_stanza(struct apply *a, const Pb__From *from, Pb__Stanza *stanza,
                        Pb__SessionRow **out)
{
    int rc = stanza == NULL ? ERR_INVALID : session_take(a, from, out);

    if (rc == 0) {
        stanza->from = address_full(a, (*out)->user, (*out)->resource);
        stanza->wall_ms = a->stamp.wall_ms;
    }
    return rc;
}

/* ---- rows and indexes */

static struct key owned_key(uint64_t session, const Pb__SessionRow *row)
{
    uint32_t window_ms = row->deadline_ms != 0 ? WINDOW_NONE : row->window_ms;

    return key_owned(row->owner->incarnation, window_ms, session);
}

static void index_add(struct apply *a, uint64_t session, const Pb__SessionRow *row)
{
    Pb__OwnedRow owned = PB__OWNED_ROW__INIT;
    Pb__DeadlineRow deadline = PB__DEADLINE_ROW__INIT;

    owned.session = session;
    row_put(a->state, TABLE_OWNED, owned_key(session, row), &owned);
    if (row->deadline_ms != 0) {
        deadline_put(a, row->deadline_ms, PB__DEADLINE_KIND__SESSION, session, &deadline);
    }
}

static void index_remove(struct apply *a, uint64_t session, const Pb__SessionRow *row)
{
    row_delete(a->state, TABLE_OWNED, owned_key(session, row));
    if (row->deadline_ms != 0) {
        deadline_delete(a, row->deadline_ms, PB__DEADLINE_KIND__SESSION, session);
    }
}

void session_put(struct apply *a, uint64_t session, const Pb__SessionRow *row)
{
    row_put(a->state, TABLE_SESSION, key_u64(session), row);
}

void session_add(struct apply *a, uint64_t session, const Pb__SessionRow *row)
{
    Pb__SessionOfRow of = PB__SESSION_OF_ROW__INIT;

    of.resource = row->resource;
    row_put(a->state, TABLE_SESSION_OF, key_user_u64(row->user, session), &of);
    index_add(a, session, row);
    session_put(a, session, row);
}

void session_unindex(struct apply *a, uint64_t session, const Pb__SessionRow *row)
{
    index_remove(a, session, row);
}

void session_reindex(struct apply *a, uint64_t session, const Pb__SessionRow *row)
{
    index_add(a, session, row);
    session_put(a, session, row);
}

/* ---- who is it */

uint64_t session_by_resource(struct apply *a, const char *user, const char *resource)
{
    struct row_list list = rows_all(a->state, a->arena, TABLE_SESSION_OF, key_user(user));

    for (size_t i = 0; i < list.count; i++) {
        const Pb__SessionOfRow *row = list.items[i].row;

        if (strcmp(row->resource, resource) == 0) {
            return key_last_u64(list.items[i].key);
        }
    }
    return 0;
}

uint64_t session_by_address(struct apply *a, const char *full)
{
    const char *user = arena_strndup(a->arena, jid_text_bare(slice_str(full)));
    const char *resource = arena_strndup(a->arena, jid_text_resource(slice_str(full)));

    return resource[0] == '\0' ? 0 : session_by_resource(a, user, resource);
}

bool session_is_senders(const struct apply *a, const Pb__Owner *owner)
{
    return owner != NULL && a->origin != 0 && owner->incarnation == a->origin;
}

bool session_is_writable(const Pb__SessionRow *row)
{
    return !row->detached && row->confirmed_epoch == row->epoch;
}

void session_drop(struct apply *a, uint64_t session, const Pb__SessionRow *row,
                  enum drop_reason reason)
{
    struct effect *effect;

    if (row->detached || !state_is_up(a->state, a->arena, row->owner->incarnation)) {
        return;
    }
    effect = effects_push(a->out, EFFECT_DROPPED);
    effect->session = session;
    effect->epoch = row->epoch;
    effect->owner = session_owner(row);
    effect->drop = reason;
}

struct owner session_owner(const Pb__SessionRow *row)
{
    return command_owner(row->owner);
}

/* ---- life */

enum session_life state_session_life(struct state *state, const Pb__SessionRow *row,
                                     uint64_t *deadline_ms_out)
{
    struct arena arena;
    const Pb__IncarnationRow *life;
    enum session_life result = SESSION_LIVE;

    if (row == NULL) {
        *deadline_ms_out = 0;
        return SESSION_GONE;
    }
    *deadline_ms_out = row->deadline_ms;
    if (row->detached) {
        return SESSION_DETACHED;
    }
    arena_init(&arena);
    life = state_incarnation(state, &arena, row->owner->incarnation);
    if (life == NULL || !life->up) {
        result = SESSION_DETACHED;
        if (row->deadline_ms == 0) {
            *deadline_ms_out = (life == NULL ? 0 : life->ended_ms) + row->window_ms;
        }
    }
    arena_deinit(&arena);
    return result;
}
