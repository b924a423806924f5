/* town - two nodes over one replica, and two clients that talk over them while connections break
 * and nodes die, in an order drawn from a seed: streams, meaning and state together. */
#ifndef TESTS_UNIT_XMPP_STREAM_TOWN_H
#define TESTS_UNIT_XMPP_STREAM_TOWN_H

#include "tests/unit/storage_state/world.h"
#include "tests/unit/xmpp_stream/chat_client.h"
#include "tests/unit/xmpp_stream/dialogue.h"

#define LINKS_MAX 512
#define NODES     2
#define CLIENTS   2

struct link {
    struct stream *stream; /* NULL: ended */
    int node;
    struct buf late; /* what the client had sent when it gave the connection up */
};

struct town_node {
    uint64_t incarnation;
    struct ring commands; /* struct buf: on their way to the leader */
    struct ring mail;     /* struct mail: from the state thread to the worker */
    struct ring pulls;    /* struct delivery_pull: from the worker to the state thread */
    uint32_t skipped;     /* one more than the slot whose stanzas are left out now; 0: none */
    struct delivery skip; /* what its connection is to be told */
};

struct town {
    struct world world;
    uint64_t seed;
    struct town_node nodes[NODES];
    struct link links[LINKS_MAX];
    uint32_t link_count; /* slots are never used twice */
    struct chat_client clients[CLIENTS];
    uint32_t link_of[CLIENTS]; /* the client's present connection */
    uint32_t kills;
    bool has_faults;
    bool is_away[CLIENTS];  /* does not come back by itself */
    uint32_t ends[CLIENTS]; /* of its presence, at a deadline */
};

/** Both clients are connected. */
void town_open(struct town *town, uint64_t seed);
void town_close(struct town *town);
/** Both subscribe to each other, then show themselves. */
void town_befriend(struct town *town);

/** A number below this one. */
uint32_t town_draw(struct town *town, uint32_t below);
/** One step of somebody. */
void town_work(struct town *town);
/** So many that nothing is left to do. */
void town_settle(struct town *town);
/** Somebody says something. */
void town_talk(struct town *town);
void town_tick(struct town *town, uint64_t ms);
/** What a leader does each tick. */
void town_expire(struct town *town);

/** A node is killed, or a connection given up. */
void town_fail_something(struct town *town);
/** A stale <resume/>: it is on its way when the client loses patience. */
void town_lose_patience(struct town *town, int client);
/** Both connections break, and time goes by; who comes back then comes too late or not. */
void town_pass_time(struct town *town, uint64_t ms);
/** A client ends without a word, and is started anew. */
void town_restart(struct town *town, int client);

#endif
