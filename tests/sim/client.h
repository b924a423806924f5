/* client - a user of the simulation with one device: logs in, chats in numbered messages, loses
 * connections and resumes them (XEP-0198), at the same node or another. It keeps what it was
 * promised and what it got, for the judge. */
#ifndef TESTS_SIM_CLIENT_H
#define TESTS_SIM_CLIENT_H

#include "tests/sim/machine.h"

#define CLIENTS_MAX  8
#define MESSAGES_MAX 4096

enum client_wish { CLIENT_CHATS, CLIENT_RESTS, CLIENT_ENDS };

/* A message to another client. */
struct client_message {
    uint32_t to;     /* index of a client */
    uint32_t number; /* of those to it, from 1 */
    bool is_acked;
    bool is_unknown; /* its session was lost before it was acknowledged */
};

struct client {
    uint32_t index;
    struct sim_host *host;
    uint32_t node_count; /* of the cluster: where it may go */
    enum client_wish wish;
    bool is_online;
    bool is_settled; /* nothing sent is unacknowledged */

    struct client_message sent[MESSAGES_MAX];
    size_t sent_count;
    uint32_t numbers[CLIENTS_MAX]; /* last one to each */
    uint32_t received[CLIENTS_MAX][MESSAGES_MAX];
    size_t received_count[CLIENTS_MAX];

    unsigned resumes;
    unsigned sessions;
    unsigned sessions_lost; /* the server would not resume */
    unsigned unavailable_seen;
    unsigned available_seen;
};

/** The account exists. Its thread runs until it is told to end. */
void client_start(struct client *client, uint32_t index, struct sim_host *host, uint32_t node_count,
                  struct client *others, uint32_t other_count);

#endif
