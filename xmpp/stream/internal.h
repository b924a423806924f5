/* internal - what the files of xmpp/stream share: the stream itself, its states, and who offers
 * what. Not for others. */
#ifndef XMPP_STREAM_INTERNAL_H
#define XMPP_STREAM_INTERNAL_H

#include "node/base/jid.h"
#include "node/base/mem.h"
#include "storage/state/state.h"
#include "xmpp/im/im.h"
#include "xmpp/sasl/sasl.h"
#include "xmpp/stream/acks_in.h"
#include "xmpp/stream/acks_out.h"
#include "xmpp/stream/cursor.h"
#include "xmpp/stream/stream.h"
#include "xmpp/stream/written.h"
#include "xmpp/xml/ns.h"
#include "xmpp/xml/xml.h"

#define OUTBOUND_PROBE_ID "alive?" /* of our own ping */

#define AUTH_FAILURES_MAX 4    /* RFC 6120 §6.4.5: 2 to 5 retries */
#define BIND_FAILURES_MAX 6    /* RFC 6120 §7.7.3: 5 to 10 retries */
#define AWAITED_MAX       64   /* commands of one stream in the log; then reading stops */
#define CLOSE_WAIT_MS     5000 /* for the outcome of Close before the footer goes out regardless */
#define ACK_NOTE_MS       1000 /* DESIGN 5: acks are packed, one a second a session */
/* Long before the session's list is full, they are told at once: a client that keeps up takes any
 * rate. */
#define ACK_NOTE_COUNT     (STATE_PENDING_MAX / 8)
#define ACK_NOTE_BYTES     (STATE_PENDING_BYTES_MAX / 8)
#define WRITTEN_NOTE_BYTES (64 * 1024) /* without acks: some hundred of the smallest stanzas */
#define ASK_MS             1000        /* between two <r/>, unless so much went out since */
#define ASK_COUNT          50
#define ASK_BYTES          (STATE_PENDING_BYTES_MAX / 16)
#define BACKLOG_FACTOR     4            /* unwritten stanzas, in units of output_bytes_max */
#define PART_BYTES_MAX     (256 * 1024) /* pulled at once: a few ms of the state thread */
#define UNACKED_MAX        4096         /* entries; a client that takes and never acks is cut */
#define STRANGER_BYTES_MAX                                                                         \
    16384                 /* stanza of one who is not logged in; RFC 6120 §13.12: >= 10000        \
                           */
#define LANG_BYTES_MAX 35 /* RFC 5646 §4.4.1 */

/*  OPENING --header--> NEGOTIATING --starttls--> SECURING --TLS is on--> OPENING
 *                        ^  |  `--auth--> CHALLENGED <--> CHECKING (the account is looked up)
 *                        |  |               |  |            |  |
 *                        +--+---failure-----+  +--success---+--+--> OPENING, logged in
 *
 *  OPENING --header, logged in--> BINDABLE --bind--> BINDING --BOUND--> ACTIVE <--> ENABLING
 *                                    ^  `--resume--> RESUMING --RESUMED--> RESUMED --<a/>-->
 *                                    `---refused---------'        CONFIRMING --CONFIRMED--> ACTIVE
 *
 *  RESUMED, CONFIRMING, ACTIVE, ENABLING --end of the session--> ENDING --outcome--> CLOSED
 *  BINDING, RESUMING --connection lost--> ORPHANED --outcome, undone--> CLOSED
 *  any --error, drop--> CLOSED
 */
enum stream_state {
    STATE_OPENING,     /* awaits the client's stream header */
    STATE_NEGOTIATING, /* features are out: STARTTLS or SASL may begin */
    STATE_SECURING,    /* <proceed/> is out, TLS is being set up */
    STATE_CHALLENGED,  /* SASL: the client's turn */
    STATE_CHECKING,    /* SASL: waits for the account, or for what is derived of a password */
    STATE_BINDABLE,    /* logged in: bind or resume may begin */
    STATE_BINDING,     /* Bind is in the log */
    STATE_RESUMING,    /* Resume is in the log */
    STATE_RESUMED,     /* <resumed/> and <r/> are out; no stanza before the client's <a/> */
    STATE_CONFIRMING,  /* Confirm is in the log */
    STATE_ACTIVE,
    STATE_ENABLING, /* Enable is in the log; counting starts at its apply, so nothing is read */
    STATE_ENDING,   /* Close is in the log; the footer follows its outcome */
    STATE_ORPHANED, /* the connection is gone, a Bind or Resume is in the log */
    STATE_CLOSED,   /* CLOSE or DROP was given out */
    STATE_COUNT
};

struct stream {
    struct stream_config config;
    enum stream_state state;
    uint64_t now_ms;
    uint64_t deadline_ms; /* of the present phase; 0: none */

    struct xml_reader *reader;
    uint64_t stanza_count; /* read from it */
    uint64_t stanza_count_max;
    struct buf output;
    uint64_t output_put; /* bytes put into output since the start */
    struct ring actions;
    struct buf popped; /* what the last action pointed to */
    struct buf claim;  /* BINDING, RESUMING, ORPHANED: the Bind or Resume */

    /* negotiation */
    bool header_sent; /* on the present stream; an error must open it first (RFC 6120 §4.9.1.2) */
    bool tls_on;
    bool authenticated;
    struct buf exporter, end_point, unique; /* channel binding data */
    bool tls13;
    char *domain;
    char *lang; /* of the client's header; NULL: none */
    struct sasl_server *sasl;
    uint32_t auth_failures;
    uint32_t bind_failures;
    char *user; /* bare address; set when credentials are asked for */
    uint64_t credential_version;
    char *request_id; /* id of the bind request, or previd of the resume */

    /* session */
    uint64_t session;
    uint32_t epoch;
    char *address;      /* full; NULL before bind */
    bool counted;       /* XEP-0198 is on */
    bool is_decided;    /* whether it will be is known: nothing goes out before */
    uint64_t decide_ms; /* it is then, without a word of the client */
    bool resume_wanted; /* asked for by <enable/> */
    bool resumable;
    uint32_t confirm_h;

    struct acks_in in;
    struct acks_out out;
    struct cursor cursor;
    struct written written; /* what went out before or without XEP-0198 */
    uint64_t noted_done;    /* positions told to the log */
    uint64_t noted_presence;
    uint64_t due_done; /* positions to be told with the next Notes */
    uint64_t due_presence;
    uint64_t noted_ms;
    uint64_t noted_count; /* what the client had then: of out, and bytes that had left */
    uint64_t noted_bytes;
    uint64_t noted_left;

    bool asked; /* an <r/> is not answered yet */
    uint64_t asked_ms;
    uint32_t asked_number; /* what was written then */
    uint64_t asked_bytes;
    uint64_t received_ms; /* last sign of life */
    uint64_t probed_ms;   /* 0: no probe is out */
    uint64_t begun_ms;    /* an incomplete stanza has been coming since; 0: none */
    bool is_held;         /* by the caller: nothing is read */
    uint64_t taken_bytes; /* of the output by the last tick */
};

static inline uint32_t stream_written_version(const struct stream *stream)
{
    return stream->config.written_version(stream->config.ctx);
}

/* ---- stream.c */
void stream_move(struct stream *stream, enum stream_state next);
void stream_step(struct stream *stream);
/** Put bytes into the output. */
void stream_write(struct stream *stream, const char *text);
void stream_printf(struct stream *stream, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- actions.c: what the caller is to do */
void actions_push(struct stream *stream, enum stream_action_kind kind);
void actions_push_pull(struct stream *stream, const struct delivery_pull *pull);
void actions_push_derivation_take(struct stream *stream, struct sasl_derivation *derivation);
void actions_push_text(struct stream *stream, enum stream_action_kind kind, const char *text);
/** Encode command and queue it. Its outcome comes back as kind. */
void actions_submit(struct stream *stream, Pb__Command *command, enum awaited_kind kind);
/** The same of a command that takes a session for this connection, which is good for nothing once
 * the connection is gone. */
void actions_submit_claim(struct stream *stream, Pb__Command *command, enum awaited_kind kind);
/** The outcome of the claim is there. */
void actions_settle_claim(struct stream *stream);
/** The connection is gone before: an Empty with the same Ref stands for the claim, if that still
 * can be. */
void actions_withdraw_claim(struct stream *stream);
/** A command whose outcome nobody awaits. */
void actions_submit_last(struct stream *stream, Pb__Command *command);
/** Queue a command already encoded; takes bytes. */
void actions_push_command_take(struct stream *stream, struct buf *bytes);
void actions_init(struct stream *stream);
void actions_deinit(struct stream *stream);
struct effect_ref actions_ref(const struct stream *stream, uint64_t cookie);
Pb__Owner actions_owner(const struct stream *stream);
/** This connection, without a count: every stanza's own command carries that. */
Pb__From actions_from(const struct stream *stream);

/* ---- header.c: stream headers and features (RFC 6120 §4) */
void header_on_open(struct stream *stream, struct xml_event *event);
/** Answer the client's header, or open the stream for an error. to NULL: none. */
void header_write(struct stream *stream, const char *to);

/* ---- login.c: STARTTLS and SASL (RFC 6120 §5, §6) */
void login_on_element(struct stream *stream, const struct xml_element *element);
void login_on_credentials(struct stream *stream, const Pb__AccountRow *account);
void login_on_derived(struct stream *stream, const struct sasl_derivation *derivation);
struct sasl_config login_sasl_config(const struct stream *stream);

/* ---- bind.c: resource binding (RFC 6120 §7) */
void bind_on_element(struct stream *stream, const struct xml_element *element);
void bind_on_outcome(struct stream *stream, const struct outcome *outcome);
/** A session was bound or resumed: remember who we are. */
void bind_take_session(struct stream *stream, const struct outcome *outcome);

/* ---- resume.c: <enable/>, <resume/> and the confirm step (XEP-0198 §3, §5; DESIGN 5) */
void resume_on_enable(struct stream *stream, const struct xml_element *element);
void resume_on_enabled(struct stream *stream, const struct outcome *outcome);
void resume_on_resume(struct stream *stream, const struct xml_element *element);
void resume_on_outcome(struct stream *stream, const struct outcome *outcome);
void resume_confirm(struct stream *stream, uint32_t h);
void resume_on_confirm_outcome(struct stream *stream, const struct outcome *outcome);
/** presence_since: what the client has of presence. */
void resume_on_confirmed(struct stream *stream, uint64_t presence_since);
/** Parse a whole xs:unsignedInt; NULL and anything else is false. */
bool resume_parse_count(const char *text, uint32_t *out);
/** <failed/> with a stanza error condition. */
void resume_refuse(struct stream *stream, const char *condition);

/* ---- inbound.c: elements of a bound session */
void inbound_on_element(struct stream *stream, struct xml_event *event);
/** Outcome of a stanza, or of records. */
void inbound_on_outcome(struct stream *stream, const struct awaited *awaited, int rc);

/* ---- outbound.c: stanzas to the client, their records and acks */
/** Number from here on: what comes next is number + 1. */
void outbound_start(struct stream *stream, uint32_t number);
void outbound_on_stanza(struct stream *stream, const struct delivery *delivery);
void outbound_on_recorded(struct stream *stream, uint32_t number);
void outbound_on_ack(struct stream *stream, uint32_t h);
/** Write what may be written. */
void outbound_write(struct stream *stream);
/** End of a turn: pulls, records and acks into the log, <r/> to the client. */
void outbound_flush(struct stream *stream);
/** The session leaves this connection: tell the log at once what is known to be done. */
/** What has left without a number is done. */
void outbound_note_written(struct stream *stream);
void outbound_finish(struct stream *stream);
/** Ask the client for a sign of life. */
void outbound_probe(struct stream *stream);

/* ---- ending.c: how streams end */
/** Stream error (RFC 6120 §4.9), footer, close; the session ends. detail: an element, or NULL. */
void ending_error(struct stream *stream, const char *condition, const char *detail);
/** The client is to go to "host:port" (RFC 6120 §4.9.3.19); no session of it is left here. */
void ending_elsewhere(struct stream *stream, const char *address);
/** The connection is of no use: detach or close the session, drop without footer. */
void ending_cut(struct stream *stream);
/** The session is not ours any more: drop without a word. */
void ending_drop(struct stream *stream);
/** The client closed its stream. */
void ending_on_footer(struct stream *stream);
void ending_on_close_outcome(struct stream *stream);
void ending_on_orphan_outcome(struct stream *stream, const struct outcome *outcome);
void ending_on_dropped(struct stream *stream, enum drop_reason reason);
void ending_on_disconnect(struct stream *stream);
void ending_on_shutdown(struct stream *stream);
void ending_on_leave(struct stream *stream, const char *address);

/** Was the command refused before it reached the state, so that its stanza was not served? */
static inline bool stream_is_refused(int rc)
{
    return rc == ERR_NO_SPACE || rc == ERR_BUSY;
}

/** Does this connection own a session that a client may come back to? */
static inline bool stream_is_bound(const struct stream *stream)
{
    return stream->state == STATE_RESUMED || stream->state == STATE_CONFIRMING ||
           stream->state == STATE_ACTIVE || stream->state == STATE_ENABLING;
}

#endif
