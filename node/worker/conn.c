#include "node/worker/conn.h"

#include "node/base/clock.h"
#include "node/base/log.h"
#include "node/base/mem.h"
#include "node/net/listener.h"
#include "node/worker/login_work.h"

#define WRITE_BYTES_MAX (64 * 1024)   /* encrypted at once; the rest waits in the stream, counted */
#define OUT_BYTES_MAX   (256 * 1024)  /* unwritten; above it TLS gets no more questions to answer */
#define FINISH_MS       5000          /* for the last bytes of a stream */
#define LINGER_MS       2000          /* for the peer to read them and hang up */
#define LOGIN_PAUSE_MS  5000          /* before a login is looked at, after too many failures */
#define ALPN_XMPP       "xmpp-client" /* XEP-0368 §2 */

/* ---- ending */

static void maybe_free(struct conn *conn)
{
    if (conn->socket != SOCKET_GONE || conn->stream != NULL || conn->is_dirty ||
        conn->is_throttled) {
        return;
    }
    worker_release(conn->worker, conn);
    tls_conn_free(&conn->tls);
    buf_deinit(&conn->held);
    buf_deinit(&conn->out);
    buf_deinit(&conn->flight);
    mem_free(&conn->login_user);
    mem_free(&conn);
}

static void on_closed(uv_handle_t *handle)
{
    struct conn *conn = handle->data;

    conn->socket = SOCKET_GONE;
    maybe_free(conn);
}

static void close_socket(struct conn *conn)
{
    if (conn->socket != SOCKET_CLOSED && conn->socket != SOCKET_GONE) {
        conn->socket = SOCKET_CLOSED;
        conn->is_reading = false;
        uv_close((uv_handle_t *)&conn->tcp, on_closed);
    }
}

/* The peer or the network ended it: the stream says its last command and goes when it is done. */
static void lose_socket(struct conn *conn)
{
    close_socket(conn);
    if (conn->stream != NULL) {
        stream_on_disconnect(conn->stream);
        worker_touch(conn->worker, conn);
    }
}

/* The socket takes what is in conn->out, then no more; what still comes in is dropped. */
static void begin_finish(struct conn *conn, uint64_t now_ms)
{
    conn->socket = SOCKET_FINISHING;
    conn->finish_by_ms = now_ms + FINISH_MS;
}

void conn_cut(struct conn *conn, bool with_session)
{
    if (with_session && conn->stream != NULL) {
        stream_free(&conn->stream);
    }
    lose_socket(conn);
    worker_touch(conn->worker, conn);
}

void conn_shutdown(struct conn *conn)
{
    if (conn->stream != NULL) {
        stream_shutdown(conn->stream);
        worker_touch(conn->worker, conn);
    }
}

void conn_leave(struct conn *conn, uint64_t session, const char *address)
{
    if (conn->stream != NULL && stream_session(conn->stream) == session) {
        stream_leave(conn->stream, address);
        worker_touch(conn->worker, conn);
    }
}

/* ---- TLS */

static void start_tls(struct conn *conn, const char *alpn)
{
    const struct tls_conn_options options = {.alpn = alpn};

    if (tls_conn_new(conn->worker->tls, &options, &conn->tls) != 0) {
        lose_socket(conn);
    }
}

static void tell_tls(struct conn *conn)
{
    struct tls_bindings bindings;
    struct stream_tls facts;

    conn->tls_told = true;
    tls_conn_bindings(conn->tls, &bindings);
    facts = (struct stream_tls){.exporter = slice_make(bindings.exporter, bindings.exporter_len),
                                .end_point = slice_make(bindings.end_point, bindings.end_point_len),
                                .unique = slice_make(bindings.unique, bindings.unique_len),
                                .tls13 = bindings.tls13};
    stream_on_tls(conn->stream, &facts);
}

/* ---- reading */

static void feed_tls(struct conn *conn, struct slice bytes, uint64_t now_ms)
{
    struct buf clear = BUF_EMPTY;
    int rc = tls_conn_feed(conn->tls, bytes, &clear, &conn->out);

    if (rc == ERR_TLS) {
        log_info("conn.tls_failed", LOG_STR("cause", tls_conn_failure(conn->tls)));
    }
    if (!conn->tls_told && tls_conn_handshake_done(conn->tls)) {
        tell_tls(conn);
    }
    if (buf_len(&clear) > 0) {
        stream_feed(conn->stream, buf_slice(&clear), now_ms);
    }
    buf_deinit(&clear);
    if (rc == ERR_TLS) { /* the alert goes out as the last words of a stream do */
        begin_finish(conn, now_ms);
        stream_on_disconnect(conn->stream);
    } else if (rc == ERR_CLOSED) {
        lose_socket(conn);
    }
}

static void feed(struct conn *conn, struct slice bytes)
{
    uint64_t now_ms = clock_mono_ms();

    if (conn->socket == SOCKET_FINISHING) {
        return;
    }
    if (conn->tls != NULL) {
        feed_tls(conn, bytes, now_ms);
    } else {
        stream_feed(conn->stream, bytes, now_ms);
    }
    bucket_take(&conn->bytes, bytes.len, now_ms);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct conn *conn = handle->data;

    (void)suggested;
    *out = uv_buf_init((char *)conn->worker->read_bytes, READ_BYTES_MAX);
}

static void on_read(uv_stream_t *tcp, ssize_t count, const uv_buf_t *buffer)
{
    struct conn *conn = tcp->data;

    if (conn->socket == SOCKET_CLOSED || count == 0) {
        return;
    }
    worker_touch(conn->worker, conn);
    if (count < 0) {
        lose_socket(conn);
        return;
    }
    if (conn->socket == SOCKET_FINISHING) {
        return; /* the last words are being written: what comes in is of no interest */
    }
    if (!core_may_serve(conn->worker->core) || buf_len(&conn->held) > 0) {
        /* P6; and what comes after held bytes, in the same turn of the loop, stays behind them */
        buf_append(&conn->held, slice_make(buffer->base, (size_t)count));
        conn->worker->may_read = false;
        return;
    }
    feed(conn, slice_make(buffer->base, (size_t)count));
}

/* The stream waits while TLS shakes hands. */
static bool wants_read(const struct conn *conn)
{
    bool is_shaking_hands = conn->tls != NULL && !tls_conn_handshake_done(conn->tls);

    return buf_len(&conn->out) < OUT_BYTES_MAX &&
           (is_shaking_hands || stream_wants_read(conn->stream));
}

/* Pay for the stanzas that were acted upon, allow as many as there are tokens. Over its rate a
 * client is not refused anything: it is read when there are tokens again. */
static void count_stanzas(struct conn *conn, uint64_t now_ms)
{
    uint64_t stanza_count = stream_stanza_count(conn->stream);

    bucket_take(&conn->stanzas, stanza_count - conn->stanza_count, now_ms);
    conn->stanza_count = stanza_count;
    stream_allow(conn->stream, bucket_left(&conn->stanzas, now_ms));
}

/* May the client be read, for all we have against it? If not, its silence is not its own. */
static bool may_read(struct conn *conn, uint64_t now_ms)
{
    bool may;

    if (conn->socket != SOCKET_OPEN || conn->stream == NULL) {
        return false;
    }
    count_stanzas(conn, now_ms);
    may = bucket_left(&conn->bytes, now_ms) > 0 && bucket_left(&conn->stanzas, now_ms) > 0;
    if (!may) {
        worker_throttle(conn->worker, conn);
    }
    may = may && conn->worker->may_read;
    stream_hold(conn->stream, !may);
    return may;
}

static void step_reading(struct conn *conn, uint64_t now_ms)
{
    bool wanted = may_read(conn, now_ms) && wants_read(conn);

    /* while the last words go out, reading notices that the peer is gone */
    wanted = wanted || conn->socket == SOCKET_FINISHING;
    if (wanted && buf_len(&conn->held) > 0) {
        struct buf held = conn->held;

        conn->held = BUF_EMPTY;
        feed(conn, buf_slice(&held));
        buf_deinit(&held);
        worker_touch(conn->worker, conn);
        return; /* the stream may want no more: look again at the next step */
    }
    if (wanted == conn->is_reading || conn->socket == SOCKET_CLOSED ||
        conn->socket == SOCKET_GONE) {
        return;
    }
    conn->is_reading = wanted;
    if (wanted) {
        (void)uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read);
    } else {
        (void)uv_read_stop((uv_stream_t *)&conn->tcp);
    }
}

/* ---- writing */

/* Clear bytes of the stream into bytes for the socket. True when some are left that may follow. */
static bool take_output(struct conn *conn, size_t bytes_max)
{
    struct buf *clear = stream_output(conn->stream);
    struct slice bytes = buf_slice(clear);
    size_t len = bytes.len < bytes_max ? bytes.len : bytes_max;

    if (len == 0) {
        return false;
    }
    if (conn->tls == NULL) {
        buf_append(&conn->out, slice_sub(bytes, 0, len));
    } else if (!tls_conn_handshake_done(conn->tls)) {
        return false;
    } else if (tls_conn_write(conn->tls, slice_sub(bytes, 0, len), &conn->out) != 0) {
        lose_socket(conn);
        return false;
    }
    buf_consume(clear, len);
    return bytes.len > len;
}

static void on_written(uv_write_t *write, int status)
{
    struct conn *conn = CONTAINER_OF(write, struct conn, write);

    conn->is_writing = false;
    buf_clear(&conn->flight);
    if (conn->socket == SOCKET_CLOSED) {
        return;
    }
    if (status != 0) {
        lose_socket(conn);
    }
    worker_touch(conn->worker, conn);
}

static uv_buf_t uv_view(const struct buf *buf)
{
    struct slice bytes = buf_slice(buf);

    return uv_buf_init((char *)(uintptr_t)bytes.data, (unsigned)bytes.len);
}

/* One write a turn: what the kernel takes at once, and a request for the rest. */
static void write_out(struct conn *conn)
{
    uv_buf_t view;
    int written;

    if (conn->is_writing || buf_len(&conn->out) == 0) {
        return;
    }
    view = uv_view(&conn->out);
    written = uv_try_write((uv_stream_t *)&conn->tcp, &view, 1);
    if (written < 0 && written != UV_EAGAIN) {
        lose_socket(conn);
        return;
    }
    if (written > 0) {
        buf_consume(&conn->out, (size_t)written);
    }
    if (buf_len(&conn->out) > 0) {
        struct buf rest = conn->out;

        conn->out = conn->flight;
        conn->flight = rest;
        view = uv_view(&conn->flight);
        conn->is_writing = true;
        if (uv_write(&conn->write, (uv_stream_t *)&conn->tcp, &view, 1, on_written) != 0) {
            conn->is_writing = false;
            lose_socket(conn);
        }
    }
}

/* The last bytes are in the kernel. Closing now, with bytes of the peer unread, would reset the
 * connection and could take them away again before the peer has read them: an error that it never
 * sees. So what still comes is read and dropped until the peer hangs up, for a moment. */
static void on_shut(uv_shutdown_t *shutdown, int status)
{
    struct conn *conn = CONTAINER_OF(shutdown, struct conn, shutdown);

    if (status != 0) {
        close_socket(conn);
    } else {
        conn->finish_by_ms = clock_mono_ms() + LINGER_MS;
    }
}

/* ---- the stream's wishes */

static void count_failures(struct conn *conn, uint64_t now_ms)
{
    uint32_t auth_failures = stream_auth_failures(conn->stream);

    for (; conn->auth_failures != auth_failures; conn->auth_failures++) {
        failures_add(conn->worker->failures, &conn->address, now_ms);
    }
}

/* The last words of a stream, unless the socket is gone already: TLS may have failed over the bytes
 * right behind those that ended the stream, and then it takes no more. */
static void finish(struct conn *conn, uint64_t now_ms)
{
    count_failures(conn, now_ms);
    if (conn->socket == SOCKET_OPEN) {
        (void)take_output(conn, SIZE_MAX);
    }
    if (conn->socket == SOCKET_OPEN) {
        if (conn->tls != NULL) {
            tls_conn_close_notify(conn->tls, &conn->out);
        }
        begin_finish(conn, now_ms);
    }
    stream_free(&conn->stream);
}

static void ask_credentials(struct conn *conn, const char *user)
{
    const struct effect_ref ref = {
        .worker = conn->worker->index, .slot = conn->slot, .generation = conn->generation};

    core_ask_credentials(conn->worker->core, &ref, user);
}

/* Not as long as the whole login may take. */
static uint32_t login_pause_ms(const struct worker *worker)
{
    uint32_t half_ms = worker->settings.negotiation_ms / 2;

    return half_ms < LOGIN_PAUSE_MS ? half_ms : LOGIN_PAUSE_MS;
}

static void begin_login(struct conn *conn, const char *user, uint64_t now_ms)
{
    if (failures_are_many(conn->worker->failures, &conn->address, now_ms)) {
        conn->login_user = mem_strdup(user);
        conn->login_at_ms = now_ms + login_pause_ms(conn->worker);
    } else {
        ask_credentials(conn, user);
    }
}

static void step_login(struct conn *conn, uint64_t now_ms)
{
    if (conn->login_user != NULL && now_ms >= conn->login_at_ms) {
        ask_credentials(conn, conn->login_user);
        mem_free(&conn->login_user);
    }
}

static void take_actions(struct conn *conn, uint64_t now_ms)
{
    struct stream_action action;

    while (conn->stream != NULL && stream_pop(conn->stream, &action)) {
        switch (action.kind) {
        case STREAM_START_TLS:
            (void)take_output(conn, SIZE_MAX); /* <proceed/> goes out in clear */
            start_tls(conn, NULL);
            break;
        case STREAM_WANT_CREDENTIALS:
            begin_login(conn, action.user, now_ms);
            break;
        case STREAM_DERIVE:
            login_work_begin_take(conn, action.derivation);
            break;
        case STREAM_COMMAND:
            worker_submit(conn->worker, action.command);
            break;
        case STREAM_REPLACE:
            worker_replace(conn->worker, action.replaced, action.command);
            break;
        case STREAM_PULL:
            core_pull(conn->worker->core, &action.pull);
            break;
        case STREAM_CLOSE:
            finish(conn, now_ms);
            break;
        case STREAM_DROP:
            stream_free(&conn->stream);
            if (conn->socket == SOCKET_OPEN) {
                close_socket(conn);
            }
            break;
        }
    }
}

void conn_step(struct conn *conn, uint64_t now_ms)
{
    if (conn->stream != NULL) {
        count_stanzas(conn, now_ms);
        count_failures(conn, now_ms);
    }
    take_actions(conn, now_ms);
    if (conn->socket == SOCKET_OPEN || conn->socket == SOCKET_FINISHING) {
        bool has_more = conn->socket == SOCKET_OPEN && conn->stream != NULL && !conn->is_writing &&
                        take_output(conn, WRITE_BYTES_MAX);

        write_out(conn);
        if (has_more && !conn->is_writing) {
            worker_touch(conn->worker, conn); /* the kernel took it all: write on */
        }
    }
    if (conn->socket == SOCKET_FINISHING && !conn->is_writing && buf_len(&conn->out) == 0 &&
        conn->shutdown.handle == NULL) {
        (void)uv_shutdown(&conn->shutdown, (uv_stream_t *)&conn->tcp, on_shut);
    }
    step_reading(conn, now_ms);
    maybe_free(conn);
}

/* ---- what the worker is told for this connection */

void conn_on_outcome(struct conn *conn, uint64_t cookie, const struct outcome *outcome,
                     uint64_t now_ms)
{
    if (conn->stream != NULL) {
        stream_on_outcome(conn->stream, cookie, outcome, now_ms);
        worker_touch(conn->worker, conn);
    }
}

void conn_on_delivery_take(struct conn *conn, struct delivery *delivery, uint64_t now_ms)
{
    if (conn->stream != NULL) {
        stream_on_delivery(conn->stream, delivery, now_ms);
        delivery->xml = NULL;
        worker_touch(conn->worker, conn);
    }
}

void conn_on_credentials(struct conn *conn, const struct blob *packed)
{
    Pb__AccountRow *row = NULL;

    if (conn->stream == NULL) {
        return;
    }
    if (packed != NULL) {
        struct slice bytes = blob_slice(packed);

        row = pb__account_row__unpack(NULL, bytes.len, bytes.data);
    }
    stream_on_credentials(conn->stream, row);
    pb__account_row__free_unpacked(row, NULL);
    worker_touch(conn->worker, conn);
}

void conn_on_derived_take(struct conn *conn, struct sasl_derivation *derivation)
{
    if (conn->stream == NULL) {
        sasl_derivation_free(&derivation);
    } else {
        stream_on_derived_take(conn->stream, derivation);
        worker_touch(conn->worker, conn);
    }
}

void conn_on_tick(struct conn *conn, uint64_t now_ms)
{
    if (conn->socket == SOCKET_FINISHING && now_ms >= conn->finish_by_ms) {
        close_socket(conn);
    }
    if (conn->stream != NULL) {
        stream_tick(conn->stream, now_ms);
        step_login(conn, now_ms);
    }
    worker_touch(conn->worker, conn);
}

/* ---- accepting */

static struct stream_config stream_config_of(const struct conn *conn, bool direct_tls)
{
    struct worker *worker = conn->worker;
    const struct worker_settings *settings = &worker->settings;

    return (struct stream_config){
        .owner = {.incarnation = worker->incarnation,
                  .worker = worker->index,
                  .slot = conn->slot,
                  .generation = conn->generation},
        .direct_tls = direct_tls,
        .require_tls = true,
        .resume_window_s = settings->resume_window_s,
        .idle_probe_ms = settings->idle_probe_ms,
        .idle_dead_ms = settings->idle_dead_ms,
        .negotiation_ms = settings->negotiation_ms,
        .stanza_ms = settings->stanza_ms,
        .confirm_ms = settings->confirm_ms,
        .stanza_bytes_max = settings->stanza_bytes_max,
        .output_bytes_max = settings->output_bytes_max,
        .tls_unique_on_tls13 = settings->tls_unique_on_tls13,
        .scram_iterations = settings->scram_iterations,
        .decoy_secret = slice_make(worker->decoy_secret, sizeof(worker->decoy_secret)),
        .default_domain = worker->default_domain,
        .serves_domain = worker_serves_domain,
        .written_version = worker_written_version,
        .about = worker_about,
        .ctx = worker};
}

/* A peer that acknowledges nothing is given up by the kernel as late as the stream would do it. */
static void tune(struct conn *conn)
{
    const struct worker_settings *settings = &conn->worker->settings;
    uv_os_fd_t fd;

    if (uv_fileno((const uv_handle_t *)&conn->tcp, &fd) == 0) {
        listener_tune_client(fd, settings->idle_probe_ms + settings->idle_dead_ms);
    }
}

static void on_refused_closed(uv_handle_t *handle)
{
    struct conn *conn = handle->data;

    mem_free(&conn);
}

struct conn *conn_accept(struct worker *worker, uint32_t slot, uint32_t generation,
                         struct door *door)
{
    struct conn *conn = mem_zalloc(sizeof(*conn));
    struct sockaddr_storage peer;
    int peer_len = sizeof(peer);
    uint64_t now_ms = clock_mono_ms();
    struct stream_config config;

    conn->worker = worker;
    conn->slot = slot;
    conn->generation = generation;
    (void)uv_tcp_init(&worker->loop, &conn->tcp);
    conn->tcp.data = conn;
    if (uv_accept((uv_stream_t *)&door->tcp, (uv_stream_t *)&conn->tcp) != 0 ||
        uv_tcp_getpeername(&conn->tcp, (struct sockaddr *)&peer, &peer_len) != 0) {
        uv_close((uv_handle_t *)&conn->tcp, on_refused_closed);
        return NULL;
    }
    tune(conn);
    conn->address = address_key((const struct sockaddr *)&peer);
    config = stream_config_of(conn, door->direct_tls);
    conn->stream = stream_new(&config, now_ms);
    bucket_init(&conn->bytes, worker->settings.bytes_per_second, worker->settings.burst_s, now_ms);
    bucket_init(&conn->stanzas, worker->settings.stanzas_per_second, worker->settings.burst_s,
                now_ms);
    if (door->direct_tls) {
        start_tls(conn, ALPN_XMPP);
    }
    worker_touch(worker, conn);
    return conn;
}
