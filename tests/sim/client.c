#include "tests/sim/client.h"

#include "tests/sim/client_life.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SILENCE_US      (2 * UINT64_C(1000000)) /* of the server, with an <r/> open: it is gone */
#define RETRY_US        200000
#define THINK_US_MAX    400000
#define AWAY_US_MAX     (8 * UINT64_C(1000000)) /* between two sessions */
#define BREAK_PER_MIL   15                      /* of its steps: the connection breaks */
#define LEAVE_PER_MIL   400 /* of these: it does not come back for the session */
#define LOSE_PER_MIL    30  /* of logins that fail: likewise */
#define GONE_ONE_IN     4   /* changes of an item: it is removed */
#define GOES_ON_PER_MIL 500 /* of logins: at another node */

enum leave { LEAVE_BREAKS, LEAVE_LOGS_OUT, LEAVE_GIVES_UP };

void life_name(uint32_t user, char out[16])
{
    (void)snprintf(out, 16, "user%u", user);
}

char *life_print(const char *format, ...)
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

bool client_item_is_gone(uint32_t change)
{
    return change % GONE_ONE_IN == GONE_ONE_IN - 1;
}

bool client_is_mixed(const struct client *client)
{
    for (uint32_t i = 0; i < client->other_count; i++) {
        const struct client *other = &client->others[i];

        if (other->user == client->user &&
            (other->sessions_left > 0 || (other->leaves && other != client))) {
            return true;
        }
    }
    return false;
}

/* ---- on line */

static enum leave draw_leave(const struct client *client)
{
    if (!client->leaves || !machine_chance(LEAVE_PER_MIL)) {
        return LEAVE_BREAKS;
    }
    return machine_chance(500) ? LEAVE_LOGS_OUT : LEAVE_GIVES_UP;
}

/* Until the connection is over, or it leaves. */
static enum leave be_online(struct life *life)
{
    struct client *client = life->client;
    uint64_t act_us = machine_now_us() + machine_draw(THINK_US_MAX);

    while (!wire_is_over(life->wire) && client->wish != CLIENT_ENDS) {
        uint64_t now_us = machine_now_us();
        struct xml_event *event;

        if (life->asked_us != 0 && now_us - life->asked_us > SILENCE_US) {
            return LEAVE_BREAKS;
        }
        if (now_us >= act_us) {
            chat_act(life);
            act_us = now_us + machine_draw(THINK_US_MAX);
            if (client->wish == CLIENT_CHATS && machine_chance(BREAK_PER_MIL)) {
                return draw_leave(client);
            }
        }
        event = wire_next(life->wire, act_us > now_us ? act_us - now_us : 1);
        if (event != NULL) {
            inbox_take(life, event->element);
            xml_event_free(&event);
        }
    }
    return LEAVE_BREAKS;
}

/* Some time without a session, while others have theirs. */
static void stay_away(const struct client *client)
{
    uint64_t until_us = machine_now_us() + machine_draw(AWAY_US_MAX);

    while (machine_now_us() < until_us && client->wish == CLIENT_CHATS) {
        machine_sleep_us(RETRY_US);
    }
}

static void come_and_go(struct life *life)
{
    struct client *client = life->client;
    enum leave leave;

    client->is_online = true;
    leave = be_online(life);
    client->is_online = false;
    if (leave == LEAVE_LOGS_OUT) {
        login_end_session(life);
    } else if (leave == LEAVE_GIVES_UP) {
        login_forget_session(life);
    }
    wire_close(&life->wire, machine_chance(700));
    if (leave != LEAVE_BREAKS) {
        stay_away(client);
    }
}

static void *live(void *ctx)
{
    struct life *life = ctx;
    struct client *client = life->client;

    while (client->wish != CLIENT_ENDS) {
        if (login(life)) {
            come_and_go(life);
        } else {
            machine_sleep_us(RETRY_US);
            if (client->wish == CLIENT_CHATS && client->leaves && life->resume_id[0] != '\0' &&
                machine_chance(LOSE_PER_MIL)) {
                login_forget_session(life);
            }
        }
        if (machine_chance(GOES_ON_PER_MIL)) {
            life->node = 1 + (uint32_t)machine_draw(client->node_count);
        }
    }
    free(life);
    return NULL;
}

void client_start(struct client *client)
{
    struct life *life = calloc(1, sizeof(*life));

    life->client = client;
    life->node = 1 + (uint32_t)machine_draw(client->node_count);
    life->last = &life->first;
    machine_name_thread(machine_spawn(client->host, live, life), "client");
}
