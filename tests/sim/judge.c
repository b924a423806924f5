#include "tests/sim/judge.h"

#include "tests/sim/faults.h"
#include "tests/sim/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char fault[256];

/* ---- messages */

/* By one of the devices of the account. */
static bool has_arrived(const struct client *clients, uint32_t count, uint32_t from, uint32_t user,
                        uint32_t number)
{
    for (uint32_t k = 0; k < count; k++) {
        const struct client *to = &clients[k];

        for (size_t i = 0; to->user == user && i < to->received_count; i++) {
            if (to->received[i].from == from && to->received[i].number == number) {
                return true;
            }
        }
    }
    return false;
}

/* A session that got one and gets a later one gets all between them: it was there. */
static void judge_gap(const struct client *clients, uint32_t count, const struct client *to,
                      const struct client_receipt *receipt, const bool *is_here, uint32_t last)
{
    for (uint32_t number = last + 1; number < receipt->number; number++) {
        if (!is_here[number] && has_arrived(clients, count, receipt->from, to->user, number)) {
            watch_fail("client %u got %u of client %u after %u: another device got %u", to->index,
                       receipt->number, receipt->from, last, number);
        }
    }
}

/* In one session: each number once; and those of one session of the sender in order, without a gap,
 * unless an earlier session of this account ended, and left what it had to this one (DESIGN 5,
 * "Detached"). */
static void judge_session(const struct client *clients, uint32_t count, const struct client *to,
                          uint32_t from, unsigned session)
{
    static bool is_here[MESSAGES_MAX + 1];
    uint32_t last = 0;
    unsigned last_session = 0;

    memset(is_here, 0, sizeof(is_here));
    for (size_t i = 0; i < to->received_count; i++) {
        const struct client_receipt *receipt = &to->received[i];

        if (receipt->from != from || receipt->session != session) {
            continue;
        }
        if (is_here[receipt->number] ||
            (receipt->number < last && receipt->from_session == last_session &&
             !receipt->is_mixed)) {
            watch_fail("client %u got %u of client %u after %u", to->index, receipt->number, from,
                       last);
        }
        if (last != 0 && receipt->from_session == last_session && !receipt->is_mixed) {
            judge_gap(clients, count, to, receipt, is_here, last);
        }
        is_here[receipt->number] = true;
        last = receipt->number;
        last_session = receipt->from_session;
    }
}

/* Of those that were refused for want of room, the sender was told: unless its session had ended,
 * which it did not wait for. */
static void judge_message(const struct client *clients, uint32_t count, uint32_t from,
                          const struct client_message *message, unsigned *refusals)
{
    if (!message->is_acked || message->is_refused ||
        has_arrived(clients, count, from, message->to, message->number)) {
        return;
    }
    if (message->is_left && *refusals > 0) {
        (*refusals)--;
        return;
    }
    watch_fail("message %u of client %u to user%u was acknowledged, and is lost", message->number,
               from, message->to);
}

void judge_messages(const struct client *clients, uint32_t count)
{
    unsigned refusals = faults_refused();

    for (uint32_t k = 0; k < count; k++) {
        const struct client *client = &clients[k];

        for (uint32_t from = 0; from < count; from++) {
            for (unsigned session = 1; session <= client->sessions; session++) {
                judge_session(clients, count, client, from, session);
            }
        }
        for (size_t i = 0; i < client->sent_count; i++) {
            judge_message(clients, count, k, &client->sent[i], &refusals);
        }
    }
}

/* ---- copies */

static bool is_alike(const struct client_copy *one, const struct client_copy *other)
{
    return one->from == other->from && one->to == other->to && one->session == other->session &&
           one->from_session == other->from_session;
}

static bool has_copy(const struct client *client, const struct client_copy *like, uint32_t number)
{
    for (size_t i = 0; i < client->copy_count; i++) {
        if (client->copies[i].number == number && is_alike(&client->copies[i], like)) {
            return true;
        }
    }
    return false;
}

/* A session that has a copy has those of what was sent later and arrived, too: all of them when it
 * is there still, else up to the last copy that it got. */
static void judge_rest(const struct client *clients, uint32_t count, const struct client *client,
                       const struct client_copy *copy, uint32_t last)
{
    for (uint32_t k = 0; k < count; k++) {
        const struct client *to = &clients[k];

        for (size_t i = 0; to->user == copy->to && i < to->received_count; i++) {
            const struct client_receipt *receipt = &to->received[i];

            if (receipt->from == copy->from && receipt->from_session == copy->from_session &&
                receipt->number > copy->number &&
                (receipt->number < last || copy->session == client->sessions) &&
                !has_copy(client, copy, receipt->number)) {
                watch_fail("client %u has no copy of %u of client %u to user%u, but of %u",
                           client->index, receipt->number, copy->from, copy->to, copy->number);
            }
        }
    }
}

/* Once, and in order. */
void judge_copies(const struct client *clients, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++) {
        const struct client *client = &clients[k];

        for (size_t i = 0; i < client->copy_count; i++) {
            const struct client_copy *copy = &client->copies[i];
            uint32_t last = copy->number;

            for (size_t n = i + 1; n < client->copy_count; n++) {
                if (is_alike(&client->copies[n], copy)) {
                    if (client->copies[n].number <= last) {
                        watch_fail("client %u has a copy of %u of client %u after %u", k,
                                   client->copies[n].number, copy->from, last);
                    }
                    last = client->copies[n].number;
                }
            }
            judge_rest(clients, count, client, copy, last);
        }
    }
}

/* ---- what they see */

static const struct client *who_is_there(const struct client *clients, uint32_t count,
                                         const char *jid)
{
    for (uint32_t i = 0; i < count; i++) {
        if (clients[i].now_shown != NULL && strcmp(clients[i].now_shown->jid, jid) == 0) {
            return &clients[i];
        }
    }
    return NULL;
}

static const struct client_view *find_view(const struct client *client, const char *jid)
{
    for (size_t i = 0; i < client->view_count; i++) {
        if (strcmp(client->views[i].jid, jid) == 0) {
            return &client->views[i];
        }
    }
    return NULL;
}

static bool sees(const struct client *client, const struct client *other)
{
    const struct client_view *view =
        other->now_shown == NULL ? NULL : find_view(client, other->now_shown->jid);

    if (view != NULL && view->is_there && strcmp(view->status, other->status) == 0) {
        return true;
    }
    (void)snprintf(fault, sizeof(fault), "client %u sees client %u %s%s, which is %s",
                   client->index, other->index,
                   view == NULL || !view->is_there ? "not at all" : "as ",
                   view == NULL || !view->is_there ? "" : view->status, other->status);
    return false;
}

static bool sees_ghosts(const struct client *client)
{
    for (size_t i = 0; i < client->view_count; i++) {
        const struct client_view *view = &client->views[i];

        if (view->is_there &&
            who_is_there(client->others, client->other_count, view->jid) == NULL) {
            (void)snprintf(fault, sizeof(fault), "client %u sees %s, which is gone", client->index,
                           view->jid);
            return true;
        }
    }
    return false;
}

const char *judge_views(const struct client *clients, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < count; k++) {
            if (i != k && !sees(&clients[i], &clients[k])) {
                return fault;
            }
        }
        if (sees_ghosts(&clients[i])) {
            return fault;
        }
    }
    return NULL;
}

const char *judge_answers(const struct client *clients, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct client *client = &clients[i];

        if (!client->is_online || !client->is_settled || !client->has_roster) {
            (void)snprintf(fault, sizeof(fault), "client %u is %s", i,
                           !client->is_online    ? "not on line"
                           : !client->is_settled ? "without acknowledgements"
                                                 : "without its roster");
            return fault;
        }
        for (size_t k = 0; k < ITEMS_MAX; k++) {
            const struct client_item *item = &client->items[k];

            if (item->acked < item->sent && item->unknown < item->sent) {
                (void)snprintf(fault, sizeof(fault), "client %u has no answer to a change", i);
                return fault;
            }
        }
    }
    return NULL;
}
