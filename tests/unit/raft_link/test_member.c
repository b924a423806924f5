/* A member of the cluster that breaks the protocol of the links. */
#include "raft/link/frame.h"
#include "tests/unit/raft_link/link_world.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <unistd.h>

/* Node 2, by its certificate, over a TLS client that sends what it is told. */
struct rogue {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
};

static void open_rogue(struct world *world, struct rogue *rogue, uint16_t port)
{
    struct pki_files files;

    pki_issue(world->pki, 0, "node-2", NULL, &files);
    rogue->ctx = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_use_certificate_file(rogue->ctx, files.cert, SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(rogue->ctx, files.key, SSL_FILETYPE_PEM), 1);
    rogue->fd = connect_to(port);
    assert_int_equal(fcntl(rogue->fd, F_SETFL, O_NONBLOCK), 0);
    rogue->ssl = SSL_new(rogue->ctx);
    assert_int_equal(SSL_set_fd(rogue->ssl, rogue->fd), 1);
    SSL_set_connect_state(rogue->ssl);
    while (SSL_do_handshake(rogue->ssl) != 1) {
        (void)uv_run(&world->loop, UV_RUN_NOWAIT);
    }
}

static void close_rogue(struct rogue *rogue)
{
    SSL_free(rogue->ssl);
    SSL_CTX_free(rogue->ctx);
    (void)close(rogue->fd);
}

/* Did the other side end the connection within a time? What it sent before is read and dropped. */
static bool rogue_is_cut(struct world *world, struct rogue *rogue)
{
    uint64_t end_ms = clock_mono_ms() + 300;
    char bytes[256];

    while (clock_mono_ms() < end_ms) {
        int rc;

        (void)uv_run(&world->loop, UV_RUN_NOWAIT);
        rc = SSL_read(rogue->ssl, bytes, sizeof(bytes));
        if (rc <= 0 && SSL_get_error(rogue->ssl, rc) != SSL_ERROR_WANT_READ) {
            return true;
        }
    }
    return false;
}

static void put_hello(struct buf *out, uint16_t version, uint16_t version_min)
{
    const struct frame_hello hello = {
        .version = version, .version_min = version_min, .raft_id = 77};

    frame_put_hello(out, &hello);
}

static void put_ready(struct buf *out)
{
    put_hello(out, LINK_VERSION, LINK_VERSION_MIN);
    frame_put_control(out, FRAME_READY, slice_make(NULL, 0));
}

static void send_data_first(struct buf *out)
{
    frame_put_piece_head(out, LINK_URGENT, 1, 0, false);
}

static void send_ready_first(struct buf *out)
{
    frame_put_control(out, FRAME_READY, slice_make(NULL, 0));
}

static void send_too_new_version(struct buf *out)
{
    put_hello(out, LINK_VERSION + 2, LINK_VERSION + 1);
}

static void send_too_old_version(struct buf *out)
{
    put_hello(out, LINK_VERSION_MIN - 1, 0);
}

static void send_long_head(struct buf *out)
{
    put_ready(out);
    buf_append_u32(out, UINT32_MAX);
    buf_append_u32(out, (uint32_t)FRAME_DATA << 24);
}

static void send_oversized_frame(struct buf *out)
{
    static const uint8_t zeros[FRAME_PIECE_BYTES_MAX];

    put_ready(out);
    for (size_t sent = 0; sent <= LINK_FRAME_BYTES_MAX; sent += sizeof(zeros)) {
        frame_put_piece_head(out, LINK_BULK, 1, sizeof(zeros), true);
        buf_append(out, slice_make(zeros, sizeof(zeros)));
    }
}

static void send_second_hello(struct buf *out)
{
    put_ready(out);
    put_hello(out, LINK_VERSION, LINK_VERSION_MIN);
}

static void send_newer_but_compatible(struct buf *out)
{
    put_hello(out, LINK_VERSION + 1, LINK_VERSION_MIN);
    frame_put_control(out, FRAME_READY, slice_make(NULL, 0));
}

/* Send all of it, or until the other side has had enough. */
static void rogue_send(struct world *world, struct rogue *rogue, struct buf *bytes)
{
    while (buf_len(bytes) > 0) {
        size_t written;

        if (SSL_write_ex(rogue->ssl, buf_slice(bytes).data,
                         buf_len(bytes) < 16384 ? buf_len(bytes) : 16384, &written) == 1) {
            buf_consume(bytes, written);
        } else if (SSL_get_error(rogue->ssl, 0) != SSL_ERROR_WANT_WRITE) {
            return;
        }
        (void)uv_run(&world->loop, UV_RUN_NOWAIT);
    }
}

/* Goal: a member that breaks the protocol loses its link, and nothing else happens; one of a newer
 * version that still speaks ours is welcome. */
static void test_member_that_misbehaves(void **state)
{
    const struct {
        void (*make)(struct buf *out);
        unsigned ups;
        bool cut;
    } rows[] = {
        {send_data_first, 0, true},      {send_ready_first, 0, true},
        {send_too_new_version, 0, true}, {send_too_old_version, 0, true},
        {send_long_head, 1, true},       {send_oversized_frame, 1, true},
        {send_second_hello, 1, true},    {send_newer_but_compatible, 1, false},
    };
    struct world *world = *state;

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct buf bytes = BUF_EMPTY;
        struct rogue rogue;
        struct node low;

        open_node(world, &(struct options){.id = 1}, &low);
        link_set_peer(low.set, 2, "127.0.0.1:1");
        open_rogue(world, &rogue, link_port(low.set));
        rows[i].make(&bytes);
        rogue_send(world, &rogue, &bytes);
        assert_int_equal(rogue_is_cut(world, &rogue), rows[i].cut);
        assert_int_equal(low.ups, rows[i].ups);
        assert_int_equal(low.downs, rows[i].cut ? rows[i].ups : 0);
        assert_int_equal(low.frames, 0);
        close_rogue(&rogue);
        buf_deinit(&bytes);
        close_node(world, &low);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_member_that_misbehaves, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
