/* delivery - bytes for one connection of this node, from the state thread to its worker. */
#ifndef XMPP_IM_DELIVERY_H
#define XMPP_IM_DELIVERY_H

#include "node/base/blob.h"
#include "storage/state/effect.h"

#include <stdbool.h>

enum delivery_kind {
    DELIVERY_PENDING,   /* a stanza of the session's list at position: number it, record, write */
    DELIVERY_VOLATILE,  /* availability presence: number it, write in order; position for acks */
    DELIVERY_RECORDED,  /* numbers up to number are recorded: what waited may be written */
    DELIVERY_CONFIRMED, /* the resume is confirmed: all that is pending is to be pulled, and
                           presence since position */
    DELIVERY_INITIAL,   /* the session became available: all presence is to be pulled */
    DELIVERY_SKIPPED,   /* stanzas were left out because the worker is behind: they are to be pulled
                         */
    DELIVERY_PULLED,    /* the end of what pull asked for */
    DELIVERY_DROPPED    /* this connection lost its session: drop says how to close */
};

/* What a connection asks for when there is more for it than may wait in memory: the next part of
 * the session's list from a position on and of the presence that changed since a position, in one
 * order. */
struct delivery_pull {
    struct owner owner; /* the connection */
    uint64_t session;
    uint32_t epoch;
    uint32_t number; /* not 0; comes back with each stanza of the part, and with its end */
    uint64_t pending_from;
    uint64_t presence_since;
    size_t bytes_max; /* the stanza that reaches it is the last of the part */
};

struct delivery {
    enum delivery_kind kind;
    struct owner owner; /* the connection; stale ones are ignored by the worker */
    uint64_t session;
    uint32_t epoch;
    uint64_t position;
    uint32_t number;
    uint32_t pull;    /* PENDING, VOLATILE, PULLED: the pull that this answers; 0: came by itself */
    bool is_complete; /* PULLED: the connection has it all, what is new comes by itself again */
    enum drop_reason drop;
    struct blob *xml; /* PENDING and VOLATILE: one whole stanza; the receiver unrefs */
};

#endif
