/* How a client gets a stream with a session: TLS, SASL, then a resume or a new bind. */
#include "node/base/buf.h"
#include "node/base/crypto.h"
#include "tests/sim/client_life.h"
#include "tests/sim/net.h"
#include "tests/sim/room.h"
#include "tests/sim/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_TLS  "urn:ietf:params:xml:ns:xmpp-tls"
#define NS_SASL "urn:ietf:params:xml:ns:xmpp-sasl"
#define NS_BIND "urn:ietf:params:xml:ns:xmpp-bind"

#define STEP_US (3 * UINT64_C(1000000)) /* patience with each answer of a login */

enum outcome { OUTCOME_DONE, OUTCOME_LOST, OUTCOME_REFUSED };

static bool is_next(struct life *life, const char *ns, const char *name)
{
    struct xml_event *event = wire_next(life->wire, STEP_US);
    bool is = event != NULL && xml_is(event->element, ns, name);

    if (event != NULL) {
        xml_event_free(&event);
    }
    return is;
}

static bool begin_stream(struct life *life)
{
    struct xml_event *features = wire_begin_stream(life->wire, STEP_US);

    if (features == NULL) {
        return false;
    }
    xml_event_free(&features);
    return true;
}

static bool authenticate(struct life *life)
{
    struct buf plain = BUF_EMPTY;
    struct buf text = BUF_EMPTY;
    char name[16];

    life_name(life->client->user, name);
    buf_append_u8(&plain, 0);
    buf_append_str(&plain, name);
    buf_append_u8(&plain, 0);
    buf_append_str(&plain, "secret");
    base64_encode(buf_slice(&plain), &text);
    wire_send(life->wire, "<auth xmlns='" NS_SASL "' mechanism='PLAIN'>%s</auth>", buf_text(&text));
    buf_deinit(&text);
    buf_deinit(&plain);
    return is_next(life, NS_SASL, "success") && begin_stream(life);
}

static bool secure(struct life *life)
{
    wire_send(life->wire, "<starttls xmlns='" NS_TLS "'/>");
    return is_next(life, NS_TLS, "proceed") && wire_start_tls(life->wire, &life->ticket, STEP_US) &&
           begin_stream(life);
}

/* ---- the end of a session */

void login_forget_session(struct life *life)
{
    struct client *client = life->client;

    while (life->first != NULL) {
        struct unacked *entry = life->first;

        life->first = entry->next;
        if (entry->message != SIZE_MAX) {
            client->sent[entry->message].is_unknown = true;
        }
        free(entry->text);
        free(entry);
    }
    for (size_t i = 0; i < client->sent_count; i++) {
        client->sent[i].is_left = true;
    }
    for (size_t i = 0; i < ITEMS_MAX; i++) {
        client->items[i].unknown = client->items[i].sent;
    }
    client->sessions_left++;
    client->is_settled = true;
    life->last = &life->first;
    life->resume_id[0] = '\0';
    life->in = 0;
    life->out = 0;
    life->asked_us = 0;
    life->get_is_open = false;
    life->is_shown = false;
}

void login_end_session(struct life *life)
{
    uint64_t until_us = machine_now_us() + STEP_US;

    life->client->now_shown->may_go = true;
    wire_send(life->wire, "</stream:stream>");
    while (!wire_is_over(life->wire) && machine_now_us() < until_us) {
        struct xml_event *event = wire_next(life->wire, STEP_US);

        if (event != NULL) {
            inbox_take(life, event->element);
            xml_event_free(&event);
        }
    }
    login_forget_session(life);
}

/* ---- resume, or bind */

/* Only when its window can be over. */
static void judge_refusal(const struct life *life)
{
    const struct client_shown *shown = life->client->now_shown;

    if (machine_now_us() < shown->alive_us + shown->window_us) {
        watch_fail("client %u lost its session", life->client->index);
    }
}

static enum outcome resume(struct life *life)
{
    const uint64_t asked_us = machine_now_us();
    struct xml_event *event;
    enum outcome outcome = OUTCOME_LOST;

    wire_send(life->wire, "<resume xmlns='" NS_SM "' h='%u' previd='%s'/>", life->in,
              life->resume_id);
    event = wire_next(life->wire, STEP_US);
    if (event == NULL) {
        return outcome;
    }
    if (xml_is(event->element, NS_SM, "resumed")) {
        chat_acked(life, (uint32_t)strtoul(xml_attr(event->element, "h"), NULL, 10), asked_us);
        chat_again(life);
        outcome = OUTCOME_DONE;
    } else if (xml_is(event->element, NS_SM, "failed")) {
        outcome = xml_child(event->element, NULL, "item-not-found") != NULL ? OUTCOME_REFUSED
                                                                            : OUTCOME_LOST;
    }
    xml_event_free(&event);
    return outcome;
}

/* A resource that the server makes is a new one each time. */
static struct client_shown *shown_of(struct client *client, const char *jid)
{
    size_t i = 0;

    while (i < client->shown_count && strcmp(client->shown[i].jid, jid) != 0) {
        i++;
    }
    if (i == SHOWN_MAX) {
        (void)fprintf(stderr, "sim: too many sessions\n");
        abort();
    }
    if (i == client->shown_count) {
        client->shown_count++;
        (void)snprintf(client->shown[i].jid, sizeof(client->shown[i].jid), "%s", jid);
    }
    return &client->shown[i];
}

/* The address that was bound; false: none was. */
static bool bind_address(struct life *life)
{
    struct xml_event *event;
    const struct xml_element *bound = NULL;
    const char *jid = NULL;
    char resource[48] = "";

    if (life->client->is_named) {
        (void)snprintf(resource, sizeof(resource), "<resource>device%u</resource>",
                       life->client->index);
    }
    wire_send(life->wire, "<iq type='set' id='bind'><bind xmlns='" NS_BIND "'>%s</bind></iq>",
              resource);
    event = wire_next(life->wire, STEP_US);
    if (event == NULL) {
        return false;
    }
    if (xml_is(event->element, XML_NS_CLIENT, "iq")) {
        bound = xml_child(event->element, NS_BIND, "bind");
        jid = bound == NULL ? NULL : xml_child_text(bound, NS_BIND, "jid");
    }
    if (jid != NULL) {
        (void)snprintf(life->jid, sizeof(life->jid), "%s", jid);
    }
    xml_event_free(&event);
    return jid != NULL;
}

static bool enable_resume(struct life *life)
{
    struct xml_event *event;
    bool is_enabled;
    char most[24] = "";

    if (life->client->window_s > 0) {
        (void)snprintf(most, sizeof(most), " max='%u'", life->client->window_s);
    }
    wire_send(life->wire, "<enable xmlns='" NS_SM "' resume='true'%s/>", most);
    while ((event = wire_next(life->wire, STEP_US)) != NULL &&
           xml_is(event->element, XML_NS_CLIENT, NULL)) {
        inbox_take(life, event->element); /* left by a session that had the same address */
        xml_event_free(&event);
    }
    is_enabled = event != NULL && xml_is(event->element, NS_SM, "enabled") &&
                 xml_attr(event->element, "id") != NULL;
    if (is_enabled) {
        (void)snprintf(life->resume_id, sizeof(life->resume_id), "%s",
                       xml_attr(event->element, "id"));
        life->in = 0;
    }
    if (event != NULL) {
        xml_event_free(&event);
    }
    return is_enabled;
}

static bool begin_session(struct life *life)
{
    struct client *client = life->client;

    if (!bind_address(life)) {
        return false;
    }
    client->now_shown = shown_of(client, life->jid);
    client->sessions++;
    client->view_count = 0;
    if (!enable_resume(life)) {
        client->now_shown->may_go = true; /* there may be a session that nobody can resume */
        client->sessions_left++;
        return false;
    }
    chat_greet(life);
    return true;
}

static enum outcome get_session(struct life *life)
{
    enum outcome outcome;

    if (life->resume_id[0] == '\0') {
        return begin_session(life) ? OUTCOME_DONE : OUTCOME_LOST;
    }
    outcome = resume(life);
    life->client->resumes += outcome == OUTCOME_DONE;
    if (outcome == OUTCOME_REFUSED) {
        judge_refusal(life);
        login_forget_session(life);
    }
    return outcome;
}

bool login(struct life *life)
{
    const struct sockaddr_in to = net_address(life->node, NODE_C2S_PORT);

    life->wire = wire_open(life->client->host, &to, STEP_US);
    if (life->wire == NULL) {
        return false;
    }
    life->client->connections++;
    if (!begin_stream(life) || !secure(life) || !authenticate(life) ||
        get_session(life) != OUTCOME_DONE) {
        wire_close(&life->wire, true);
        return false;
    }
    life->asked_us = 0;
    return true;
}
