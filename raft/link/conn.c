/* One TCP stream to another node: brought up through TLS and hello, then frames both ways, the
 * urgent ones first, until it breaks. */
#include "node/base/clock.h"
#include "node/base/log.h"
#include "node/base/mem.h"
#include "raft/link/internal.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>

/* Half of what an urgent frame may wait for stands in our buffer, half unsent in the kernel's. */
#define CHUNK_BYTES (LINK_WRITE_BYTES_MAX / 2)
/* Answers to probes wait here while the kernel takes nothing; a peer that floods gets no more. */
#define CONTROL_BYTES_MAX (4 * 1024)
/* A peer that was heard is not asked whether it lives, but how far it is, now and then. */
#define ROUND_TRIP_AGE_IN_SILENCES 3

static void move(struct link_conn *conn, enum conn_state to)
{
    static const bool allowed[CONN_CLOSED + 1][CONN_CLOSED + 1] = {
        [CONN_CONNECT] = {[CONN_TLS] = true, [CONN_CLOSED] = true},
        [CONN_TLS] = {[CONN_HELLO] = true, [CONN_CLOSED] = true},
        [CONN_HELLO] = {[CONN_READY] = true, [CONN_UP] = true, [CONN_CLOSED] = true},
        [CONN_READY] = {[CONN_UP] = true, [CONN_CLOSED] = true},
        [CONN_UP] = {[CONN_CLOSED] = true},
    };

    ASSERT(allowed[conn->state][to]);
    conn->state = to;
}

/* ---------------------------------------------------------------- life */

static void free_queue(struct out_queue *queue)
{
    while (queue->first != NULL) {
        struct out_frame *frame = queue->first;

        queue->first = frame->next;
        mem_free(&frame);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct link_conn *conn = CONTAINER_OF((uv_tcp_t *)handle, struct link_conn, tcp);
    struct link_set *set = conn->set;
    struct link_conn **at = &set->conns;

    while (*at != conn) {
        at = &(*at)->next;
    }
    *at = conn->next;
    SSL_free(conn->ssl);
    for (size_t i = 0; i < FRAME_CLASSES; i++) {
        free_queue(&conn->queues[i]);
    }
    buf_deinit(&conn->cipher);
    buf_deinit(&conn->in_flight);
    buf_deinit(&conn->control);
    frame_reader_deinit(&conn->reader);
    mem_free(&conn);
    link_set_handle_closed(set);
}

static struct link_conn *conn_new(struct link_set *set, bool dialled)
{
    struct link_conn *conn = mem_zalloc(sizeof(*conn));
    int rc = uv_tcp_init(set->loop, &conn->tcp);

    ASSERT(rc == 0);
    set->handles++;
    conn->set = set;
    conn->next = set->conns;
    set->conns = conn;
    conn->dialled = dialled;
    conn->state = dialled ? CONN_CONNECT : CONN_TLS;
    conn->opened_ms = clock_mono_ms();
    return conn;
}

static void begin_tls(struct link_conn *conn)
{
    const struct link_certificates *certificates = conn->set->certificates;
    BIO *bio = bio_pipe_new(&conn->pipe);

    conn->pipe.out = &conn->cipher;
    conn->ssl = SSL_new(conn->dialled ? certificates->client : certificates->server);
    ASSERT(conn->ssl != NULL);
    SSL_set_bio(conn->ssl, bio, bio);
    if (conn->dialled) {
        SSL_set_connect_state(conn->ssl);
    } else {
        SSL_set_accept_state(conn->ssl);
    }
}

/* Detach from peer and set and let the loop close the socket. True when the link was up. */
static bool shut(struct link_conn *conn)
{
    bool was_up = conn->state == CONN_UP;

    move(conn, CONN_CLOSED);
    if (conn->peer != NULL && conn->peer->conn == conn) {
        conn->peer->conn = NULL;
        /* Dials happen at ticks; half a tick is enough to keep other steps from dialling at once.
         */
        conn->peer->retry_ms = clock_mono_ms() + LINK_RETRY_MS / 2;
    }
    uv_close((uv_handle_t *)&conn->tcp, on_closed);
    return was_up;
}

void link_conn_fail(struct link_conn *conn, const char *reason)
{
    struct link_set *set = conn->set;
    struct link_peer *peer = conn->peer;

    if (conn->state == CONN_CLOSED) {
        return;
    }
    link_log_failure(conn, reason);
    if (shut(conn)) {
        set->events.on_down(set->events.ctx, peer->node_id);
    }
}

static uv_buf_t uv_view(const struct buf *buf)
{
    struct slice bytes = buf_slice(buf);

    return uv_buf_init((char *)(uintptr_t)bytes.data, (unsigned)bytes.len);
}

/* What TLS wants said before the end (an alert, close_notify), if the kernel takes it now. */
static void write_last(struct link_conn *conn)
{
    if (!conn->writing && buf_len(&conn->cipher) > 0) {
        uv_buf_t bytes = uv_view(&conn->cipher);

        (void)uv_try_write((uv_stream_t *)&conn->tcp, &bytes, 1);
    }
}

/* ---------------------------------------------------------------- writing */

int link_conn_queue(struct link_conn *conn, enum link_class class, uint8_t type,
                    const struct slice *parts, size_t part_count)
{
    struct out_queue *queue = &conn->queues[class];
    struct out_frame *frame;
    size_t len = 0;

    for (size_t i = 0; i < part_count; i++) {
        len += parts[i].len;
    }
    if (len > LINK_FRAME_BYTES_MAX) {
        return ERR_LIMIT;
    }
    /* One frame is always taken: a bound below its size must not stop it for ever. */
    if (queue->bytes > 0 &&
        queue->bytes + len + FRAME_HEAD_BYTES > conn->set->queue_bytes_max[class]) {
        return ERR_BUSY;
    }
    frame = mem_alloc(sizeof(*frame) + len);
    *frame = (struct out_frame){.len = 0, .type = type};
    for (size_t i = 0; i < part_count; i++) {
        if (parts[i].len > 0) {
            memcpy(frame->bytes + frame->len, parts[i].data, parts[i].len);
            frame->len += parts[i].len;
        }
    }
    if (queue->first == NULL) {
        queue->first = frame;
    } else {
        queue->last->next = frame;
    }
    queue->last = frame;
    queue->bytes += len + FRAME_HEAD_BYTES;
    return 0;
}

size_t link_conn_queued_bytes(const struct link_conn *conn)
{
    size_t bytes = buf_len(&conn->cipher) + buf_len(&conn->in_flight);

    for (size_t i = 0; i < FRAME_CLASSES; i++) {
        bytes += conn->queues[i].bytes;
    }
    return bytes;
}

/* Append the next piece of the first frame of a queue. */
static void take_piece(struct out_queue *queue, enum link_class class, struct buf *out)
{
    struct out_frame *frame = queue->first;
    size_t left = frame->len - frame->sent;
    bool more = left > FRAME_PIECE_BYTES_MAX;
    size_t length = more ? FRAME_PIECE_BYTES_MAX : left;

    frame_put_piece_head(out, class, frame->type, length, more);
    buf_append(out, slice_make(frame->bytes + frame->sent, length));
    frame->sent += length;
    queue->bytes -= length;
    if (!more) {
        queue->bytes -= FRAME_HEAD_BYTES;
        queue->first = frame->next;
        mem_free(&frame);
    }
}

/* Gather about one TLS record: control, then urgent pieces, then bulk ones. */
static void gather(struct link_conn *conn, struct buf *out)
{
    buf_append(out, buf_slice(&conn->control));
    buf_clear(&conn->control);
    for (size_t i = 0; conn->state == CONN_UP && i < FRAME_CLASSES; i++) {
        while (conn->queues[i].first != NULL && buf_len(out) < SSL3_RT_MAX_PLAIN_LENGTH) {
            take_piece(&conn->queues[i], (enum link_class)i, out);
        }
    }
}

static bool encrypt(struct link_conn *conn, struct slice clear)
{
    size_t written;

    conn->key_bytes += clear.len;
    if (conn->key_bytes > LINK_KEY_BYTES_MAX) {
        conn->key_bytes = 0;
        (void)SSL_key_update(conn->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
    }
    return SSL_write_ex(conn->ssl, clear.data, clear.len, &written) == 1;
}

/* Encrypt until a chunk is full or nothing is queued. False: TLS is broken. */
static bool fill(struct link_conn *conn)
{
    struct buf *plain = &conn->set->plain;

    while (conn->state >= CONN_HELLO && buf_len(&conn->cipher) < CHUNK_BYTES) {
        buf_clear(plain);
        gather(conn, plain);
        if (buf_len(plain) == 0) {
            return true;
        }
        if (!encrypt(conn, buf_slice(plain))) {
            return false;
        }
    }
    return true;
}

static void on_written(uv_write_t *write, int status)
{
    struct link_conn *conn = CONTAINER_OF(write, struct link_conn, write);

    conn->writing = false;
    buf_clear(&conn->in_flight);
    if (conn->state == CONN_CLOSED) {
        return;
    }
    if (status < 0) {
        link_conn_fail(conn, uv_strerror(status));
        return;
    }
    link_conn_flush(conn);
}

/* The kernel did not take all: the rest waits for it in a request. */
static void write_rest(struct link_conn *conn)
{
    struct buf empty = conn->in_flight;
    uv_buf_t bytes;
    int rc;

    conn->in_flight = conn->cipher;
    conn->cipher = empty;
    bytes = uv_view(&conn->in_flight);
    conn->writing = true;
    rc = uv_write(&conn->write, (uv_stream_t *)&conn->tcp, &bytes, 1, on_written);
    if (rc != 0) {
        conn->writing = false;
        link_conn_fail(conn, uv_strerror(rc));
    }
}

void link_conn_flush(struct link_conn *conn)
{
    uv_buf_t bytes;
    int written;

    if (conn->writing || conn->state == CONN_CONNECT || conn->state == CONN_CLOSED) {
        return;
    }
    if (!fill(conn)) {
        link_conn_fail(conn, link_tls_failure(conn->ssl));
        return;
    }
    if (buf_len(&conn->cipher) == 0) {
        return;
    }
    bytes = uv_view(&conn->cipher);
    /* A request costs libuv another turn and a change of what it polls for; most need none. */
    written = uv_try_write((uv_stream_t *)&conn->tcp, &bytes, 1);
    if (written < 0 && written != UV_EAGAIN) {
        link_conn_fail(conn, uv_strerror(written));
        return;
    }
    buf_consume(&conn->cipher, written > 0 ? (size_t)written : 0);
    if (buf_len(&conn->cipher) > 0) {
        write_rest(conn);
    } else if (link_conn_queued_bytes(conn) > 0) {
        link_set_wake(conn->set); /* a chunk a turn, and no request will tell when to go on */
    }
}

/* ---------------------------------------------------------------- frames in */

static void go_up(struct link_conn *conn)
{
    struct link_set *set = conn->set;
    struct link_peer *peer = conn->peer;

    if (peer->conn != NULL && peer->conn != conn) {
        /* The peer dialled again: it knows that the old one is dead, we do not yet. */
        link_conn_fail(peer->conn, "replaced by a new link");
    }
    peer->conn = conn;
    peer->complaints = 0;
    conn->heard_ms = clock_mono_ms();
    conn->probed_ms = 0; /* measure the round trip at once */
    move(conn, CONN_UP);
    log_info("link.up", LOG_UINT("node", peer->node_id), LOG_UINT("raft_id", conn->raft_id));
    set->events.on_up(set->events.ctx, peer->node_id);
}

static void put_hello(struct link_conn *conn)
{
    const struct frame_hello hello = {
        .version = LINK_VERSION,
        .version_min = LINK_VERSION_MIN,
        .raft_id = conn->set->raft_id,
        .log_is_empty = conn->set->log_is_empty,
        .written = conn->set->written,
        .newest = conn->set->newest,
    };

    frame_put_hello(&conn->control, &hello);
}

/* Is there a version of the link that both sides speak, and does each read what the other one hands
 * over? An old peer may not know that it has to ask (newest is 0). */
static bool fits(struct link_conn *conn, const struct frame_hello *hello)
{
    const struct link_set *set = conn->set;
    char *why = conn->misfit;

    if (hello->version < LINK_VERSION_MIN || hello->version_min > LINK_VERSION) {
        (void)snprintf(why, LINK_REASON_BYTES,
                       "it speaks versions %u to %u of the link, not %u to %u", hello->version_min,
                       hello->version, LINK_VERSION_MIN, LINK_VERSION);
    } else if (set->newest != 0 && hello->written > set->newest) {
        (void)snprintf(
            why, LINK_REASON_BYTES,
            "the cluster writes version %u, this program reads up to %u: upgrade this node",
            hello->written, set->newest);
    } else if (hello->newest != 0 && hello->newest < set->written) {
        (void)snprintf(why, LINK_REASON_BYTES,
                       "the cluster writes version %u, its program reads up to %u: upgrade it",
                       set->written, hello->newest);
    }
    return why[0] == '\0';
}

/* NULL, or why the peer is refused. Both sides speak the lower of their two versions. */
static const char *on_hello(struct link_conn *conn, struct slice bytes)
{
    const struct link_events *events = &conn->set->events;
    struct frame_hello hello;
    const char *reason;

    if (frame_get_hello(bytes, &hello) != 0) {
        return "hello is malformed";
    }
    if (!fits(conn, &hello)) {
        conn->is_refused = true;
        if (!conn->dialled) { /* it can say so in its log, too */
            put_hello(conn);
            link_conn_flush(conn);
        }
        return conn->misfit;
    }
    if (link_set_is_retired(conn->set, hello.raft_id)) {
        return "raft id was removed from the cluster";
    }
    reason = events->refuse == NULL ? NULL
                                    : events->refuse(events->ctx, conn->peer->node_id,
                                                     hello.raft_id, hello.log_is_empty);
    if (reason != NULL) {
        conn->is_refused = true;
        return reason;
    }
    conn->raft_id = hello.raft_id;
    conn->log_was_empty = hello.log_is_empty;
    conn->version = hello.version < LINK_VERSION ? hello.version : LINK_VERSION;
    if (conn->dialled) {
        frame_put_control(&conn->control, FRAME_READY, slice_make(NULL, 0));
        go_up(conn);
    } else {
        put_hello(conn);
        move(conn, CONN_READY);
    }
    return NULL;
}

static void on_probe(struct link_conn *conn, struct slice stamp)
{
    if (buf_len(&conn->control) < CONTROL_BYTES_MAX) {
        frame_put_control(&conn->control, FRAME_PROBE_ECHO, stamp);
    }
}

static void on_probe_echo(struct link_conn *conn, struct slice stamp)
{
    if (stamp.len == FRAME_PROBE_BYTES && conn->probe_us != 0 &&
        get_u64(stamp.data) == conn->probe_us) {
        conn->rtt_us = (uint32_t)(clock_mono_us() - conn->probe_us);
        conn->probe_us = 0;
    }
}

/* NULL, or why the link is dropped. */
static const char *on_frame(struct link_conn *conn, const struct frame *frame)
{
    struct link_events *events = &conn->set->events;

    if (conn->state == CONN_HELLO && frame->kind == FRAME_HELLO) {
        return on_hello(conn, frame->bytes);
    }
    if (conn->state == CONN_READY && frame->kind == FRAME_READY) {
        go_up(conn);
        return NULL;
    }
    if (conn->state != CONN_UP) {
        return "frame before the hello";
    }
    switch (frame->kind) {
    case FRAME_DATA:
        events->on_frame(events->ctx, conn->peer->node_id, frame->type, frame->bytes);
        return NULL;
    case FRAME_PROBE:
        on_probe(conn, frame->bytes);
        return NULL;
    case FRAME_PROBE_ECHO:
        on_probe_echo(conn, frame->bytes);
        return NULL;
    case FRAME_HELLO:
    case FRAME_READY:
        break;
    }
    return "second hello";
}

/* Handle all whole frames. NULL, or why the link is dropped. */
static const char *pop_frames(struct link_conn *conn)
{
    const char *reason = NULL;

    while (reason == NULL && conn->state != CONN_CLOSED && conn->condemned == NULL) {
        struct frame frame;
        bool found;

        if (frame_reader_pop(&conn->reader, &frame, &found) != 0) {
            return "malformed frame";
        }
        if (!found) {
            return NULL;
        }
        reason = on_frame(conn, &frame);
    }
    return reason;
}

/* ---------------------------------------------------------------- reading */

/* The certificates are proven: whom do they name, and may it link with us in this direction?
 * NULL, or why not. */
static const char *identify(struct link_conn *conn)
{
    struct link_set *set = conn->set;
    uint32_t node_id;

    if (link_tls_peer_node(conn->ssl, &node_id) != 0) {
        return "certificate names no node";
    }
    conn->named = node_id;
    if (conn->dialled) {
        if (node_id != conn->peer->node_id) {
            return "certificate names another node";
        }
        put_hello(conn);
    } else {
        conn->peer = link_set_find(set, node_id);
        if (conn->peer == NULL) {
            return "node is not known here";
        }
        if (node_id <= set->node_id) {
            return "node is ours to dial";
        }
    }
    move(conn, CONN_HELLO);
    return NULL;
}

/* NULL, or why the link is dropped. */
static const char *shake_hands(struct link_conn *conn)
{
    int rc = SSL_do_handshake(conn->ssl);

    if (rc == 1) {
        return identify(conn);
    }
    return SSL_get_error(conn->ssl, rc) == SSL_ERROR_WANT_READ ? NULL : link_tls_failure(conn->ssl);
}

/* NULL, or why the link is dropped. */
static const char *decrypt(struct link_conn *conn)
{
    struct link_set *set = conn->set;
    const char *reason = NULL;

    while (reason == NULL && conn->state != CONN_CLOSED && conn->condemned == NULL) {
        size_t len;

        if (SSL_read_ex(conn->ssl, set->clear_bytes, sizeof(set->clear_bytes), &len) != 1) {
            switch (SSL_get_error(conn->ssl, 0)) {
            case SSL_ERROR_WANT_READ:
                return NULL;
            case SSL_ERROR_ZERO_RETURN:
                return "closed by the peer";
            default:
                return link_tls_failure(conn->ssl);
            }
        }
        frame_reader_feed(&conn->reader, slice_make(set->clear_bytes, len));
        reason = pop_frames(conn);
    }
    return reason;
}

static void on_cipher(struct link_conn *conn, struct slice cipher)
{
    const char *reason = NULL;

    ERR_clear_error();
    conn->heard_ms = clock_mono_ms();
    conn->pipe.in = cipher;
    if (conn->state == CONN_TLS) {
        reason = shake_hands(conn);
    }
    if (reason == NULL && conn->state >= CONN_HELLO) {
        reason = decrypt(conn);
    }
    if (reason != NULL && conn->state != CONN_CLOSED) {
        write_last(conn);
        link_conn_fail(conn, reason);
        return;
    }
    link_set_wake(conn->set);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct link_conn *conn = CONTAINER_OF((uv_tcp_t *)handle, struct link_conn, tcp);

    (void)suggested;
    *buf = uv_buf_init((char *)conn->set->read_bytes, sizeof(conn->set->read_bytes));
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct link_conn *conn = CONTAINER_OF((uv_tcp_t *)stream, struct link_conn, tcp);

    if (conn->state == CONN_CLOSED || len == 0) {
        return;
    }
    if (len < 0) {
        link_conn_fail(conn, len == UV_EOF ? "closed by the peer" : uv_strerror((int)len));
        return;
    }
    on_cipher(conn, slice_make(buf->base, (size_t)len));
}

/* ---------------------------------------------------------------- opening */

/* The socket is connected. Options that an old kernel lacks are not worth a failure. */
static void tune(struct link_conn *conn)
{
    int user_timeout_ms = (int)conn->set->silence_ms;
    int unsent_bytes = CHUNK_BYTES;
    uv_os_fd_t fd;

    (void)uv_tcp_nodelay(&conn->tcp, 1);
    (void)uv_tcp_keepalive(&conn->tcp, 1,
                           1); /* probes of our own are faster; this is the net below */
    if (uv_fileno((uv_handle_t *)&conn->tcp, &fd) == 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms,
                         sizeof(user_timeout_ms));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_bytes, sizeof(unsent_bytes));
    }
}

static void start_reading(struct link_conn *conn)
{
    int rc;

    tune(conn);
    begin_tls(conn);
    rc = uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read);
    if (rc != 0) {
        link_conn_fail(conn, uv_strerror(rc));
        return;
    }
    on_cipher(conn, slice_make(NULL, 0)); /* the dialling side speaks first */
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct link_conn *conn = CONTAINER_OF(connect, struct link_conn, connect);

    if (conn->state == CONN_CLOSED) {
        return;
    }
    if (status != 0) {
        link_conn_fail(conn, uv_strerror(status));
        return;
    }
    move(conn, CONN_TLS);
    start_reading(conn);
}

void link_conn_dial(struct link_set *set, struct link_peer *peer,
                    const struct sockaddr_storage *address)
{
    struct link_conn *conn = conn_new(set, true);
    const struct sockaddr_storage *source = &set->listener.source;
    int rc = 0;

    conn->peer = peer;
    peer->conn = conn;
    /* The peer knows us by where we listen; every other time, should that lead nowhere, by what the
     * system chooses. */
    if (source->ss_family == address->ss_family && ++peer->dials % 2 == 1) {
        rc = uv_tcp_bind(&conn->tcp, (const struct sockaddr *)source, 0);
    }
    if (rc == 0) {
        rc = uv_tcp_connect(&conn->connect, &conn->tcp, (const struct sockaddr *)address,
                            on_connected);
    }
    if (rc != 0) {
        link_conn_fail(conn, uv_strerror(rc));
    }
}

/* By a reset: whoever asks too often shall not leave us with a closed connection each time. */
static void turn_away(struct link_conn *conn)
{
    link_log_failure(conn, "too many unfinished links");
    move(conn, CONN_CLOSED);
    if (uv_tcp_close_reset(&conn->tcp, on_closed) != 0) {
        uv_close((uv_handle_t *)&conn->tcp, on_closed);
    }
}

void link_conn_accept(struct link_set *set, uv_tcp_t *door)
{
    struct link_conn *conn = conn_new(set, false);
    int rc = uv_accept((uv_stream_t *)door, (uv_stream_t *)&conn->tcp);

    if (rc != 0) {
        link_conn_fail(conn, uv_strerror(rc));
    } else if (link_gate_admits(conn)) {
        start_reading(conn);
    } else {
        turn_away(conn);
    }
}

/* ---------------------------------------------------------------- time, end */

static void probe(struct link_conn *conn, uint64_t now_ms)
{
    conn->probed_ms = now_ms;
    if (buf_len(&conn->control) < CONTROL_BYTES_MAX) {
        conn->probe_us = clock_mono_us();
        frame_put_probe(&conn->control, conn->probe_us);
        link_set_wake(conn->set);
    }
}

static uint64_t later(uint64_t a_ms, uint64_t b_ms)
{
    return a_ms > b_ms ? a_ms : b_ms;
}

void link_conn_tick(struct link_conn *conn, uint64_t now_ms)
{
    uint32_t silence_ms = conn->set->silence_ms;

    if (conn->state == CONN_CLOSED) {
        return;
    }
    if (conn->state < CONN_UP) {
        if (now_ms - conn->opened_ms > LINK_HANDSHAKE_MS) {
            link_conn_fail(conn, "handshake timed out");
        }
    } else if (now_ms - conn->heard_ms > silence_ms) {
        link_conn_fail(conn, "silent");
    } else if (now_ms - later(conn->heard_ms, conn->probed_ms) >= silence_ms / 3 ||
               now_ms - conn->probed_ms >= silence_ms * ROUND_TRIP_AGE_IN_SILENCES) {
        probe(conn, now_ms);
    }
}

void link_conn_close(struct link_conn *conn)
{
    if (conn->state == CONN_CLOSED) {
        return;
    }
    if (conn->state == CONN_UP && !conn->writing && fill(conn)) {
        (void)SSL_shutdown(conn->ssl);
        write_last(conn);
    }
    (void)shut(conn);
}
