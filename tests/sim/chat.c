/* What a client sends: stanzas that count (XEP-0198 §4), each sent again until it is acknowledged.
 */
#include "tests/sim/client_life.h"
#include "tests/sim/room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_S_DEFAULT 600 /* the server's: timers.resume_window_s */
#define SECOND_US        UINT64_C(1000000)

static struct unacked *send_counted(struct life *life, char *text)
{
    struct unacked *entry = calloc(1, sizeof(*entry));

    entry->text = text;
    entry->message = SIZE_MAX;
    *life->last = entry;
    life->last = &entry->next;
    life->client->is_settled = false;
    wire_send(life->wire, "%s", text);
    return entry;
}

void chat_send(struct life *life, char *text, size_t message)
{
    send_counted(life, text)->message = message;
}

void chat_again(struct life *life)
{
    for (struct unacked *entry = life->first; entry != NULL; entry = entry->next) {
        wire_send(life->wire, "%s", entry->text);
    }
}

/* From now on contacts may count on it. One of an earlier session may still go, when that one's
 * time can be over. */
static void begin_to_show(struct life *life)
{
    struct client_shown *shown = life->client->now_shown;
    uint32_t window_s = life->client->window_s;

    if (shown->window_us != 0 && machine_now_us() >= shown->alive_us + shown->window_us) {
        shown->may_go = true;
    }
    shown->window_us = (window_s == 0 ? WINDOW_S_DEFAULT : window_s) * SECOND_US;
    life->is_shown = true;
}

void chat_acked(struct life *life, uint32_t count, uint64_t since_us)
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
        if (entry->is_initial_presence) {
            begin_to_show(life);
        }
        life->out++;
        free(entry->text);
        free(entry);
    }
    if (life->is_shown && since_us > life->client->now_shown->alive_us) {
        life->client->now_shown->alive_us = since_us;
    }
    life->asked_us = 0;
    life->client->is_settled = life->first == NULL;
}

/* ---- presence */

static struct unacked *send_presence(struct life *life)
{
    char *status = life->client->status;

    (void)snprintf(status, STATUS_BYTES, "%u-%u", life->client->index, ++life->statuses);
    return send_counted(life, life_print("<presence><priority>%u</priority><status>%s</status>"
                                         "</presence>",
                                         (unsigned)machine_draw(10), status));
}

static void subscribe(struct life *life)
{
    char name[16];

    for (uint32_t i = 0; i < life->client->other_count; i++) {
        uint32_t user = life->client->others[i].user;

        if (user != life->client->user && user == i) {
            life_name(user, name);
            (void)send_counted(
                life, life_print("<presence to='%s@" SIM_DOMAIN "' type='subscribe'/>", name));
        }
    }
    life->has_subscribed = true;
}

void chat_greet(struct life *life)
{
    if (life->client->wants_copies) {
        (void)send_counted(
            life, life_print("<iq type='set' id='copies'><enable xmlns='" NS_COPIES "'/></iq>"));
    }
    send_presence(life)->is_initial_presence = true;
    if (!life->has_subscribed && life->client->user == life->client->index) {
        subscribe(life);
    }
}

/* ---- messages, and what it asks of the server */

static void send_message(struct life *life)
{
    struct client *client = life->client;
    uint32_t to = client->others[machine_draw(client->other_count)].user;
    char name[16];

    if (to == client->user || client->sent_count == MESSAGES_MAX) {
        return;
    }
    life_name(to, name);
    client->sent[client->sent_count] =
        (struct client_message){.to = to, .number = ++client->numbers[to]};
    chat_send(life,
              life_print("<message to='%s@" SIM_DOMAIN "' type='chat' id='%u-%u'><body>%u-%u-%u"
                         "</body></message>",
                         name, to, client->numbers[to], client->index, client->sessions,
                         client->numbers[to]),
              client->sent_count++);
}

static void change_roster(struct life *life)
{
    uint32_t which = (uint32_t)machine_draw(ITEMS_MAX);
    struct client_item *item = &life->client->items[which];
    char what[48];

    item->sent++;
    (void)snprintf(what, sizeof(what),
                   client_item_is_gone(item->sent) ? "subscription='remove'" : "name='%u'",
                   item->sent);
    (void)send_counted(life,
                       life_print("<iq type='set' id='set-%u-%u'><query xmlns='" NS_ROSTER "'>"
                                  "<item jid='device%u-item%u@" SIM_DOMAIN "' %s/></query></iq>",
                                  which, item->sent, life->client->index, which, what));
}

static void get_roster(struct life *life)
{
    life->gets++;
    life->get_is_open = true;
    life->get_is_last = life->client->wish == CLIENT_RESTS;
    for (size_t i = 0; i < ITEMS_MAX; i++) {
        life->get_least[i] = life->client->items[i].acked;
    }
    (void)send_counted(
        life,
        life_print("<iq type='get' id='get-%u'><query xmlns='" NS_ROSTER "'/></iq>", life->gets));
}

static void ask_for_ack(struct life *life)
{
    if (life->asked_us == 0) {
        life->asked_us = machine_now_us();
        wire_send(life->wire, "<r xmlns='" NS_SM "'/>");
    }
}

void chat_act(struct life *life)
{
    const struct client *client = life->client;

    if (client->wish == CLIENT_BEGINS || client->wish == CLIENT_CHATS) {
        for (uint64_t i = machine_draw(3); i > 0; i--) {
            send_message(life);
        }
    }
    if (client->wish == CLIENT_CHATS) {
        if (machine_chance(100)) {
            (void)send_presence(life);
        }
        if (machine_chance(60)) {
            change_roster(life);
        }
        if (machine_chance(20) && !life->get_is_open) {
            get_roster(life);
        }
    } else if (client->wish == CLIENT_RESTS && client->is_settled && !client->has_roster &&
               !(life->get_is_open && life->get_is_last)) {
        get_roster(life);
    }
    ask_for_ack(life);
}
