/* internal - what the files of raft/link share: the set (set.c) knows peers and dials them, a
 * connection (conn.c) brings one TCP stream up and moves frames over it. Loop thread only. */
#ifndef RAFT_LINK_INTERNAL_H
#define RAFT_LINK_INTERNAL_H

#include "node/base/address.h"
#include "node/base/bio.h"
#include "raft/link/frame.h"
#include "raft/link/link.h"
#include "raft/link/resolve.h"
#include "raft/link/tls.h"

/* From the first byte to an accepted hello; a stranger holds a slot no longer. */
#define LINK_HANDSHAKE_MS 2000
/* Accepted connections that are not up: of one address where peers live, for each of them; of any
 * other address; of all others together. Beyond it the oldest goes, but not before it had time
 * enough for a handshake: else a flood would end those of peers. */
#define LINK_PLACES_A_PEER 4
#define LINK_PLACES_A_HOST 8
#define LINK_STRANGERS_MAX 32
#define LINK_CHANCE_MS     500
/* Handshakes begun in LINK_RETRY_MS for either kind of guest: a twentieth of the thread's time. */
#define LINK_ADMITTED_A_TICK 4
/* Taken from a door of the listener in one turn of the loop, which has heartbeats to see to. */
#define LINK_ACCEPTED_A_TURN 16
#define LINK_REASON_BYTES    128
/* Names are not asked for more often. */
#define LINK_RESOLVE_MS 1000
/* The name of a peer that dials us is asked for so often while it is away. */
#define LINK_LOOK_UP_MS 10000
/* AES-GCM allows 2^24.5 full records under a key (RFC 8446 §5.5); change it long before. */
#define LINK_KEY_BYTES_MAX (256u * 1024 * 1024)
#define LINK_READ_BYTES    (64 * 1024)

/*   dialled                       accepted
 *   CONNECT --connected--> TLS <--accept
 *                           | certificates proven
 *                         HELLO ---- accepted: hello is fine, ours sent ----> READY
 *                           | dialled: hello is fine, READY sent               | READY came
 *                           v                                                  v
 *                           UP <------------------------------------------------
 *   any --failure, silence, retired--> CLOSED (freed by the loop)                             */
enum conn_state { CONN_CONNECT, CONN_TLS, CONN_HELLO, CONN_READY, CONN_UP, CONN_CLOSED };

/* Who dialled us, as far as its address tells: that of a peer, or none. */
enum link_guest { GUEST_STRANGER, GUEST_NEIGHBOUR, GUEST_KINDS };

struct out_frame {
    struct out_frame *next;
    size_t len;
    size_t sent;
    uint8_t type;
    uint8_t bytes[];
};

struct out_queue {
    struct out_frame *first;
    struct out_frame *last;
    size_t bytes; /* with a head a frame, so that empty frames are bounded too */
};

struct link_conn {
    struct link_conn *next;
    struct link_set *set;
    struct link_peer *peer; /* dialled: from the start; accepted: from its certificate on */
    enum conn_state state;
    bool dialled;
    enum link_guest guest; /* accepted only, as is host */
    struct in6_addr host;
    uint32_t named; /* the node that the certificate of an accepted one names; 0: not known yet */
    char misfit[LINK_REASON_BYTES]; /* why its version does not fit ours; "": it does */
    const char *condemned; /* why it is to be closed before the loop polls again; NULL: it is not */
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    bool writing;
    SSL *ssl;
    struct bio_pipe pipe;
    struct buf cipher;    /* encrypted, not yet given to the kernel */
    struct buf in_flight; /* being written */
    struct buf control;   /* hello, probes: before any data piece */
    struct out_queue queues[FRAME_CLASSES];
    struct frame_reader reader;
    uint64_t raft_id;
    uint16_t version;   /* the lower one of both sides */
    bool log_was_empty; /* that of the peer, as it said hello */
    bool is_refused;    /* by the owner, or for what it writes or reads, as it did */
    uint64_t opened_ms;
    uint64_t heard_ms;
    uint64_t probed_ms;
    uint64_t probe_us; /* of the probe not yet echoed, 0: none */
    uint64_t key_bytes;
    uint32_t rtt_us;
};

struct link_peer {
    struct link_peer *next;
    uint32_t node_id;
    struct address address;
    bool address_valid;
    bool dropped; /* to be freed before the loop polls again */
    unsigned dials;
    unsigned complaints; /* logged since the link was up last: a bit for each state it failed in */
    struct link_conn *conn; /* dialled in any state, or accepted and up */
    uint64_t retry_ms;      /* do not dial before */
    bool resolving;
    uint64_t resolved_ms;
    size_t resolved_next;
    struct resolve_result resolved;
};

/* Where the peers live that dial us: those beyond the limit are taken for strangers. */
#define LINK_HOSTS_MAX 64

struct link_hosts {
    struct in6_addr at[LINK_HOSTS_MAX]; /* IPv4 as mapped into IPv6 */
    size_t count;
};

struct link_listener {
    uv_tcp_t doors[GUEST_KINDS];
    unsigned accepted[GUEST_KINDS]; /* in this turn */
    bool waits[GUEST_KINDS];        /* libuv polls a door again when this one is taken */
    struct sockaddr_storage source; /* the one address that we listen at; no family: any */
    struct link_hosts hosts;        /* whom the second door is for, as far as the kernel knows */
    bool aimed;
    bool complained;
};

#define REFUSALS_MAX  16
#define REFUSAL_BYTES 64 /* of a reason, to know it again */

struct link_set {
    uv_loop_t *loop;
    uint32_t node_id;
    uint64_t raft_id;
    bool log_is_empty;
    uint16_t written;
    uint16_t newest;
    uint32_t silence_ms;
    size_t queue_bytes_max[FRAME_CLASSES];
    struct link_events events;
    struct link_certificates *certificates;
    struct link_peer *peers;
    struct link_conn *conns;
    uint64_t *retired;
    size_t retired_count;
    struct resolver *resolver;

    struct link_listener listener;
    unsigned admitted[GUEST_KINDS]; /* in this tick */
    uv_timer_t timer;
    /* What link_send() queued goes out once a turn of the loop, before it polls: frames of one turn
     * share a record and a system call. The idle handle keeps the poll from sleeping meanwhile. */
    uv_prepare_t prepare;
    uv_idle_t idle;
    uint64_t ticked_ms;
    uint64_t refused_logged_ms;
    struct link_refusal {
        uint64_t logged_ms;
        uint32_t node; /* 0: none yet */
        char reason[REFUSAL_BYTES];
    } refusals[REFUSALS_MAX]; /* the last one of each node */

    bool closing;
    unsigned handles; /* not yet closed */
    void (*on_closed)(void *ctx);
    void *closed_ctx;

    uint8_t read_bytes[LINK_READ_BYTES]; /* used by one read callback at a time */
    uint8_t clear_bytes[SSL3_RT_MAX_PLAIN_LENGTH];
    struct buf plain; /* frames being gathered for one SSL_write */
};

/* set.c, for conn.c */
struct link_peer *link_set_find(const struct link_set *set, uint32_t node_id);
bool link_set_is_retired(const struct link_set *set, uint64_t raft_id);
/** Run the set's step before the loop polls again. */
void link_set_wake(struct link_set *set);
void link_set_handle_closed(struct link_set *set);

/* gate.c, for conn.c */
/** May a connection that was just accepted begin its handshake? Notes its host and kind. */
bool link_gate_admits(struct link_conn *conn);
/** The addresses of peers that dial us, LINK_HOSTS_MAX at most; an address may be there twice. */
void link_gate_hosts(const struct link_set *set, struct link_hosts *out);

/* listener.c, for set.c and conn.c */
/** Bind and listen. ERR_IO, logged; the doors have to be closed either way. */
NODISCARD int link_listener_open(struct link_set *set, const char *bind);
/** Show peers to their door, wherever they live by now. */
void link_listener_aim(struct link_set *set);
/** A turn of the loop begins: each door may take so many again. */
void link_listener_turn(struct link_set *set);

/* failure.c, for set.c and conn.c */
/** Is this the first time since the link was up last that it cannot be made in this state? That is
 * worth a line: a refusal does not hide behind a node that was down before. */
bool link_complains(struct link_peer *peer, enum conn_state state);
/** A link went down, or could not be made: say so, if it is worth a line. */
void link_log_failure(struct link_conn *conn, const char *reason);

/* conn.c, for set.c */
void link_conn_dial(struct link_set *set, struct link_peer *peer,
                    const struct sockaddr_storage *address);
void link_conn_accept(struct link_set *set, uv_tcp_t *door);
/** Close now; tells on_down when it was up. */
void link_conn_fail(struct link_conn *conn, const char *reason);
/** Close without an event, after what fits into the kernel at once. */
void link_conn_close(struct link_conn *conn);
void link_conn_flush(struct link_conn *conn);
void link_conn_tick(struct link_conn *conn, uint64_t now_ms);
NODISCARD int link_conn_queue(struct link_conn *conn, enum link_class class, uint8_t type,
                              const struct slice *parts, size_t part_count);
size_t link_conn_queued_bytes(const struct link_conn *conn);

#endif
