/* delivery - bytes for one connection of this node, from the state thread to its worker. */
#ifndef XMPP_IM_DELIVERY_H
#define XMPP_IM_DELIVERY_H

#include "node/base/blob.h"
#include "storage/state/effect.h"

enum delivery_kind {
    DELIVERY_PENDING,   /* a stanza of the session's list at position: number it, record, write */
    DELIVERY_VOLATILE,  /* availability presence: number it, write in order; position for acks */
    DELIVERY_RECORDED,  /* numbers up to number are recorded: what waited may be written */
    DELIVERY_CONFIRMED, /* the resume is confirmed; pending stanzas and presence follow */
    DELIVERY_DROPPED    /* this connection lost its session: drop says how to close */
};

struct delivery {
    enum delivery_kind kind;
    struct owner owner; /* the connection; stale ones are ignored by the worker */
    uint64_t session;
    uint32_t epoch;
    uint64_t position;
    uint32_t number;
    enum drop_reason drop;
    struct blob *xml; /* PENDING and VOLATILE: one whole stanza; the receiver unrefs */
};

#endif
