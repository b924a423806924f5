/* client - a user's device in the simulation: logs in, chats in numbered messages, changes its
 * presence and its part of the roster, loses connections and resumes them (XEP-0198) at the same
 * node or another, gives sessions up, logs out and in. It keeps what it was promised and what it
 * got, for the judge. */
#ifndef TESTS_SIM_CLIENT_H
#define TESTS_SIM_CLIENT_H

#include "tests/sim/machine.h"

#define CLIENTS_MAX  8
#define MESSAGES_MAX 4096
#define SHOWN_MAX    64
#define ITEMS_MAX    3
#define JID_BYTES    96
#define STATUS_BYTES 24

enum client_wish {
    CLIENT_BEGINS, /* goes on line, and stays */
    CLIENT_CHATS,
    CLIENT_RESTS, /* goes on line, and says nothing new */
    CLIENT_ENDS
};

/* A message to an account. */
struct client_message {
    uint32_t to;     /* index of a user */
    uint32_t number; /* of those to it, from 1 */
    bool is_acked;
    bool is_unknown; /* its session was lost before it was acknowledged */
    bool is_refused; /* there was no room for it, and its sender was told */
    bool is_left;    /* its session ended: nobody was there to be told */
};

struct client_receipt {
    uint32_t from; /* index of a client */
    uint32_t number;
    unsigned from_session;
    unsigned session; /* the one that got it */
    bool is_mixed;    /* an earlier session may have left some to this one */
};

/* Of what another session of its account sent (XEP-0280), which may have been its own. */
struct client_copy {
    uint32_t from; /* index of a client */
    uint32_t to;   /* index of a user */
    uint32_t number;
    unsigned from_session;
    unsigned session; /* the one that got it */
};

/* An address of its own that contacts may have seen, and until when it can not have gone. */
struct client_shown {
    char jid[JID_BYTES];
    uint64_t alive_us; /* the server was heard of it later than this */
    uint64_t window_us;
    bool may_go; /* there was a reason once */
};

/* What it sees of another address. */
struct client_view {
    char jid[JID_BYTES];
    bool is_there;
    char status[STATUS_BYTES];
    unsigned left_at; /* on this connection; 0: it has not */
};

/* A roster item that is its own affair: change number n sets name n, or removes it. */
struct client_item {
    uint32_t sent;
    uint32_t acked;
    uint32_t unknown; /* up to this one the answers are lost */
};

struct client {
    uint32_t index;
    uint32_t user;       /* of several devices, it may be */
    bool is_named;       /* it binds the same resource each time */
    bool leaves;         /* gives sessions up, logs out */
    bool wants_copies;   /* of what other devices of its account send */
    uint32_t window_s;   /* that it asks for; 0: none */
    uint32_t node_count; /* of the cluster: where it may go */
    struct sim_host *host;
    struct client *others;
    uint32_t other_count;

    enum client_wish wish;
    bool is_online;
    bool is_settled; /* nothing sent is unacknowledged */
    bool has_roster; /* a roster was read since it came to rest */

    struct client_message sent[MESSAGES_MAX];
    size_t sent_count;
    uint32_t numbers[CLIENTS_MAX]; /* last one to each user */
    struct client_receipt received[MESSAGES_MAX];
    size_t received_count;
    struct client_copy copies[MESSAGES_MAX];
    size_t copy_count;
    struct client_shown shown[SHOWN_MAX];
    size_t shown_count;
    struct client_shown *now_shown; /* of the session it has */
    struct client_view views[SHOWN_MAX * 2];
    size_t view_count;
    char status[STATUS_BYTES];
    struct client_item items[ITEMS_MAX];

    unsigned refused;
    unsigned connections;
    unsigned resumes;
    unsigned sessions;
    unsigned sessions_left; /* given up, logged out, or ended at their deadline */
};

/** The accounts exist. Its thread runs until it is told to end. What it is was set before: index,
 * user, is_named, leaves, wants_copies, window_s, node_count, host, others, other_count. */
void client_start(struct client *client);
/** May what was for another session of the account come to this one? */
bool client_is_mixed(const struct client *client);
bool client_item_is_gone(uint32_t change);

#endif
