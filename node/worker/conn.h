/* conn - one client connection: socket, TLS, stream. The socket may end before the stream, which
 * then still waits for the outcome of a bind or resume; memory lives until both have ended.
 *
 *   OPEN --stream closes, TLS fails--> FINISHING --written, peer hangs up--> CLOSED
 *     '------socket lost, drop, time is up--------------------------------------^
 *   CLOSED --uv's callback--> GONE
 */
#ifndef NODE_WORKER_CONN_H
#define NODE_WORKER_CONN_H

#include "node/net/addresses.h"
#include "node/worker/bucket.h"
#include "node/worker/worker_private.h"
#include "xmpp/stream/stream.h"

enum conn_socket { SOCKET_OPEN, SOCKET_FINISHING, SOCKET_CLOSED, SOCKET_GONE };

struct conn {
    struct worker *worker;
    uint32_t slot;
    uint32_t generation;

    uv_tcp_t tcp;
    enum conn_socket socket;
    struct address_key address;
    bool is_reading;
    struct bucket bytes; /* that may be read now (DESIGN 9) */
    struct bucket stanzas;
    uint64_t stanza_count; /* of the stream, at the last look */
    struct buf held;       /* read while the node was about to stop serving */
    struct buf out;        /* for the socket, not yet in the kernel's hands */
    struct buf flight;     /* what the kernel did not take at once */
    uv_write_t write;
    bool is_writing;
    uv_shutdown_t shutdown;
    uint64_t finish_by_ms;

    uint32_t auth_failures; /* of the stream, at the last look */
    char *login_user;       /* to be looked up at login_at_ms; NULL: nobody waits */
    uint64_t login_at_ms;

    struct tls_conn *tls;  /* NULL: clear */
    bool tls_told;         /* the stream knows that the handshake is done */
    struct stream *stream; /* NULL after its last action */

    bool is_dirty; /* in the worker's list of connections to step */
    struct conn *next_dirty;
    bool is_throttled; /* in the worker's list of those without tokens */
    struct conn *next_throttled;
};

/** Accept from door into slot; NULL when the connection went away meanwhile. */
struct conn *conn_accept(struct worker *worker, uint32_t slot, uint32_t generation,
                         struct door *door);
/** Do what the stream wants, write, read on or not, end. Once a turn for each touched one. */
void conn_step(struct conn *conn, uint64_t now_ms);

void conn_on_outcome(struct conn *conn, uint64_t cookie, const struct outcome *outcome,
                     uint64_t now_ms);
void conn_on_delivery_take(struct conn *conn, struct delivery *delivery, uint64_t now_ms);
/** packed: encoded AccountRow, NULL for no such account. */
void conn_on_credentials(struct conn *conn, const struct blob *packed);
void conn_on_derived_take(struct conn *conn, struct sasl_derivation *derivation);
void conn_on_tick(struct conn *conn, uint64_t now_ms);
/** End in order (DESIGN 7). */
void conn_shutdown(struct conn *conn);
/** The session, if it is still this connection's, is to move to another node (stream_leave()). */
void conn_leave(struct conn *conn, uint64_t session, const char *address);
/** Cut the connection without a last word. with_session: the session is over as well, submit
 * nothing for it. */
void conn_cut(struct conn *conn, bool with_session);

#endif
