/* Bind a resource (RFC 6120 §7) and switch XEP-0198 on. */
#include "storage/state/account.h"
#include "storage/state/node.h"
#include "storage/state/session.h"
#include "storage/state/stanza.h"
#include "storage/state/visitor.h"

#define RESOURCE_RANDOM_BYTES  8
#define RESUME_ID_RANDOM_BYTES 16

static void fill_row(struct apply *a, const Pb__Bind *command, Pb__SessionRow *row)
{
    row->user = command->user;
    row->resource = command->resource[0] != '\0'
                        ? command->resource
                        : (char *)apply_random_hex(a, RESOURCE_RANDOM_BYTES);
    row->owner = command->owner;
    row->epoch = 1;
    row->confirmed_epoch = 1;
    row->window_ms = STATE_GRACE_MS;
    row->bound_ms = a->now_ms;
}

/* The one of these sessions that is detached and ends first; 0: all are live. */
static uint64_t first_to_end(struct apply *a, const struct row_list *sessions)
{
    uint64_t first = 0, first_ms = 0;

    for (size_t i = 0; i < sessions->count; i++) {
        uint64_t session = key_last_u64(sessions->items[i].key);
        uint64_t deadline_ms;
        enum session_life life =
            state_session_life(a->state, state_session(a->state, a->arena, session), &deadline_ms);

        if (life == SESSION_DETACHED && (first == 0 || deadline_ms < first_ms)) {
            first = session;
            first_ms = deadline_ms;
        }
    }
    return first;
}

/* Is there place for one more session of user? Those that only wait must not keep their user out
 * for the window: one ends as at its deadline. */
static bool make_place(struct apply *a, const char *user)
{
    struct row_list sessions = rows_all(a->state, a->arena, TABLE_SESSION_OF, key_user(user));
    uint64_t first;

    if (sessions.count < STATE_SESSIONS_MAX) {
        return true;
    }
    first = first_to_end(a, &sessions);
    if (first != 0) {
        session_end(a, first, DROP_EXPIRED);
    }
    return first != 0;
}

int session_bind(struct apply *a, const Pb__Bind *command)
{
    Pb__SessionRow row = PB__SESSION_ROW__INIT;
    uint64_t session, former;
    const char *elsewhere;
    int rc = account_check_login(a, command->user, command->credential_version);

    if (rc != 0) {
        return rc;
    }
    if (!session_is_senders(a, command->owner)) {
        return ERR_INVALID;
    }
    elsewhere = visitor_send_away(a, command->user, command->owner->incarnation);
    if (elsewhere[0] != '\0') {
        a->outcome.kind = OUTCOME_ELSEWHERE;
        a->outcome.location = elsewhere;
        return 0;
    }
    former = session_by_resource(a, command->user, command->resource);
    if (former == 0 && !make_place(a, command->user)) {
        return ERR_LIMIT;
    }

    fill_row(a, command, &row);
    session = a->state->meta.next_session++;
    session_add(a, session, &row);
    if (former != 0) {
        session_replace(a, former, session); /* RFC 6120 §7.7.2.2: the newer one wins */
    }

    a->outcome.kind = OUTCOME_BOUND;
    a->outcome.session = session;
    a->outcome.epoch = row.epoch;
    a->outcome.address =
        arena_strndup(a->out->arena, slice_str(address_full(a, row.user, row.resource)));
    return 0;
}

static void make_resumable(struct apply *a, uint64_t session, Pb__SessionRow *row,
                           uint32_t window_s)
{
    const Pb__IncarnationRow *life = state_incarnation(a->state, a->arena, row->owner->incarnation);
    Pb__ResumeRow resume = PB__RESUME_ROW__INIT;
    const char *id = apply_random_hex(a, RESUME_ID_RANDOM_BYTES);
    struct slice resume_id = slice_str(id);

    row->resumable = true;
    row->resume_id = (ProtobufCBinaryData){.data = (uint8_t *)id, .len = resume_id.len};
    row->window_ms = window_s * 1000;
    resume.session = session;
    row_put(a->state, TABLE_RESUME, key_bytes(resume_id), &resume);

    a->outcome.resume_id = resume_id; /* in the effects' arena: apply_random_hex() */
    a->outcome.window_s = window_s;
    a->outcome.location = node_backup_address(a->state, a->out->arena, life->node);
}

int session_enable(struct apply *a, const Pb__Enable *command)
{
    Pb__SessionRow *row;
    uint32_t window_s =
        command->window_s < STATE_WINDOW_S_MAX ? command->window_s : STATE_WINDOW_S_MAX;
    int rc = session_take(a, command->from, &row);

    if (rc != 0) {
        return rc;
    }
    if (row->acks) {
        return ERR_EXISTS;
    }
    a->outcome.kind = OUTCOME_ENABLED;
    a->outcome.session = command->from->session;
    a->outcome.epoch = row->epoch;

    session_unindex(a, command->from->session, row);
    row->acks = true; /* XEP-0198 §4: counting starts here; session_take() kept none before */
    if (command->resume && window_s > 0) {
        make_resumable(a, command->from->session, row, window_s);
    }
    session_reindex(a, command->from->session, row);
    return 0;
}
