/* im - what stanzas mean (RFC 6121). Two pure faces: stanza -> command, on a worker; effect ->
 * deliveries for this node's own sessions, on the state thread. */
#ifndef XMPP_IM_IM_H
#define XMPP_IM_IM_H

#include "storage/state/state.h"
#include "xmpp/im/delivery.h"
#include "xmpp/xml/xml.h"

/** Who sends: fields of the session as the stream knows them. */
struct im_sender {
    uint64_t session;
    uint32_t epoch;
    uint32_t count;        /* inbound count including this stanza */
    bool counted;          /* XEP-0198 is on */
    const char *address;   /* full */
    uint32_t log_version;  /* no command is made that only a later one knows (versions.h) */
    struct effect_ref ref; /* where the outcome goes; cookie 0: none wanted */
};

/** Turn one stanza of a bound session into the encoded Command of schema.proto, appended to out.
 * Always yields a command: a stanza that cannot be served becomes an Answer with the error that
 * RFC 6120 §8.3 names, an answer that nobody wants becomes a count. ERR_MALFORMED only for what
 * ends the stream: an element that is no stanza (unsupported-stanza-type), or a wrong from
 * (RFC 6120 §8.1.2.1: invalid-from, ERR_CONFLICT). */
NODISCARD int im_command(const struct im_sender *sender, const struct xml_element *stanza,
                         struct arena *arena, struct buf *out);

/** Takes delivery->xml. */
typedef void (*im_sink)(void *ctx, const struct delivery *delivery);

/* How this node looks at the state, and where what it sees goes. */
struct im_view {
    struct state *state;
    uint64_t incarnation;     /* this node's own */
    uint64_t now_wall_ms;     /* only labels answers about the time (XEP-0202) */
    const struct blob *about; /* what the server says of itself (about.h) */
    struct arena *arena;      /* of a pull; an effect needs none */
    im_sink sink;
    void *ctx; /* of sink */
};

/** What this node must write because of one effect. */
void im_expand(const struct im_view *view, const struct effect *effect);
/** The part that pull asks for, and its end; nothing when the connection lost the session. */
void im_catch_up(const struct im_view *view, const struct delivery_pull *pull);

#endif
