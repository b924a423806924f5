/* link_world - link sets of several nodes in one process, on one loop, for the tests of raft/link.
 */
#ifndef TESTS_UNIT_RAFT_LINK_LINK_WORLD_H
#define TESTS_UNIT_RAFT_LINK_LINK_WORLD_H

#include "node/base/buf.h"
#include "node/base/clock.h"
#include "node/base/mem.h"
#include "raft/link/link.h"
#include "tests/lib/pki/pki.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
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
    const char *refusal; /* of peers whose log is empty; NULL: they are welcome */
};

struct world {
    uv_loop_t loop;
    struct pki *pki;
};

static inline void on_up(void *ctx, uint32_t node_id)
{
    struct node *node = ctx;

    (void)node_id;
    assert_int_equal(node->ups, node->downs); /* up and down come alternately */
    node->ups++;
}

static inline void on_down(void *ctx, uint32_t node_id)
{
    struct node *node = ctx;

    (void)node_id;
    node->downs++;
    assert_int_equal(node->ups, node->downs);
    node->down_ms = clock_mono_ms();
}

static inline const char *refuse(void *ctx, uint32_t node_id, uint64_t raft_id, bool log_is_empty)
{
    const struct node *node = ctx;

    (void)node_id;
    (void)raft_id;
    return log_is_empty ? node->refusal : NULL;
}

static inline void on_frame(void *ctx, uint32_t node_id, uint8_t type, struct slice bytes)
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
    uint16_t newest;
};

static inline int try_open(struct world *world, const struct options *options, struct node *node)
{
    struct pki_files files;
    struct pki_files trusted;
    char name[32];
    const struct link_events events = {
        .ctx = node, .on_up = on_up, .on_down = on_down, .refuse = refuse, .on_frame = on_frame};
    struct link_config config = {.loop = &world->loop,
                                 .node_id = options->id,
                                 .raft_id = options->raft_id != 0 ? options->raft_id
                                                                  : (uint64_t)options->id << 32 | 1,
                                 .bind = options->bind == NULL ? "127.0.0.1:0" : options->bind,
                                 .newest = options->newest,
                                 .silence_ms = SILENCE_MS};

    *node = (struct node){.id = options->id};
    (void)snprintf(name, sizeof(name), "node-%u", options->id);
    pki_issue(world->pki, options->authority,
              options->common_name == NULL ? name : options->common_name, options->dns, &files);
    pki_issue(world->pki, 0, "unused", NULL, &trusted); /* makes sure that authority 0 is there */
    config.files = (struct link_files){trusted.ca, files.cert, files.key};
    config.queue_bytes_urgent = options->queue_bytes == 0 ? 64 * MIB : options->queue_bytes;
    config.queue_bytes_bulk = config.queue_bytes_urgent;
    return link_set_open(&config, &events, &node->set);
}

static inline void open_node(struct world *world, const struct options *options, struct node *node)
{
    assert_int_equal(try_open(world, options, node), 0);
}

static inline void mark_closed(void *ctx)
{
    struct node *node = ctx;

    node->closed = true;
}

/* Turn the loop until *value is at least wanted; false after WAIT_MS. */
static inline bool turn_until(struct world *world, const unsigned *value, unsigned wanted)
{
    uint64_t end_ms = clock_mono_ms() + WAIT_MS;

    while (*value < wanted && clock_mono_ms() < end_ms) {
        (void)uv_run(&world->loop, UV_RUN_ONCE); /* the sets' timers bound each turn */
    }
    return *value >= wanted;
}

static inline void turn_for(struct world *world, uint64_t ms)
{
    uint64_t end_ms = clock_mono_ms() + ms;

    while (clock_mono_ms() < end_ms) {
        (void)uv_run(&world->loop, UV_RUN_ONCE);
    }
}

static inline void close_node(struct world *world, struct node *node)
{
    link_set_close(node->set, mark_closed, node);
    while (!node->closed) {
        (void)uv_run(&world->loop, UV_RUN_ONCE);
    }
    buf_deinit(&node->script);
}

static inline void introduce(struct node *node, const struct node *other, const char *host)
{
    char address[64];

    (void)snprintf(address, sizeof(address), "%s:%u", host, link_port(other->set));
    link_set_peer(node->set, other->id, address);
}

static inline void open_pair(struct world *world, struct node *low, struct node *high)
{
    open_node(world, &(struct options){.id = 1}, low);
    open_node(world, &(struct options){.id = 2}, high);
    introduce(low, high, "127.0.0.1");
    introduce(high, low, "127.0.0.1");
    assert_true(turn_until(world, &low->ups, 1));
    assert_true(turn_until(world, &high->ups, 1));
}

static inline void close_pair(struct world *world, struct node *low, struct node *high)
{
    close_node(world, high);
    close_node(world, low);
}

static inline int send_text(struct node *from, uint32_t to, enum link_class class, uint8_t type,
                            const char *text)
{
    const struct slice parts[] = {slice_str(text), slice_make(NULL, 0)};

    return link_send(from->set, to, class, type, parts, ARRAY_COUNT(parts));
}

static inline int send_large(struct node *from, uint32_t to, enum link_class class, uint8_t type,
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

static inline int setup(void **state)
{
    struct world *world = mem_zalloc(sizeof(*world));

    (void)signal(SIGPIPE, SIG_IGN);
    world->pki = pki_new();
    *state = world;
    return uv_loop_init(&world->loop);
}

/* A test that failed has left its sets open, which would keep the loop alive for ever. */
static inline int teardown(void **state)
{
    struct world *world = *state;
    uint64_t end_ms = clock_mono_ms() + WAIT_MS;
    int rc;

    while (uv_run(&world->loop, UV_RUN_NOWAIT) != 0 && clock_mono_ms() < end_ms) {
        (void)usleep(1000);
    }
    rc = uv_loop_close(&world->loop); /* fails when a handle was forgotten */
    if (rc != 0) {
        return rc; /* what is still open may use the world */
    }
    pki_free(&world->pki);
    mem_free(&world);
    return 0;
}

/* A stranger's connection to a listener. */
static inline int connect_to(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

#endif
