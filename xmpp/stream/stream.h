/* stream - one client stream (RFC 6120, XEP-0198): negotiation, SASL, bind, acks and resume.
 * Sans-I/O: clear bytes and events in, clear bytes and actions out; no socket, no clock. One per
 * connection, used by one worker. The accounting follows DESIGN 5 to the letter. */
#ifndef XMPP_STREAM_STREAM_H
#define XMPP_STREAM_STREAM_H

#include "node/base/buf.h"
#include "storage/state/schema.pb-c.h"
#include "xmpp/im/delivery.h"
#include "xmpp/sasl/sasl.h"

struct stream;

/* So long a client that is bound, but has sent nothing, may still choose to count (XEP-0198). */
#define STREAM_DECIDE_MS 2000

struct stream_config {
    struct owner owner; /* this connection */
    bool direct_tls;    /* TLS is on before the first byte (XEP-0368) */
    bool require_tls;   /* no SASL before TLS */
    uint32_t resume_window_s;
    uint32_t idle_probe_ms;  /* silence after which <r/> or a ping asks */
    uint32_t idle_dead_ms;   /* silence after the probe: detach */
    uint32_t negotiation_ms; /* time to become bound */
    uint32_t stanza_ms;      /* time for a stanza, once begun, to be complete */
    uint32_t confirm_ms;     /* time to answer <r/> after a resume */
    uint32_t stanza_bytes_max;
    uint32_t output_bytes_max;  /* unwritten output; above it nothing is read. At four times as much
                                   unwritten stanzas the rest is left in the state, and pulled */
    bool tls_unique_on_tls13;   /* accept what old clients send (slixmpp) */
    struct slice decoy_secret;  /* see sasl.h; the same on all nodes, borrowed */
    uint32_t scram_iterations;  /* of keys that are made here, and so of users that do not exist */
    const char *default_domain; /* answers headers without to */
    bool (*serves_domain)(void *ctx, const char *domain);
    uint32_t (*written_version)(void *ctx); /* as this node knows it (storage/state/versions.h) */
    const struct blob *(*about)(void *ctx); /* what the server says of itself (xmpp/im/about.h) */
    void *ctx;
};

enum stream_action_kind {
    STREAM_START_TLS,        /* write the output, then start the TLS handshake: stream_on_tls() */
    STREAM_WANT_CREDENTIALS, /* look up user (bare address): stream_on_credentials() */
    STREAM_DERIVE,           /* sasl_derivation_run(), not on a loop: stream_on_derived_take() */
    STREAM_COMMAND, /* submit bytes (encoded Command); its outcome comes by the cookie in it */
    STREAM_REPLACE, /* submit command in place of replaced, unless that one is in the log already */
    STREAM_PULL,    /* ask the state thread for a part of what waits (im_catch_up()) */
    STREAM_CLOSE,   /* write the output, then close (TLS close_notify, TCP); free the stream */
    STREAM_DROP     /* close at once, without writing the rest; free the stream */
};

struct stream_action {
    enum stream_action_kind kind;
    const char *user;                   /* WANT_CREDENTIALS: valid until the next call */
    struct slice command;               /* COMMAND, REPLACE: valid until the next call */
    struct slice replaced;              /* REPLACE: an earlier COMMAND, valid as long */
    struct sasl_derivation *derivation; /* DERIVE: the caller's */
    struct delivery_pull pull;
};

/* What TLS knows; slices are borrowed for the call, empty when not available. */
struct stream_tls {
    struct slice exporter;  /* tls-exporter */
    struct slice end_point; /* tls-server-end-point */
    struct slice unique;    /* tls-unique */
    bool tls13;
};

/* Every stream ends by exactly one CLOSE or DROP, its last action. Keep the stream until then, also
 * after stream_on_disconnect(): while a bind or resume is in the log, its outcome must still come
 * in and be undone. */

/** config is copied; what it points to is borrowed for the life of the stream. */
struct stream *stream_new(const struct stream_config *config, uint64_t now_ms);
/** Free *stream and set it to NULL. */
void stream_free(struct stream **stream);

/** Clear bytes from the client, cut anywhere. */
void stream_feed(struct stream *stream, struct slice bytes, uint64_t now_ms);
/** TLS is on (after STREAM_START_TLS, or at once for direct TLS). */
void stream_on_tls(struct stream *stream, const struct stream_tls *tls);
/** Answer to STREAM_WANT_CREDENTIALS; NULL: no such account. */
void stream_on_credentials(struct stream *stream, const Pb__AccountRow *account);
/** What STREAM_DERIVE asked for; ignored when the stream has ended meanwhile. */
void stream_on_derived_take(struct stream *stream, struct sasl_derivation *derivation);
/** The outcome of a command of this stream. */
void stream_on_outcome(struct stream *stream, uint64_t cookie, const struct outcome *outcome,
                       uint64_t now_ms);
/** Bytes from the state thread; takes delivery->xml. */
void stream_on_delivery(struct stream *stream, const struct delivery *delivery, uint64_t now_ms);
/** TCP or TLS ended: detaches or closes the session by a last command. */
void stream_on_disconnect(struct stream *stream);
/** The node stops or lost its place in the cluster: a <system-shutdown/> is written to streams that
 * cannot resume; resumable ones are dropped without footer (DESIGN 7). */
void stream_shutdown(struct stream *stream);
/** The session is to move to another node: a stream that can be resumed is dropped without footer,
 * any other is sent to address ("host:port"; "": nowhere in particular). */
void stream_leave(struct stream *stream, const char *address);
/** Call about once a second. */
void stream_tick(struct stream *stream, uint64_t now_ms);

/** Next thing to do; false when there is none. Call until false at the end of every turn, and after
 * output was consumed: numbers and acks are packed here, and what waits for room is written. */
bool stream_pop(struct stream *stream, struct stream_action *out);
/** Clear bytes to be sent; consume what was written. */
struct buf *stream_output(struct stream *stream);
/** Read on? False while too much of this stream is outstanding in the log or in the output, or it
 * waits for the log. True while TLS is set up, for the handshake. */
bool stream_wants_read(const struct stream *stream);

/** The caller does not read now, for reasons of its own: silence is not the client's meanwhile. */
void stream_hold(struct stream *stream, bool is_held);
/** At most count stanzas (and other first-level elements) more are acted upon until the next call;
 * what came in beyond waits. Without a call there is no limit. */
void stream_allow(struct stream *stream, uint64_t count);
/** How many were acted upon since the start. */
uint64_t stream_stanza_count(const struct stream *stream);

/** How many logins failed since the start. */
uint32_t stream_auth_failures(const struct stream *stream);

/* For lists and logs. */
const char *stream_address(const struct stream *stream); /* full address, "" before bind */
uint64_t stream_session(const struct stream *stream);

#endif
