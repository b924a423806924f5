/* An IQ between two sessions: pending at the other, whose answer comes back the same way. */
#include "storage/state/pending.h"
#include "storage/state/session.h"
#include "storage/state/stanza.h"

int iq_send(struct apply *a, const Pb__SendIq *command)
{
    Pb__SessionRow *row;
    Pb__Stanza *stanza = command->stanza;
    uint64_t target;
    int rc = stanza == NULL ? ERR_INVALID : session_take(a, command->from, &row);

    if (rc != 0) {
        return rc;
    }
    stanza->from = (char *)apply_printf(a, "%s/%s", row->user, row->resource);
    stanza->wall_ms = a->stamp.wall_ms;
    if (!address_is_local(a, stanza->to)) {
        stanza_refuse(a, command->from->session, stanza, STANZA_REMOTE_SERVER_NOT_FOUND);
        return 0;
    }
    target = session_by_address(a, stanza->to);
    if (target == 0) { /* RFC 6121 §8.5.3.2.3 */
        stanza_refuse(a, command->from->session, stanza, STANZA_SERVICE_UNAVAILABLE);
    } else if (!pending_add_own(a, target, stanza)) {
        stanza_refuse(a, command->from->session, stanza, STANZA_RESOURCE_CONSTRAINT);
    }
    return 0;
}
