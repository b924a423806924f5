/* client_life - what the parts of a client share: how it logs in (login.c), what it sends (chat.c),
 * what it makes of what comes (inbox.c), and its course (client.c). Of its one thread. */
#ifndef TESTS_SIM_CLIENT_LIFE_H
#define TESTS_SIM_CLIENT_LIFE_H

#include "tests/sim/client.h"
#include "tests/sim/wire.h"

#define NS_SM     "urn:xmpp:sm:3"
#define NS_ROSTER "jabber:iq:roster"
#define NS_COPIES "urn:xmpp:carbons:2"

/* What was sent and is not acknowledged, oldest first. */
struct unacked {
    struct unacked *next;
    char *text;
    size_t message; /* index in sent, SIZE_MAX: none */
    bool is_initial_presence;
};

struct life {
    struct client *client;
    struct wire *wire;
    struct wire_ticket ticket;
    uint32_t node; /* where it is, or was last */
    char resume_id[256];
    char jid[JID_BYTES]; /* of the session */
    uint32_t in;         /* stanzas handled (XEP-0198 §4) */
    uint32_t out;        /* stanzas acknowledged by the server */
    struct unacked *first;
    struct unacked **last;
    uint64_t asked_us; /* an <r/> is open since; 0: none */
    bool has_subscribed;
    bool is_shown;     /* the first presence of the session was taken */
    unsigned statuses; /* so many presences were set */
    uint32_t gets;     /* roster requests; the last one is open, or not */
    bool get_is_open;
    bool get_is_last; /* it was asked for at rest */
    uint32_t get_least[ITEMS_MAX];
};

void life_name(uint32_t user, char out[16]);
char *life_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- login.c */

/** True when there is a stream with a session again. */
bool login(struct life *life);
/** Nobody will ever know what became of what was not acknowledged. */
void login_forget_session(struct life *life);
/** Say good-bye. The session is over, or will be at its deadline. */
void login_end_session(struct life *life);

/* ---- chat.c */

void chat_send(struct life *life, char *text, size_t message);
/** So many stanzas; since_us: the server was there later than this, 0: nobody knows. */
void chat_acked(struct life *life, uint32_t count, uint64_t since_us);
void chat_again(struct life *life);
/** The first stanzas of a session. */
void chat_greet(struct life *life);
/** Something, or nothing. */
void chat_act(struct life *life);

/* ---- inbox.c */

void inbox_take(struct life *life, const struct xml_element *element);

#endif
