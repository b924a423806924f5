/* Roster set by the client (RFC 6121 §2.3-2.5): its result or error is a pending answer. */
#include "storage/state/pending.h"
#include "storage/state/roster.h"
#include "storage/state/session.h"
#include "storage/state/stanza.h"
#include "storage/state/subscription.h"

static int update_item(struct apply *a, const char *user, const Pb__RosterSet *command)
{
    Pb__RosterItem *item = roster_find_or_add(a, user, command->contact);

    if (item == NULL) {
        return ERR_LIMIT;
    }
    item->name = command->name;
    item->n_groups = command->n_groups;
    item->groups = command->groups;
    item->listed = true;
    return roster_put_grown(a, user, item, true);
}

/* RFC 6121 §2.5.2: the contact's side is told by the cancellations that apply. */
static int remove_item(struct apply *a, const char *user, const Pb__RosterSet *command)
{
    const Pb__RosterItem *item = roster_find(a, user, command->contact);

    if (item == NULL || !item->listed) {
        return ERR_NOT_FOUND;
    }
    roster_remove(a, user, item);
    subscription_cancel(a, user, item);
    return 0;
}

int roster_set(struct apply *a, const Pb__RosterSet *command)
{
    Pb__Stanza reply = PB__STANZA__INIT;
    Pb__SessionRow *row;
    int rc = session_take(a, command->from, &row);

    if (rc != 0) {
        return rc;
    }
    reply.kind = PB__STANZA__KIND__IQ;
    reply.id = command->iq_id;
    reply.lang = command->iq_lang;
    reply.from = address_full(a, row->user, row->resource);
    reply.to = row->user;
    reply.wall_ms = a->stamp.wall_ms;
    if (strcmp(command->contact, row->user) == 0 || command->contact[0] == '\0') {
        rc = ERR_NOT_ALLOWED; /* RFC 6121 §2.3.3: nobody is a contact of its own */
    } else if (command->remove) {
        rc = remove_item(a, row->user, command);
    } else {
        rc = update_item(a, row->user, command);
    }

    reply.type = (char *)"set";
    if (rc == 0) {
        reply.type = (char *)"result";
        reply.to = reply.from;
        reply.from = row->user;
        pending_add_self(a, command->from->session, &reply);
    } else {
        stanza_refuse(a, command->from->session, &reply,
                      rc == ERR_NOT_FOUND ? STANZA_ITEM_NOT_FOUND
                      : rc == ERR_LIMIT   ? STANZA_RESOURCE_CONSTRAINT
                                          : STANZA_NOT_ALLOWED);
    }
    return 0;
}
