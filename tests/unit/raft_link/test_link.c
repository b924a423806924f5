#include "raft/link/link.h"

#include "node/base/buf.h"
#include "node/base/clock.h"
#include "node/base/mem.h"
#include "raft/link/frame.h"
#include "tests/lib/pki/pki.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS    5000
#define SILENCE_MS 600
#define MIB        ((size_t)1024 * 1024)

/* One node: a set, and what it told. */
struct node {
    struct link_set *set;
    uint32_t id;
    unsigned ups, downs, frames;
    size_t bytes;      /* of frames */
    struct buf script; /* "type:text " of small frames, "type#len " of large ones */
    uint64_t down_ms;
    bool corrupt; /* a large frame did not hold what was sent */
    bool closed;
};

struct world {
    uv_loop_t loop;
    struct pki *pki;
};

static void on_up(void *ctx, uint32_t node_id)
{
    struct node *node = ctx;

    (void)node_id;
    assert_int_equal(node->ups, node->downs); /* up and down come alternately */
    node->ups++;
}

static void on_down(void *ctx, uint32_t node_id)
{
    struct node *node = ctx;

    (void)node_id;
    node->downs++;
    assert_int_equal(node->ups, node->downs);
    node->down_ms = clock_mono_ms();
}

static void on_frame(void *ctx, uint32_t node_id, uint8_t type, struct slice bytes)
{
    struct node *node = ctx;

    (void)node_id;
    node->frames++;
    node->bytes += bytes.len;
    if (bytes.len < 64) {
        buf_printf(&node->script, "%u:%.*s ", type, (int)bytes.len, (const char *)bytes.data);
        return;
    }
    buf_printf(&node->script, "%u#%zu ", type, bytes.len);
    for (size_t i = 0; i < bytes.len; i += 4099) {
        node->corrupt = node->corrupt || bytes.data[i] != (uint8_t)(i >> 3);
    }
}

struct options {
    uint32_t id;
    const char *bind;
    const char *common_name; /* NULL: node-<id> */
    const char *dns;
    unsigned authority;
    size_t queue_bytes;
    uint64_t raft_id; /* 0: id << 32 | 1 */
};

static int try_open(struct world *world, const struct options *options, struct node *node)
{
    struct pki_files files;
    struct pki_files trusted;
    char name[32];
    const struct link_events events = {node, on_up, on_down, on_frame};
    struct link_config config = {.loop = &world->loop,
                                 .node_id = options->id,
                                 .raft_id = options->raft_id != 0 ? options->raft_id
                                                                  : (uint64_t)options->id << 32 | 1,
                                 .bind = options->bind == NULL ? "127.0.0.1:0" : options->bind,
                                 .silence_ms = SILENCE_MS};

    *node = (struct node){.id = options->id};
    (void)snprintf(name, sizeof(name), "node-%u", options->id);
    pki_issue(world->pki, options->authority,
              options->common_name == NULL ? name : options->common_name, options->dns, &files);
    pki_issue(world->pki, 0, "unused", NULL, &trusted); /* makes sure that authority 0 is there */
    config.ca_file = trusted.ca;
    config.cert_file = files.cert;
    config.key_file = files.key;
    config.queue_bytes_urgent = options->queue_bytes == 0 ? 64 * MIB : options->queue_bytes;
    config.queue_bytes_bulk = config.queue_bytes_urgent;
    return link_set_open(&config, &events, &node->set);
}

static void open_node(struct world *world, const struct options *options, struct node *node)
{
    assert_int_equal(try_open(world, options, node), 0);
}

static void mark_closed(void *ctx)
{
    struct node *node = ctx;

    node->closed = true;
}

/* Turn the loop until *value is at least wanted; false after WAIT_MS. */
static bool turn_until(struct world *world, const unsigned *value, unsigned wanted)
{
    uint64_t end_ms = clock_mono_ms() + WAIT_MS;

    while (*value < wanted && clock_mono_ms() < end_ms) {
        (void)uv_run(&world->loop, UV_RUN_ONCE); /* the sets' timers bound each turn */
    }
    return *value >= wanted;
}

static void turn_for(struct world *world, uint64_t ms)
{
    uint64_t end_ms = clock_mono_ms() + ms;

    while (clock_mono_ms() < end_ms) {
        (void)uv_run(&world->loop, UV_RUN_ONCE);
    }
}

static void close_node(struct world *world, struct node *node)
{
    link_set_close(node->set, mark_closed, node);
    while (!node->closed) {
        (void)uv_run(&world->loop, UV_RUN_ONCE);
    }
    buf_deinit(&node->script);
}

static void introduce(struct node *node, const struct node *other, const char *host)
{
    char address[64];

    (void)snprintf(address, sizeof(address), "%s:%u", host, link_port(other->set));
    link_set_peer(node->set, other->id, address);
}

static void open_pair(struct world *world, struct node *low, struct node *high)
{
    open_node(world, &(struct options){.id = 1}, low);
    open_node(world, &(struct options){.id = 2}, high);
    introduce(low, high, "127.0.0.1");
    introduce(high, low, "127.0.0.1");
    assert_true(turn_until(world, &low->ups, 1));
    assert_true(turn_until(world, &high->ups, 1));
}

static void close_pair(struct world *world, struct node *low, struct node *high)
{
    close_node(world, high);
    close_node(world, low);
}

static int send_text(struct node *from, uint32_t to, enum link_class class, uint8_t type,
                     const char *text)
{
    const struct slice parts[] = {slice_str(text), slice_make(NULL, 0)};

    return link_send(from->set, to, class, type, parts, ARRAY_COUNT(parts));
}

static int send_large(struct node *from, uint32_t to, enum link_class class, uint8_t type,
                      size_t len)
{
    uint8_t *bytes = mem_alloc(len);
    struct slice part = slice_make(bytes, len);
    int rc;

    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(i >> 3);
    }
    rc = link_send(from->set, to, class, type, &part, 1);
    mem_free(&bytes);
    return rc;
}

static int setup(void **state)
{
    struct world *world = mem_zalloc(sizeof(*world));

    (void)signal(SIGPIPE, SIG_IGN);
    world->pki = pki_new();
    *state = world;
    return uv_loop_init(&world->loop);
}

static int teardown(void **state)
{
    struct world *world = *state;
    int rc;

    (void)uv_run(&world->loop, UV_RUN_DEFAULT);
    rc = uv_loop_close(&world->loop); /* fails when a handle was forgotten */
    pki_free(&world->pki);
    mem_free(&world);
    return rc;
}

/* Goal: two nodes link, frames go both ways in order, both know each other's membership, and the
 * round trip is measured. */
static void test_frames_both_ways_in_order(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;

    open_pair(world, &low, &high);
    assert_int_equal(send_text(&low, 2, LINK_URGENT, 1, "a"), 0);
    assert_int_equal(send_text(&low, 2, LINK_URGENT, 2, "b"), 0);
    assert_int_equal(send_text(&low, 2, LINK_URGENT, 3, ""), 0);
    assert_int_equal(send_text(&high, 1, LINK_BULK, 4, "c"), 0);
    assert_true(turn_until(world, &high.frames, 3));
    assert_true(turn_until(world, &low.frames, 1));
    assert_string_equal(buf_text(&high.script), "1:a 2:b 3: ");
    assert_string_equal(buf_text(&low.script), "4:c ");
    assert_true(link_is_up(low.set, 2));
    assert_false(link_is_up(low.set, 3));
    assert_int_equal(link_raft_id(low.set, 2), (uint64_t)2 << 32 | 1);
    assert_int_equal(link_raft_id(high.set, 1), (uint64_t)1 << 32 | 1);
    turn_for(world, SILENCE_MS / 2);
    assert_true(link_rtt_us(low.set, 2) > 0);
    assert_true(link_rtt_us(high.set, 1) > 0);
    assert_int_equal(low.downs, 0);
    close_pair(world, &low, &high);
}

/* Goal: an urgent frame waits for LINK_WRITE_BYTES_MAX of bulk at most, and bulk arrives whole.
 * Method: queue 40 MiB of bulk, let some of it go, then an urgent frame; it must come before the
 * first bulk frame is complete. */
static void test_urgent_overtakes_bulk(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;

    open_pair(world, &low, &high);
    for (uint8_t i = 0; i < 4; i++) {
        assert_int_equal(send_large(&low, 2, LINK_BULK, i, 10 * MIB), 0);
    }
    assert_true(link_queued_bytes(low.set, 2) >= 40 * MIB);
    while (link_queued_bytes(low.set, 2) > 39 * MIB) {
        (void)uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(high.frames, 0);
    assert_int_equal(send_text(&low, 2, LINK_URGENT, 9, "now"), 0);
    assert_true(turn_until(world, &high.frames, 5));
    assert_string_equal(buf_text(&high.script),
                        "9:now 0#10485760 1#10485760 2#10485760 3#10485760 ");
    assert_false(high.corrupt);
    assert_int_equal(link_queued_bytes(low.set, 2), 0);
    close_pair(world, &low, &high);
}

/* Goal: keys are changed before they wear out, unnoticed.
 * Method: send more than one key's worth (256 MiB) in large frames. */
static void test_keys_change_under_load(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;

    open_pair(world, &low, &high);
    for (unsigned i = 1; i <= 18; i++) {
        assert_int_equal(send_large(&low, 2, LINK_BULK, 1, LINK_FRAME_BYTES_MAX), 0);
        assert_true(turn_until(world, &high.frames, i));
    }
    assert_int_equal(high.bytes, 18 * (size_t)LINK_FRAME_BYTES_MAX);
    assert_false(high.corrupt);
    assert_int_equal(high.downs, 0);
    close_pair(world, &low, &high);
}

/* Goal: queues are bounded by class, a too large frame is refused, one frame larger than the bound
 * still goes, and a link that is down refuses. */
static void test_queue_bounds(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;

    open_node(world, &(struct options){.id = 1, .queue_bytes = 1000}, &low);
    open_node(world, &(struct options){.id = 2}, &high);
    introduce(&low, &high, "127.0.0.1");
    introduce(&high, &low, "127.0.0.1");
    assert_int_equal(send_text(&low, 2, LINK_BULK, 1, "early"), ERR_CLOSED);
    assert_true(turn_until(world, &low.ups, 1));
    assert_true(turn_until(world, &high.ups, 1));
    assert_int_equal(send_large(&low, 2, LINK_BULK, 1, LINK_FRAME_BYTES_MAX + 1), ERR_LIMIT);
    assert_int_equal(send_large(&low, 2, LINK_BULK, 1, 5000), 0);
    assert_int_equal(send_text(&low, 2, LINK_BULK, 1, "full"), ERR_BUSY);
    assert_int_equal(send_text(&low, 2, LINK_URGENT, 2, "other"), 0);
    assert_int_equal(send_text(&low, 3, LINK_URGENT, 2, "who"), ERR_CLOSED);
    assert_true(turn_until(world, &high.frames, 2));
    assert_int_equal(send_text(&low, 2, LINK_BULK, 1, "again"), 0);
    assert_true(turn_until(world, &high.frames, 3));
    close_pair(world, &low, &high);
}

/* Nobody may get a link: run a while and see that none comes up. */
static void expect_refused(struct world *world, const struct options *stranger)
{
    struct node low;
    struct node high;

    open_node(world, &(struct options){.id = 1}, &low);
    open_node(world, stranger, &high);
    introduce(&low, &high, "127.0.0.1");
    introduce(&high, &low, "127.0.0.1");
    turn_for(world, 300);
    assert_int_equal(low.ups, 0);
    assert_int_equal(high.ups, 0);
    close_pair(world, &low, &high);
}

/* Goal: only certificates of the cluster CA that name a known node open a link. Method: another
 * CA; names of another node, of no node, of two nodes, not canonical. */
static void test_wrong_certificates_are_refused(void **state)
{
    struct world *world = *state;

    expect_refused(world, &(struct options){.id = 2, .authority = 1});
    expect_refused(world, &(struct options){.id = 2, .common_name = "node-3"});
    expect_refused(world, &(struct options){.id = 2, .common_name = "node-1"});
    expect_refused(world, &(struct options){.id = 2, .common_name = "host-2"});
    expect_refused(world, &(struct options){.id = 2, .common_name = "node-02"});
    expect_refused(world, &(struct options){.id = 2, .common_name = "node-2x"});
    expect_refused(world, &(struct options){.id = 2, .dns = "node-3"});
}

/* Goal: the dialling side checks the name too. Method: node 3 answers at the address of node 1. */
static void test_dialled_name_is_checked(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;

    open_node(world, &(struct options){.id = 1, .common_name = "node-3"}, &low);
    open_node(world, &(struct options){.id = 2}, &high);
    introduce(&low, &high, "127.0.0.1");
    introduce(&high, &low, "127.0.0.1");
    turn_for(world, 300);
    assert_int_equal(low.ups + high.ups, 0);
    close_pair(world, &low, &high);
}

/* Goal: a DNS name "node-<id>" is as good as the common name. */
static void test_dns_name_is_accepted(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;

    open_node(world, &(struct options){.id = 1, .common_name = "a.example", .dns = "node-1"}, &low);
    open_node(world, &(struct options){.id = 2, .common_name = "node-2", .dns = "b.example"},
              &high);
    introduce(&low, &high, "127.0.0.1");
    introduce(&high, &low, "127.0.0.1");
    assert_true(turn_until(world, &low.ups, 1));
    assert_true(turn_until(world, &high.ups, 1));
    close_pair(world, &low, &high);
}

/* Goal: a node that is not (or no longer) a peer is refused, and dropping a peer closes its link.
 */
static void test_unknown_and_dropped_peers(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;

    open_node(world, &(struct options){.id = 1}, &low);
    open_node(world, &(struct options){.id = 2}, &high);
    introduce(&high, &low, "127.0.0.1");
    turn_for(world, 200);
    assert_int_equal(low.ups + high.ups, 0);
    introduce(&low, &high, "127.0.0.1");
    assert_true(turn_until(world, &low.ups, 1));
    assert_true(turn_until(world, &high.ups, 1));

    link_drop_peer(low.set, 2);
    assert_false(link_is_up(low.set, 2));
    assert_int_equal(low.downs, 0); /* never from inside a call */
    assert_true(turn_until(world, &low.downs, 1));
    assert_true(turn_until(world, &high.downs, 1));
    turn_for(world, 200);
    assert_int_equal(low.ups, 1);
    close_pair(world, &low, &high);
}

/* Goal: a removed raft id gets no link, whichever side knows of the removal, and a link that is up
 * under it goes down; the same node under a new raft id is welcome. */
static void test_retired_raft_id_is_refused(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;
    struct node again;

    open_pair(world, &low, &high);
    link_retire(low.set, link_raft_id(low.set, 2));
    assert_true(turn_until(world, &low.downs, 1));
    assert_true(turn_until(world, &high.downs, 1));
    turn_for(world, 200);
    assert_int_equal(low.ups, 1);
    assert_int_equal(high.ups, 1);
    close_node(world, &high);

    open_node(world, &(struct options){.id = 2, .raft_id = (uint64_t)2 << 32 | 2}, &again);
    link_retire(again.set, 77);
    introduce(&again, &low, "127.0.0.1");
    assert_true(turn_until(world, &again.ups, 1));
    assert_true(turn_until(world, &low.ups, 2));
    link_retire(again.set, (uint64_t)1 << 32 | 1);
    assert_true(turn_until(world, &again.downs, 1));
    close_pair(world, &low, &again);
}

/* Goal: a clean close is seen at once, and the node that comes back is linked again.
 * Method: close one side, time on_down of the other, open it anew at the same port. */
static void test_close_and_reconnect(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;
    struct node again;
    char bind[64];
    uint64_t closed_ms;

    open_pair(world, &low, &high);
    (void)snprintf(bind, sizeof(bind), "127.0.0.1:%u", link_port(low.set));
    assert_int_equal(send_text(&low, 2, LINK_URGENT, 1, "bye"), 0);
    closed_ms = clock_mono_ms();
    close_node(world, &low);
    assert_true(turn_until(world, &high.downs, 1));
    assert_true(high.down_ms - closed_ms < 100);
    assert_string_equal(buf_text(&high.script), "1:bye "); /* what was queued went first */

    open_node(world, &(struct options){.id = 1, .bind = bind}, &again);
    introduce(&again, &high, "127.0.0.1");
    assert_true(turn_until(world, &again.ups, 1));
    assert_true(turn_until(world, &high.ups, 2));
    close_pair(world, &again, &high);
}

/* The child of the kill tests: node 2, dialling node 1 at port, until it is killed. */
static void run_child(uint16_t port, struct pki_files files)
{
    struct world world = {.pki = NULL};
    struct node node = {.id = 2};
    const struct link_events events = {&node, on_up, on_down, on_frame};
    const struct link_config config = {.loop = &world.loop,
                                       .node_id = 2,
                                       .raft_id = 2,
                                       .bind = "127.0.0.1:0",
                                       .ca_file = files.ca,
                                       .cert_file = files.cert,
                                       .key_file = files.key,
                                       .silence_ms = SILENCE_MS};
    char address[64];

    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", port);
    if (uv_loop_init(&world.loop) != 0 || link_set_open(&config, &events, &node.set) != 0) {
        _exit(1);
    }
    link_set_peer(node.set, 1, address);
    (void)uv_run(&world.loop, UV_RUN_DEFAULT);
    _exit(2);
}

/* Start node 2 as a process of its own, wait until it is linked, send it a signal and return how
 * long the other side took to notice. */
static uint64_t time_signal(struct world *world, int number)
{
    struct pki_files files;
    struct node low;
    uint64_t sent_ms;
    uint64_t took_ms;
    pid_t child;

    pki_issue(world->pki, 0, "node-2", NULL, &files);
    open_node(world, &(struct options){.id = 1}, &low);
    link_set_peer(low.set, 2, "127.0.0.1:1");
    child = fork();
    if (child == 0) {
        run_child(link_port(low.set), files);
    }
    assert_true(turn_until(world, &low.ups, 1));
    sent_ms = clock_mono_ms();
    (void)kill(child, number);
    assert_true(turn_until(world, &low.downs, 1));
    took_ms = low.down_ms - sent_ms;
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    close_node(world, &low);
    return took_ms;
}

/* Goal: the death of a process is noticed at once, not after the silence. */
static void test_kill_is_seen_at_once(void **state)
{
    assert_true(time_signal(*state, SIGKILL) < 200);
}

/* Goal: a process that hangs is noticed after the silence (its kernel goes on acknowledging). */
static void test_silence_is_noticed(void **state)
{
    uint64_t took_ms = time_signal(*state, SIGSTOP);

    assert_true(took_ms > SILENCE_MS / 2);
    assert_true(took_ms < SILENCE_MS * 3);
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Goal: strangers at the port disturb nobody: garbage is answered by a close, silent connections
 * are cut, and a peer still gets in between many of them.
 * Method: a scanner's bytes, and 60 silent connections, before the peer dials. */
static void test_strangers_do_no_harm(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;
    int silent[60];
    char byte;
    int fd;

    open_node(world, &(struct options){.id = 1}, &low);
    fd = connect_to(link_port(low.set));
    assert_int_equal(send(fd, "GET / HTTP/1.0\r\n\r\n", 18, 0), 18);
    turn_for(world, 100);
    while (recv(fd, &byte, 1, MSG_DONTWAIT) > 0) {
        continue; /* the TLS alert */
    }
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
    (void)close(fd);

    for (size_t i = 0; i < ARRAY_COUNT(silent); i++) {
        silent[i] = connect_to(link_port(low.set));
        while (uv_run(&world->loop, UV_RUN_NOWAIT) == 0) {
            continue;
        }
    }
    assert_int_equal(recv(silent[0], &byte, 1, MSG_DONTWAIT), 0); /* the oldest had to go */
    open_node(world, &(struct options){.id = 2}, &high);
    introduce(&low, &high, "127.0.0.1");
    introduce(&high, &low, "127.0.0.1");
    assert_true(turn_until(world, &low.ups, 1));
    for (size_t i = 0; i < ARRAY_COUNT(silent); i++) {
        (void)close(silent[i]);
    }
    assert_true(turn_until(world, &high.ups, 1));
    close_pair(world, &low, &high);
}

/* ---------------------------------------------------------------- a member that misbehaves */

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

/* Goal: IPv6 literals and host names work; a name that does not exist keeps nothing waiting. */
static void test_ipv6_and_names(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;
    char address[64];

    open_node(world, &(struct options){.id = 1, .bind = "[::1]:0"}, &low);
    open_node(world, &(struct options){.id = 2, .bind = "[::]:0"}, &high);
    introduce(&low, &high, "127.0.0.1");
    link_set_peer(high.set, 1, "no-such-host.invalid:1");
    turn_for(world, 50);
    introduce(&high, &low, "[::1]");
    assert_true(turn_until(world, &low.ups, 1));
    assert_true(turn_until(world, &high.ups, 1));
    close_pair(world, &low, &high);

    open_node(world, &(struct options){.id = 1, .bind = "127.0.0.1:0"}, &low);
    open_node(world, &(struct options){.id = 2}, &high);
    assert_int_equal(gethostname(address, sizeof(address)), 0);
    introduce(&low, &high, "127.0.0.1");
    introduce(&high, &low, "ip4-localhost.localdomain.invalid");
    introduce(&high, &low, "LOCALHOST"); /* not the literal: goes through the resolver */
    assert_true(turn_until(world, &low.ups, 1));
    assert_true(turn_until(world, &high.ups, 1));
    close_pair(world, &low, &high);
}

/* Goal: unusable files and addresses are errors of the open call. */
static void test_open_errors(void **state)
{
    struct world *world = *state;
    struct node node;
    struct node taken;
    char bind[64];
    const struct link_config config = {.loop = &world->loop,
                                       .node_id = 1,
                                       .bind = "127.0.0.1:0",
                                       .silence_ms = 1,
                                       .ca_file = "/nonexistent",
                                       .cert_file = "/nonexistent",
                                       .key_file = "/nonexistent"};
    const struct link_events events = {NULL, on_up, on_down, on_frame};

    assert_int_equal(link_set_open(&config, &events, &node.set), ERR_TLS);
    assert_int_equal(try_open(world, &(struct options){.id = 1, .bind = "127.0.0.1"}, &node),
                     ERR_IO);
    open_node(world, &(struct options){.id = 1}, &taken);
    (void)snprintf(bind, sizeof(bind), "127.0.0.1:%u", link_port(taken.set));
    assert_int_equal(try_open(world, &(struct options){.id = 1, .bind = bind}, &node), ERR_IO);
    close_node(world, &taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_frames_both_ways_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_urgent_overtakes_bulk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys_change_under_load, setup, teardown),
        cmocka_unit_test_setup_teardown(test_queue_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_certificates_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dialled_name_is_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dns_name_is_accepted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_and_dropped_peers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retired_raft_id_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close_and_reconnect, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kill_is_seen_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silence_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strangers_do_no_harm, setup, teardown),
        cmocka_unit_test_setup_teardown(test_member_that_misbehaves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ipv6_and_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_errors, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
