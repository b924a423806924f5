#include "storage/state/copies.h"

#include "storage/state/reply.h"
#include "storage/state/session.h"

static bool has(const struct targets *targets, uint64_t session)
{
    for (size_t i = 0; i < targets->count; i++) {
        if (targets->sessions[i] == session) {
            return true;
        }
    }
    return false;
}

struct targets copies_wanted(struct apply *a, const char *user, uint64_t sender,
                             const struct targets *got)
{
    struct row_list list = rows_all(a->state, a->arena, TABLE_SESSION_OF, key_user(user));
    struct targets targets = {
        .sessions = arena_alloc(a->arena, (list.count + 1) * sizeof(*targets.sessions))};

    for (size_t i = 0; i < list.count; i++) {
        const Pb__SessionOfRow *row = list.items[i].row;
        uint64_t session = key_last_u64(list.items[i].key);

        if (row->copies && session != sender && !has(got, session)) {
            targets.sessions[targets.count++] = session;
        }
    }
    return targets;
}

int copies_set(struct apply *a, const Pb__CopiesSet *command)
{
    struct reply reply = {.from = command->from, .id = command->iq_id, .lang = command->iq_lang};
    Pb__SessionOfRow *of;
    Pb__SessionRow *row;
    struct key key;
    int rc = session_take(a, command->from, &row);

    if (rc != 0) {
        return rc;
    }
    key = key_user_u64(row->user, command->from->session);
    of = row_get(a->state, a->arena, TABLE_SESSION_OF, key);
    ASSERT(of != NULL); /* every session has one */
    if (of->copies != command->enable) {
        of->copies = command->enable;
        row_put(a->state, TABLE_SESSION_OF, key, of);
    }
    reply.session = row;
    reply_done(a, &reply);
    return 0;
}
