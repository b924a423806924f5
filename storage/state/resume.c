/* A session moves to another connection: detach, resume, confirm. The rules are those of DESIGN 5,
 * checked there by exhaustive search; each "must" below broke a weaker variant. */
#include "storage/state/account.h"
#include "storage/state/node.h"
#include "storage/state/pending.h"
#include "storage/state/session.h"
#include "storage/state/stanza.h"

static int refuse(struct apply *a, int rc, bool count_known, uint32_t count)
{
    a->outcome.kind = OUTCOME_RESUME_FAILED;
    a->outcome.count_known = count_known;
    a->outcome.count = count;
    return rc;
}

static int refuse_unknown(struct apply *a, const Pb__Resume *command, struct slice resume_id)
{
    const Pb__TombstoneRow *tombstone =
        row_get(a->state, a->arena, TABLE_ENDED, key_bytes(resume_id));

    if (tombstone == NULL || strcmp(tombstone->user, command->user) != 0) {
        return refuse(a, ERR_NOT_FOUND, false, 0);
    }
    return refuse(a, ERR_NOT_FOUND, true, tombstone->count);
}

/* A resume never shortens what was left, and leaves time to confirm. */
static uint64_t extended_deadline(struct apply *a, const Pb__SessionRow *row, uint64_t deadline_ms)
{
    uint64_t at_least_ms = a->now_ms + STATE_RESUME_EXTEND_MS;

    if (deadline_ms == 0) {
        deadline_ms = a->now_ms + row->window_ms; /* the old connection ends here */
    }
    return deadline_ms > at_least_ms ? deadline_ms : at_least_ms;
}

static void take_over(struct apply *a, uint64_t session, Pb__SessionRow *row,
                      const Pb__Resume *command, uint64_t deadline_ms)
{
    uint64_t old_incarnation = row->owner->incarnation;

    session_drop(a, session, row, DROP_RESUMED);
    session_unindex(a, session, row);
    row->owner = command->owner;
    row->epoch++; /* always: two connections never share one */
    row->detached = false;
    row->deadline_ms = extended_deadline(a, row, deadline_ms); /* CONFIRM clears it */
    session_reindex(a, session, row);
    node_release(a, old_incarnation);
}

int session_resume(struct apply *a, const Pb__Resume *command)
{
    struct slice resume_id = slice_make(command->resume_id.data, command->resume_id.len);
    const Pb__ResumeRow *found = row_get(a->state, a->arena, TABLE_RESUME, key_bytes(resume_id));
    Pb__SessionRow *row = found == NULL ? NULL : state_session(a->state, a->arena, found->session);
    uint64_t deadline_ms;
    int rc = account_check_login(a, command->user, command->credential_version);

    if (rc != 0) {
        return refuse(a, rc, false, 0);
    }
    if (!session_is_senders(a, command->owner)) {
        return refuse(a, ERR_INVALID, false, 0);
    }
    if (row == NULL) {
        return refuse_unknown(a, command, resume_id);
    }
    if (strcmp(row->user, command->user) != 0) {
        return refuse(a, ERR_NOT_FOUND, false, 0); /* another user's: not even its count */
    }
    (void)state_session_life(a->state, row, &deadline_ms);
    if (deadline_ms != 0 && a->now_ms > deadline_ms) {
        return refuse(a, ERR_NOT_FOUND, true, row->count);
    }

    take_over(a, found->session, row, command, deadline_ms);
    a->outcome.kind = OUTCOME_RESUMED;
    a->outcome.session = found->session;
    a->outcome.epoch = row->epoch;
    a->outcome.count = row->count;
    a->outcome.count_known = true;
    a->outcome.window_s = row->window_ms / 1000;
    a->outcome.resume_id = arena_copy(a->out->arena, resume_id);
    a->outcome.address =
        arena_strndup(a->out->arena, slice_str(address_full(a, row->user, row->resource)));
    return 0;
}

/* Is (session, epoch) a connection of the sender that still holds the session? */
static Pb__SessionRow *held_session(struct apply *a, uint64_t session, uint32_t epoch)
{
    Pb__SessionRow *row = state_session(a->state, a->arena, session);

    if (row == NULL || row->epoch != epoch || row->detached || !session_is_senders(a, row->owner)) {
        return NULL;
    }
    return row;
}

int session_confirm(struct apply *a, const Pb__Confirm *command)
{
    Pb__SessionRow *row = held_session(a, command->session, command->epoch);
    struct effect *effect;

    if (row == NULL || row->confirmed_epoch == row->epoch) {
        return ERR_CONFLICT;
    }
    pending_confirm(a, command->session, row, command->h);
    session_unindex(a, command->session, row);
    row->confirmed_epoch = row->epoch;
    row->deadline_ms = 0;
    session_reindex(a, command->session, row);

    effect = effects_push(a->out, EFFECT_CONFIRMED);
    effect->session = command->session;
    effect->epoch = row->epoch;
    effect->owner = session_owner(row);
    effect->number = command->h;
    effect->position = a->state->meta.next_position;
    return 0;
}

int session_detach(struct apply *a, const Pb__Detach *command)
{
    Pb__SessionRow *row = held_session(a, command->session, command->epoch);

    if (row == NULL) {
        return ERR_CONFLICT;
    }
    session_unindex(a, command->session, row);
    row->detached = true;
    if (row->deadline_ms == 0) { /* else not confirmed yet: the old deadline goes on running */
        row->deadline_ms = a->now_ms + row->window_ms;
    }
    session_reindex(a, command->session, row);
    return 0;
}
