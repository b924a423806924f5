/* An IQ between two sessions: pending at the other, whose answer comes back the same way. */
#include "storage/state/pending.h"
#include "storage/state/session.h"
#include "storage/state/stanza.h"

static bool deliver(struct apply *a, uint64_t target, const Pb__Stanza *stanza)
{
    return stanza_is_answer(stanza) ? pending_add_answer(a, target, stanza)
                                    : pending_add_own(a, target, stanza);
}

int iq_send(struct apply *a, const Pb__SendIq *command)
{
    Pb__SessionRow *row;
    Pb__Stanza *stanza = command->stanza;
    uint64_t target;
    int rc = session_take_stanza(a, command->from, stanza, &row);

    if (rc != 0) {
        return rc;
    }
    if (!address_is_local(a, stanza->to)) {
        stanza_refuse(a, command->from->session, stanza, STANZA_REMOTE_SERVER_NOT_FOUND);
        return 0;
    }
    target = session_by_address(a, stanza->to);
    if (target == 0) { /* RFC 6121 §8.5.3.2.3 */
        stanza_refuse(a, command->from->session, stanza, STANZA_SERVICE_UNAVAILABLE);
    } else if (!deliver(a, target, stanza)) {
        stanza_refuse(a, command->from->session, stanza, STANZA_RESOURCE_CONSTRAINT);
    }
    return 0;
}
