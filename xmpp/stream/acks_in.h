/* acks_in - what the client sent, on its way through the log (DESIGN 5, "Client to server"):
 * commands whose outcome is awaited, in the order of the log, and the inbound XEP-0198 count. An <a
 * h/> never tells more than what this node has applied. Pure. */
#ifndef XMPP_STREAM_ACKS_IN_H
#define XMPP_STREAM_ACKS_IN_H

#include "xmpp/stream/ring.h"

#include <stdbool.h>

enum awaited_kind {
    AWAITED_STANZA,
    AWAITED_NOTES,
    AWAITED_BIND,
    AWAITED_ENABLE,
    AWAITED_RESUME,
    AWAITED_CONFIRM,
    AWAITED_CLOSE
};

struct awaited {
    uint64_t cookie;
    enum awaited_kind kind;
    uint32_t count; /* STANZA: inbound count up to and including it */
    bool answer;    /* an <r/> stood behind it */
};

struct acks_in {
    uint64_t last_cookie;
    struct ring awaited;
    uint32_t read;    /* stanzas read; the next one gets this plus one */
    uint32_t applied; /* what <a h/> may tell */
};

void acks_in_init(struct acks_in *acks);
void acks_in_deinit(struct acks_in *acks);
/** Count from here: 0 at <enable/>, the replicated count at a resume. */
void acks_in_start(struct acks_in *acks, uint32_t count);

/** A command goes to the log; returns the cookie for its Ref. A stanza is counted in. */
uint64_t acks_in_submit(struct acks_in *acks, enum awaited_kind kind);
/** An outcome arrived: 1 and the command it is for, or 0 when the cookie is unknown. The log keeps
 * order, so that an outcome ends the wait for every earlier command too. */
int acks_in_settle(struct acks_in *acks, uint64_t cookie, struct awaited *awaited_out);
/** The client asks <r/>: true when it can be answered now; else the outcome of the last stanza read
 * will say answer. */
bool acks_in_ask(struct acks_in *acks);

#endif
