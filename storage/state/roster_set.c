/* Roster set by the client (RFC 6121 §2.3-2.5): its result or error is a pending answer. */
#include "storage/state/reply.h"
#include "storage/state/roster.h"
#include "storage/state/session.h"
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

static int set(struct apply *a, const char *user, const Pb__RosterSet *command)
{
    if (strcmp(command->contact, user) == 0 || command->contact[0] == '\0') {
        return ERR_NOT_ALLOWED; /* RFC 6121 §2.3.3: nobody is a contact of its own */
    }
    return command->remove ? remove_item(a, user, command) : update_item(a, user, command);
}

int roster_set(struct apply *a, const Pb__RosterSet *command)
{
    struct reply reply = {.from = command->from, .id = command->iq_id, .lang = command->iq_lang};
    Pb__SessionRow *row;
    int rc = session_take(a, command->from, &row);

    if (rc != 0) {
        return rc;
    }
    reply.session = row;
    rc = set(a, row->user, command);
    if (rc == 0) {
        reply_done(a, &reply);
    } else {
        reply_refused(a, &reply,
                      rc == ERR_NOT_FOUND ? STANZA_ITEM_NOT_FOUND
                      : rc == ERR_LIMIT   ? STANZA_RESOURCE_CONSTRAINT
                                          : STANZA_NOT_ALLOWED);
    }
    return 0;
}
