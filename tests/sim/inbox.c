/* What a client makes of what comes, and what of it must never be. */
#include "tests/sim/client_life.h"
#include "tests/sim/faults.h"
#include "tests/sim/room.h"
#include "tests/sim/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_error(const struct xml_element *element)
{
    const char *type = xml_attr(element, "type");

    return type != NULL && strcmp(type, "error") == 0;
}

/* For want of room, when a disk is full: the log takes nothing new then, and says so. */
static bool is_no_room(const struct xml_element *element)
{
    const struct xml_element *error = xml_child(element, XML_NS_CLIENT, "error");

    return error != NULL && xml_child(error, NULL, "resource-constraint") != NULL &&
           faults_refused() > 0;
}

/* ---- messages */

static void on_message_back(struct client *client, const struct xml_element *message)
{
    const char *id = xml_attr(message, "id");
    unsigned to;
    unsigned number;

    if (id == NULL || sscanf(id, "%u-%u", &to, &number) != 2 || !is_no_room(message)) {
        watch_fail("client %u has a message back", client->index);
        return;
    }
    client->refused++;
    for (size_t i = 0; i < client->sent_count; i++) {
        struct client_message *sent = &client->sent[i];

        sent->is_refused = sent->is_refused || (sent->to == to && sent->number == number);
    }
}

/* The message in a copy of one that was sent; NULL: it is none. */
static const struct xml_element *sent_elsewhere(const struct xml_element *message)
{
    const struct xml_element *sent = xml_child(message, NS_COPIES, "sent");
    const struct xml_element *forwarded =
        sent == NULL ? NULL : xml_child(sent, "urn:xmpp:forward:0", "forwarded");

    return forwarded == NULL ? NULL : xml_child(forwarded, XML_NS_CLIENT, "message");
}

static void on_copy(struct client *client, const struct xml_element *message)
{
    struct client_copy copy = {.session = client->sessions};
    const char *body = xml_child_text(message, NULL, "body");
    const char *to = xml_attr(message, "to");

    if (body == NULL || to == NULL || sscanf(to, "user%u@", &copy.to) != 1 ||
        sscanf(body, "%u-%u-%u", &copy.from, &copy.from_session, &copy.number) != 3 ||
        copy.from >= client->other_count || client->others[copy.from].user != client->user ||
        (copy.from == client->index && copy.from_session == client->sessions)) {
        watch_fail("client %u has a copy that is none", client->index);
        return;
    }
    if (client->copy_count == MESSAGES_MAX) {
        (void)fprintf(stderr, "sim: too many copies\n");
        abort();
    }
    client->copies[client->copy_count++] = copy;
}

static void on_message(struct life *life, const struct xml_element *message)
{
    struct client *client = life->client;
    const char *body = xml_child_text(message, NULL, "body");
    unsigned from;
    unsigned from_session;
    unsigned number;

    if (is_error(message)) {
        on_message_back(client, message);
        return;
    }
    if (sent_elsewhere(message) != NULL) {
        on_copy(client, sent_elsewhere(message));
        return;
    }
    if (body == NULL || sscanf(body, "%u-%u-%u", &from, &from_session, &number) != 3 ||
        from >= client->other_count) {
        return;
    }
    if (client->received_count == MESSAGES_MAX) {
        (void)fprintf(stderr, "sim: too many messages\n");
        abort();
    }
    client->received[client->received_count++] =
        (struct client_receipt){.from = from,
                                .number = number,
                                .from_session = from_session,
                                .session = client->sessions,
                                .is_mixed = client_is_mixed(client)};
}

/* ---- presence */

static struct client_view *view_of(struct client *client, const char *jid)
{
    size_t i = 0;

    while (i < client->view_count && strcmp(client->views[i].jid, jid) != 0) {
        i++;
    }
    if (i == sizeof(client->views) / sizeof(client->views[0])) {
        (void)fprintf(stderr, "sim: too many addresses\n");
        abort();
    }
    if (i == client->view_count) {
        client->view_count++;
        client->views[i] = (struct client_view){0};
        (void)snprintf(client->views[i].jid, sizeof(client->views[i].jid), "%s", jid);
    }
    return &client->views[i];
}

static const struct client_shown *owner_of(const struct client *client, const char *jid)
{
    for (uint32_t i = 0; i < client->other_count; i++) {
        const struct client *other = &client->others[i];

        for (size_t k = 0; k < other->shown_count; k++) {
            if (strcmp(other->shown[k].jid, jid) == 0) {
                return &other->shown[k];
            }
        }
    }
    return NULL;
}

/* P4: nobody goes before the window is over, or twice. On a new connection it is told again what
 * may not have arrived on the last one. */
static void on_gone(struct client *client, const char *jid)
{
    const struct client_shown *shown = owner_of(client, jid);
    struct client_view *view = view_of(client, jid);

    if (shown != NULL && !shown->may_go && machine_now_us() < shown->alive_us + shown->window_us) {
        watch_fail("client %u saw %s go, which was there", client->index, jid);
    }
    if (!view->is_there && view->left_at == client->connections) {
        watch_fail("client %u saw %s go twice", client->index, jid);
    }
    view->is_there = false;
    view->left_at = client->connections;
}

static void on_there(struct client *client, const char *jid, const char *status)
{
    struct client_view *view = view_of(client, jid);

    view->is_there = true;
    (void)snprintf(view->status, sizeof(view->status), "%s", status == NULL ? "" : status);
}

static void on_presence(struct life *life, const struct xml_element *presence)
{
    const char *from = xml_attr(presence, "from");
    const char *type = xml_attr(presence, "type");
    unsigned user;

    if (from == NULL || sscanf(from, "user%u@", &user) != 1 || strcmp(from, life->jid) == 0) {
        return;
    }
    if (type == NULL) {
        on_there(life->client, from, xml_child_text(presence, NULL, "status"));
    } else if (strcmp(type, "unavailable") == 0 && strchr(from, '/') != NULL) {
        on_gone(life->client, from);
    } else if (strcmp(type, "subscribe") == 0) {
        char name[16];

        life_name(user, name);
        chat_send(life, life_print("<presence to='%s@" SIM_DOMAIN "' type='subscribed'/>", name),
                  SIZE_MAX);
    }
}

/* ---- answers */

static void on_set_answered(struct client *client, unsigned which, uint32_t change,
                            const struct xml_element *iq)
{
    struct client_item *item = &client->items[which];

    if (is_error(iq) && is_no_room(iq)) {
        item->unknown = change > item->unknown ? change : item->unknown;
        client->refused++;
        return;
    }
    if (is_error(iq) && !client_item_is_gone(change)) {
        watch_fail("client %u may not change its roster", client->index);
    }
    item->acked = change > item->acked ? change : item->acked;
}

/* Of what may be true when it was asked and when the answer came: one change of that. */
static bool is_possible(uint32_t least, uint32_t most, const char *name)
{
    if (name != NULL) {
        uint32_t change = (uint32_t)strtoul(name, NULL, 10);

        return change >= least && change <= most && !client_item_is_gone(change);
    }
    for (uint32_t change = least; change <= most; change++) {
        if (change == 0 || client_item_is_gone(change)) {
            return true;
        }
    }
    return false;
}

static void on_roster(struct life *life, const struct xml_element *query)
{
    struct client *client = life->client;

    for (unsigned i = 0; i < ITEMS_MAX; i++) {
        const struct xml_element *item = xml_child(query, NS_ROSTER, "item");
        char jid[JID_BYTES];
        const char *name;

        (void)snprintf(jid, sizeof(jid), "device%u-item%u@" SIM_DOMAIN, client->index, i);
        while (item != NULL && strcmp(xml_attr(item, "jid"), jid) != 0) {
            item = xml_sibling(item, NS_ROSTER, "item");
        }
        name = item == NULL ? NULL : xml_attr(item, "name");
        if (!is_possible(life->get_least[i], client->items[i].sent, name)) {
            watch_fail("client %u reads %s of item %u, after change %u to %u", client->index,
                       name == NULL ? "nothing" : name, i, life->get_least[i],
                       client->items[i].sent);
        }
    }
    life->get_is_open = false;
    client->has_roster = life->get_is_last;
}

static void on_iq(struct life *life, const struct xml_element *iq)
{
    const char *id = xml_attr(iq, "id");
    const char *type = xml_attr(iq, "type");
    const struct xml_element *query = xml_child(iq, NS_ROSTER, "query");
    unsigned which;
    unsigned number;

    if (id == NULL || type == NULL) {
        return;
    }
    if (strcmp(type, "set") == 0) { /* a push */
        chat_send(life, life_print("<iq type='result' id='%s'/>", id), SIZE_MAX);
    } else if (sscanf(id, "set-%u-%u", &which, &number) == 2 && which < ITEMS_MAX) {
        on_set_answered(life->client, which, number, iq);
    } else if (sscanf(id, "get-%u", &number) == 1 && number == life->gets && life->get_is_open &&
               query != NULL) {
        on_roster(life, query);
    }
}

void inbox_take(struct life *life, const struct xml_element *element)
{
    if (xml_is(element, NS_SM, "r")) {
        wire_send(life->wire, "<a xmlns='" NS_SM "' h='%u'/>", life->in);
    } else if (xml_is(element, NS_SM, "a")) {
        chat_acked(life, (uint32_t)strtoul(xml_attr(element, "h"), NULL, 10), life->asked_us);
    } else if (xml_is(element, XML_NS_CLIENT, NULL)) {
        life->in++;
        if (xml_is(element, XML_NS_CLIENT, "message")) {
            on_message(life, element);
        } else if (xml_is(element, XML_NS_CLIENT, "presence")) {
            on_presence(life, element);
        } else if (xml_is(element, XML_NS_CLIENT, "iq")) {
            on_iq(life, element);
        }
    }
}
