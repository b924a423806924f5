/* See chat_client.h. */
#include "tests/unit/xmpp_stream/chat_client.h"

#include "node/base/mem.h"

#include <stdio.h>
#include <stdlib.h>

#define NS_SASL "urn:ietf:params:xml:ns:xmpp-sasl"
#define NS_BIND "urn:ietf:params:xml:ns:xmpp-bind"
#define NS_SM   "urn:xmpp:sm:3"
#define OPEN                                                                                       \
    "<?xml version='1.0'?><stream:stream to='x' version='1.0' xmlns='jabber:client' "              \
    "xmlns:stream='http://etherx.jabber.org/streams'>"

static void forget_acked(struct chat_client *client, uint32_t h)
{
    while (client->acked != h && client->unacked.count > 0) {
        char *stanza = *(char **)ring_at(&client->unacked, 0);

        mem_free(&stanza);
        ring_drop(&client->unacked);
        client->acked++;
    }
    if (client->acked != h) {
        client->failed = true; /* acked more than was sent */
    }
}

void chat_client_init(struct chat_client *client, const char *name, const char *peer)
{
    *client = (struct chat_client){.name = name, .peer = peer, .unacked = RING_OF(char *)};
}

void chat_client_disconnect(struct chat_client *client)
{
    xml_reader_free(&client->reader);
    buf_clear(&client->up);
    client->logged_in = false;
    client->ready = false;
}

void chat_client_deinit(struct chat_client *client)
{
    chat_client_disconnect(client);
    forget_acked(client, client->sent);
    buf_deinit(&client->up);
}

void chat_client_connect(struct chat_client *client)
{
    chat_client_disconnect(client);
    client->reader = xml_reader_new(&(struct xml_limits){0});
    buf_append_str(&client->up, OPEN);
}

void chat_client_restart(struct chat_client *client)
{
    forget_acked(client, client->sent);
    client->resume_id[0] = '\0';
    client->lost_up_to = client->messages_sent;
    client->status_seen = 0;
    client->is_peer_there = false;
    client->restarts++;
}

void chat_client_send(struct chat_client *client, const char *stanza)
{
    *(char **)ring_push(&client->unacked) = mem_strdup(stanza);
    client->sent++;
    buf_append_str(&client->up, stanza);
}

void chat_client_say(struct chat_client *client)
{
    const bool is_bare = client->partner != NULL; /* what waits offline is not overtaken */
    char text[128];

    client->messages_sent++;
    (void)snprintf(text, sizeof(text),
                   "<message to='%s@x%s%s' type='chat'><body>%u</body></message>", client->peer,
                   is_bare ? "" : "/", is_bare ? "" : client->peer, client->messages_sent);
    chat_client_send(client, text);
}

void chat_client_show(struct chat_client *client)
{
    char text[64];

    client->status_sent++;
    (void)snprintf(text, sizeof(text), "<presence><status>%u</status></presence>",
                   client->status_sent);
    chat_client_send(client, text);
}

void chat_client_show_peer(struct chat_client *client)
{
    char text[96];

    client->status_sent++;
    (void)snprintf(text, sizeof(text), "<presence to='%s@x/%s'><status>%u</status></presence>",
                   client->peer, client->peer, client->status_sent);
    chat_client_send(client, text);
}

void chat_client_ask(struct chat_client *client)
{
    buf_append_str(&client->up, "<r xmlns='" NS_SM "'/>");
}

/* ---- the way in */

static void log_in(struct chat_client *client)
{
    struct buf plain = BUF_EMPTY;

    buf_append_u8(&plain, 0);
    buf_append_str(&plain, client->name);
    buf_append_u8(&plain, 0);
    buf_append_str(&plain, "secret");
    buf_append_str(&client->up, "<auth xmlns='" NS_SASL "' mechanism='PLAIN'>");
    base64_encode(buf_slice(&plain), &client->up);
    buf_append_str(&client->up, "</auth>");
    buf_deinit(&plain);
}

static void bind(struct chat_client *client)
{
    client->may_repeat = client->restarts > 0;
    client->got_uncounted = false;
    client->is_shown = false;
    buf_printf(&client->up,
               "<iq type='set' id='bind'><bind xmlns='" NS_BIND "'><resource>%s</resource>"
               "</bind></iq>",
               client->name);
}

static void on_features(struct chat_client *client)
{
    if (!client->logged_in) {
        log_in(client);
    } else if (client->resume_id[0] != '\0') {
        buf_printf(&client->up, "<resume xmlns='" NS_SM "' h='%u' previd='%s'/>", client->received,
                   client->resume_id);
    } else {
        bind(client);
    }
}

static uint32_t number_of(const char *text)
{
    return text == NULL ? 0 : (uint32_t)strtoul(text, NULL, 10);
}

static void on_enabled(struct chat_client *client, const struct xml_element *element)
{
    (void)snprintf(client->resume_id, sizeof(client->resume_id), "%s", xml_attr(element, "id"));
    client->received = 0;
    client->sent = 0;
    client->acked = 0;
    client->ready = true;
    if (client->restarts > 0) {
        chat_client_show(client);
    }
}

/* XEP-0198 §5: what the server did not get is sent again, in order. */
static void on_resumed(struct chat_client *client, const struct xml_element *element)
{
    forget_acked(client, number_of(xml_attr(element, "h")));
    for (size_t i = 0; i < client->unacked.count; i++) {
        buf_append_str(&client->up, *(char **)ring_at(&client->unacked, i));
        client->resends++;
    }
    client->resumes++;
    client->may_repeat = client->may_repeat || client->got_uncounted;
    client->ready = true;
}

static void on_sm(struct chat_client *client, const struct xml_element *element)
{
    if (xml_is(element, NULL, "r")) {
        buf_printf(&client->up, "<a xmlns='" NS_SM "' h='%u'/>", client->received);
    } else if (xml_is(element, NULL, "a")) {
        forget_acked(client, number_of(xml_attr(element, "h")));
    } else if (xml_is(element, NULL, "enabled")) {
        on_enabled(client, element);
    } else if (xml_is(element, NULL, "resumed")) {
        on_resumed(client, element);
    } else if (xml_is(element, NULL, "failed") && client->partner != NULL) {
        chat_client_restart(client);
        bind(client);
    } else {
        client->failed = true;
    }
}

/* ---- stanzas */

static bool is_due(const struct chat_client *client, uint32_t number)
{
    uint32_t next = client->messages_received + 1;
    uint32_t lost = client->partner == NULL ? 0 : client->partner->lost_up_to;

    return number == next || (number > next && number <= lost + 1);
}

static void on_message(struct chat_client *client, const struct xml_element *element)
{
    uint32_t number = number_of(xml_child_text(element, XML_NS_CLIENT, "body"));

    client->got_uncounted = client->got_uncounted || !client->ready;
    if (client->may_repeat && number > 0 && number <= client->messages_received) {
        return;
    }
    client->faults += is_due(client, number) ? 0 : 1;
    client->may_repeat = false;
    client->messages_received = number;
}

static void on_presence(struct chat_client *client, const struct xml_element *element)
{
    const char *from = xml_attr(element, "from");
    const char *type = xml_attr(element, "type");

    if (from == NULL || strncmp(from, client->peer, strlen(client->peer)) != 0) {
        client->is_shown = true; /* one's own */
        return;
    }
    if (type == NULL) {
        uint32_t status = number_of(xml_child_text(element, XML_NS_CLIENT, "status"));

        client->faults += client->is_shown && status < client->status_seen ? 1 : 0;
        client->status_seen = status;
        client->is_peer_there = true;
    } else if (strcmp(type, "unavailable") == 0) {
        client->unavailable += client->is_peer_there ? 1 : 0;
        client->is_peer_there = false;
    }
}

static void on_stanza(struct chat_client *client, const struct xml_element *element)
{
    const char *id = xml_attr(element, "id");

    if (!client->ready && id != NULL && strcmp(id, "bind") == 0) {
        buf_append_str(&client->up, "<enable xmlns='" NS_SM "' resume='true'/>");
        return;
    }
    client->received++;
    if (xml_is(element, NULL, "message")) {
        on_message(client, element);
    } else if (xml_is(element, NULL, "presence")) {
        on_presence(client, element);
    }
}

static void on_element(struct chat_client *client, const struct xml_element *element)
{
    if (xml_is(element, XML_NS_STREAMS, "features")) {
        on_features(client);
    } else if (xml_is(element, NS_SASL, "success")) {
        client->logged_in = true;
        xml_reader_reset(client->reader, false);
        buf_append_str(&client->up, OPEN);
    } else if (xml_is(element, NS_SM, NULL)) {
        on_sm(client, element);
    } else if (xml_is(element, XML_NS_CLIENT, NULL)) {
        on_stanza(client, element);
    } else {
        client->failed = true;
    }
}

void chat_client_feed(struct chat_client *client, struct slice bytes)
{
    struct xml_event *event;
    int rc;

    xml_reader_feed(client->reader, bytes);
    while ((rc = xml_reader_next(client->reader, &event)) == 1) {
        if (event->kind == XML_EVENT_STANZA) {
            on_element(client, event->element);
        } else if (event->kind == XML_EVENT_CLOSE) {
            client->failed = true;
        }
        xml_event_free(&event);
    }
    client->failed = client->failed || rc < 0;
}
