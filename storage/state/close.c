/* The ends of a session by command: its client's, the operator's. */
#include "storage/state/session.h"

int session_close(struct apply *a, const Pb__Close *command)
{
    Pb__SessionRow *row;
    int rc = session_take(a, command->from, &row);

    if (rc != 0) {
        return rc;
    }
    session_end_closed(a, command->from->session);
    return 0;
}

int session_kill(struct apply *a, const Pb__Kill *command)
{
    struct row_list sessions =
        rows_all(a->state, a->arena, TABLE_SESSION_OF, key_user(command->user));
    int rc = ERR_NOT_FOUND;

    for (size_t i = 0; i < sessions.count; i++) {
        const Pb__SessionOfRow *of = sessions.items[i].row;

        if (command->resource[0] == '\0' || strcmp(of->resource, command->resource) == 0) {
            session_end(a, key_last_u64(sessions.items[i].key), DROP_KILLED);
            rc = 0;
        }
    }
    return rc;
}
