#include "tests/sim/client.h"

#include "node/base/buf.h"
#include "node/base/crypto.h"
#include "tests/sim/net.h"
#include "tests/sim/room.h"
#include "tests/sim/wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_TLS  "urn:ietf:params:xml:ns:xmpp-tls"
#define NS_SASL "urn:ietf:params:xml:ns:xmpp-sasl"
#define NS_SM   "urn:xmpp:sm:3"

#define STEP_US       (3 * UINT64_C(1000000)) /* patience with each answer of a login */
#define SILENCE_US    (2 * UINT64_C(1000000)) /* of the server, with an <r/> open: it is gone */
#define RETRY_US      200000
#define THINK_US_MAX  400000
#define BREAK_PER_MIL 15 /* of its steps: the connection breaks */

/* What was sent and is not acknowledged, oldest first: a stanza, or NULL for one without a number
 * in sent. */
struct unacked {
    struct unacked *next;
    char *text;
    size_t message; /* index in sent, SIZE_MAX: none */
};

struct life {
    struct client *client;
    struct client *others;
    uint32_t other_count;
    struct wire *wire;
    struct wire_ticket ticket;
    uint32_t node; /* where it is, or was last */
    char resume_id[256];
    uint32_t in;  /* stanzas handled (XEP-0198 §4) */
    uint32_t out; /* stanzas acknowledged by the server */
    struct unacked *first;
    struct unacked **last;
    uint64_t asked_us; /* an <r/> is open since; 0: none */
    bool has_subscribed;
};

static void name_of(uint32_t index, char out[16])
{
    (void)snprintf(out, 16, "user%u", index);
}

/* ---- stanzas that count */

static void send_counted(struct life *life, char *text, size_t message)
{
    struct unacked *entry = calloc(1, sizeof(*entry));

    entry->text = text;
    entry->message = message;
    *life->last = entry;
    life->last = &entry->next;
    wire_send(life->wire, "%s", text);
}

static void on_acked(struct life *life, uint32_t count)
{
    while (life->first != NULL && life->out != count) {
        struct unacked *entry = life->first;

        life->first = entry->next;
        if (life->first == NULL) {
            life->last = &life->first;
        }
        if (entry->message != SIZE_MAX) {
            life->client->sent[entry->message].is_acked = true;
        }
        life->out++;
        free(entry->text);
        free(entry);
    }
    life->asked_us = 0;
    life->client->is_settled = life->first == NULL;
}

/* Nobody will ever know what became of it. */
static void forget_session(struct life *life)
{
    while (life->first != NULL) {
        struct unacked *entry = life->first;

        life->first = entry->next;
        if (entry->message != SIZE_MAX) {
            life->client->sent[entry->message].is_unknown = true;
        }
        free(entry->text);
        free(entry);
    }
    life->last = &life->first;
    life->resume_id[0] = '\0';
    life->in = 0;
    life->out = 0;
    life->asked_us = 0;
}

static char *print(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *print(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0) {
        abort();
    }
    va_end(arguments);
    return text;
}

/* ---- login */

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

    name_of(life->client->index, name);
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

enum outcome { OUTCOME_DONE, OUTCOME_LOST, OUTCOME_REFUSED };

static void send_again(struct life *life)
{
    for (struct unacked *entry = life->first; entry != NULL; entry = entry->next) {
        wire_send(life->wire, "%s", entry->text);
    }
}

static enum outcome resume(struct life *life)
{
    struct xml_event *event;
    enum outcome outcome = OUTCOME_LOST;

    wire_send(life->wire, "<resume xmlns='" NS_SM "' h='%u' previd='%s'/>", life->in,
              life->resume_id);
    event = wire_next(life->wire, STEP_US);
    if (event == NULL) {
        return outcome;
    }
    if (xml_is(event->element, NS_SM, "resumed")) {
        on_acked(life, (uint32_t)strtoul(xml_attr(event->element, "h"), NULL, 10));
        send_again(life);
        outcome = OUTCOME_DONE;
    } else if (xml_is(event->element, NS_SM, "failed")) {
        outcome = xml_child(event->element, NULL, "item-not-found") != NULL ? OUTCOME_REFUSED
                                                                            : OUTCOME_LOST;
    }
    xml_event_free(&event);
    return outcome;
}

static bool bind_resource(struct life *life)
{
    struct xml_event *event;
    bool is_enabled;

    wire_send(life->wire, "<iq type='set' id='bind'><bind "
                          "xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    if (!is_next(life, XML_NS_CLIENT, "iq")) {
        return false;
    }
    wire_send(life->wire, "<enable xmlns='" NS_SM "' resume='true'/>");
    event = wire_next(life->wire, STEP_US);
    is_enabled = event != NULL && xml_is(event->element, NS_SM, "enabled") &&
                 xml_attr(event->element, "id") != NULL;
    if (is_enabled) {
        (void)snprintf(life->resume_id, sizeof(life->resume_id), "%s",
                       xml_attr(event->element, "id"));
        life->client->sessions++;
    }
    if (event != NULL) {
        xml_event_free(&event);
    }
    return is_enabled;
}

/* ---- what it does when it is there */

static void subscribe(struct life *life)
{
    char name[16];

    for (uint32_t i = 0; i < life->other_count; i++) {
        if (i != life->client->index) {
            name_of(i, name);
            send_counted(life, print("<presence to='%s@" SIM_DOMAIN "' type='subscribe'/>", name),
                         SIZE_MAX);
        }
    }
    life->has_subscribed = true;
}

static void greet(struct life *life)
{
    send_counted(life, print("<presence/>"), SIZE_MAX);
    if (!life->has_subscribed) {
        subscribe(life);
    }
}

/* True when there is a stream with a session again. */
static bool log_in(struct life *life)
{
    const struct sockaddr_in to = net_address(life->node, NODE_C2S_PORT);
    enum outcome outcome = OUTCOME_LOST;

    life->wire = wire_open(life->client->host, &to, STEP_US);
    if (life->wire == NULL) {
        return false;
    }
    if (begin_stream(life) && secure(life) && authenticate(life)) {
        if (life->resume_id[0] != '\0') {
            outcome = resume(life);
            life->client->resumes += outcome == OUTCOME_DONE;
            if (outcome == OUTCOME_REFUSED) {
                life->client->sessions_lost++;
                forget_session(life);
            }
        } else if (bind_resource(life)) {
            greet(life);
            outcome = OUTCOME_DONE;
        }
    }
    if (outcome != OUTCOME_DONE) {
        wire_close(&life->wire, true);
        return false;
    }
    life->asked_us = 0;
    return true;
}

static void send_message(struct life *life)
{
    struct client *client = life->client;
    uint32_t to = (uint32_t)machine_draw(life->other_count);
    char name[16];

    if (to == client->index || client->sent_count == MESSAGES_MAX) {
        return;
    }
    name_of(to, name);
    client->sent[client->sent_count] =
        (struct client_message){.to = to, .number = ++client->numbers[to]};
    client->is_settled = false;
    send_counted(life,
                 print("<message to='%s@" SIM_DOMAIN "' type='chat' id='%u-%u'><body>%u</body>"
                       "</message>",
                       name, to, client->numbers[to], client->numbers[to]),
                 client->sent_count++);
}

static void ask_for_ack(struct life *life)
{
    if (life->asked_us == 0) {
        life->asked_us = machine_now_us();
        wire_send(life->wire, "<r xmlns='" NS_SM "'/>");
    }
}

static void act(struct life *life)
{
    if (life->client->wish == CLIENT_CHATS) {
        for (uint64_t i = machine_draw(3); i > 0; i--) {
            send_message(life);
        }
        if (machine_chance(100)) {
            send_counted(
                life,
                print("<presence><priority>%u</priority></presence>", (unsigned)machine_draw(10)),
                SIZE_MAX);
        }
    }
    ask_for_ack(life);
}

/* ---- what comes */

static uint32_t index_of(const struct life *life, const char *address)
{
    unsigned index;

    return address != NULL && sscanf(address, "user%u@", &index) == 1 && index < life->other_count
               ? index
               : UINT32_MAX;
}

static void on_message(struct life *life, const struct xml_element *message)
{
    struct client *client = life->client;
    uint32_t from = index_of(life, xml_attr(message, "from"));
    const char *body = xml_child_text(message, NULL, "body");
    const char *type = xml_attr(message, "type");

    if (from == UINT32_MAX || body == NULL || (type != NULL && strcmp(type, "error") == 0)) {
        return;
    }
    if (client->received_count[from] < MESSAGES_MAX) {
        client->received[from][client->received_count[from]++] = (uint32_t)strtoul(body, NULL, 10);
    }
}

static void on_presence(struct life *life, const struct xml_element *presence)
{
    uint32_t from = index_of(life, xml_attr(presence, "from"));
    const char *type = xml_attr(presence, "type");
    char name[16];

    if (from == UINT32_MAX || from == life->client->index) {
        return;
    }
    name_of(from, name);
    if (type == NULL) {
        life->client->available_seen++;
    } else if (strcmp(type, "unavailable") == 0) {
        life->client->unavailable_seen++;
    } else if (strcmp(type, "subscribe") == 0) {
        send_counted(life, print("<presence to='%s@" SIM_DOMAIN "' type='subscribed'/>", name),
                     SIZE_MAX);
    }
}

static void on_element(struct life *life, const struct xml_element *element)
{
    if (xml_is(element, NS_SM, "r")) {
        wire_send(life->wire, "<a xmlns='" NS_SM "' h='%u'/>", life->in);
    } else if (xml_is(element, NS_SM, "a")) {
        on_acked(life, (uint32_t)strtoul(xml_attr(element, "h"), NULL, 10));
    } else if (xml_is(element, XML_NS_CLIENT, NULL)) {
        life->in++;
        if (xml_is(element, XML_NS_CLIENT, "message")) {
            on_message(life, element);
        } else if (xml_is(element, XML_NS_CLIENT, "presence")) {
            on_presence(life, element);
        }
    }
}

/* Until the connection is over, or it breaks it itself. */
static void be_online(struct life *life)
{
    uint64_t act_us = machine_now_us() + machine_draw(THINK_US_MAX);

    while (!wire_is_over(life->wire) && life->client->wish != CLIENT_ENDS) {
        uint64_t now_us = machine_now_us();
        struct xml_event *event;

        if (life->asked_us != 0 && now_us - life->asked_us > SILENCE_US) {
            return;
        }
        if (now_us >= act_us) {
            act(life);
            act_us = now_us + machine_draw(THINK_US_MAX);
            if (life->client->wish == CLIENT_CHATS && machine_chance(BREAK_PER_MIL)) {
                return;
            }
        }
        event = wire_next(life->wire, act_us > now_us ? act_us - now_us : 1);
        if (event != NULL) {
            on_element(life, event->element);
            xml_event_free(&event);
        }
    }
}

static void *live(void *ctx)
{
    struct life *life = ctx;
    struct client *client = life->client;

    while (client->wish != CLIENT_ENDS) {
        if (log_in(life)) {
            client->is_online = true;
            be_online(life);
            client->is_online = false;
            wire_close(&life->wire, machine_chance(700));
        } else {
            machine_sleep_us(RETRY_US);
        }
        if (machine_chance(500)) {
            life->node = 1 + (uint32_t)machine_draw(client->node_count);
        }
    }
    free(life);
    return NULL;
}

void client_start(struct client *client, uint32_t index, struct sim_host *host, uint32_t node_count,
                  struct client *others, uint32_t other_count)
{
    struct life *life = calloc(1, sizeof(*life));

    memset(client, 0, sizeof(*client));
    client->index = index;
    client->host = host;
    client->node_count = node_count;
    life->client = client;
    life->others = others;
    life->other_count = other_count;
    life->node = 1 + (uint32_t)machine_draw(node_count);
    life->last = &life->first;
    machine_name_thread(machine_spawn(host, live, life), "client");
}
