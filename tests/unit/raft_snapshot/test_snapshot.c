/* Two nodes' copies over a pretended log: this file defines the two functions of raft/log/extend.h
 * itself, with one thread that plays the raft threads of both nodes and the link between them. */
#include "raft/snapshot/snapshot.h"

#include "node/base/buf.h"
#include "node/base/clock.h"
#include "node/base/mem.h"
#include "raft/snapshot/copy_frame.h"
#include "tests/lib/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 20000
#define SOURCE  1
#define TARGET  2

/* A call or a frame on its way. */
struct item {
    struct item *next;
    struct rlog *to;
    void (*call)(struct rlog *rlog, void *ctx);
    void *ctx;
    uint32_t from_node;
    uint8_t type;
    struct buf bytes;
};

struct world;

/* One node: what the module under test takes for the log. */
struct rlog {
    struct world *world;
    uint32_t node_id;
    struct snapshot *snapshot;
    char path[SCRATCH_BYTES + 16];

    /* source */
    size_t copy_bytes;
    uint64_t applied;
    int copy_status;

    /* target */
    unsigned answers;
    uint64_t fetched_index;
    int fetched_status;
};

struct world {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct item *first;
    struct item *last;
    bool stopping;
    struct rlog nodes[2];
    char dir[SCRATCH_BYTES];

    /* faults */
    unsigned busy_left;       /* sends that are refused first */
    int64_t data_until_fault; /* DATA frames until the fault happens; -1: never */
    enum { FAULT_FLIP, FAULT_LOSE, FAULT_LINK } fault;
    bool link_down;
    size_t ahead_max; /* most bytes sent beyond those acknowledged */
    uint64_t sent, acked;
};

static void push(struct world *world, struct item *item)
{
    (void)pthread_mutex_lock(&world->mutex);
    if (world->first == NULL) {
        world->first = item;
    } else {
        world->last->next = item;
    }
    world->last = item;
    (void)pthread_cond_broadcast(&world->changed);
    (void)pthread_mutex_unlock(&world->mutex);
}

void rlog_extension_call(struct rlog *rlog, void (*call)(struct rlog *rlog, void *ctx), void *ctx)
{
    struct item *item = mem_zalloc(sizeof(*item));

    item->to = rlog;
    item->call = call;
    item->ctx = ctx;
    push(rlog->world, item);
}

static void watch_window(struct world *world, const struct item *item)
{
    if (item->type == COPY_DATA) {
        world->sent = get_u64(item->bytes.data + 8) + buf_len(&item->bytes) - 16;
    } else if (item->type == COPY_ACK) {
        world->acked = get_u64(item->bytes.data + 8);
    }
    if (world->sent > world->acked && world->sent - world->acked > world->ahead_max) {
        world->ahead_max = (size_t)(world->sent - world->acked);
    }
}

static void set_link(struct world *world, bool up)
{
    (void)pthread_mutex_lock(&world->mutex);
    world->link_down = !up;
    (void)pthread_mutex_unlock(&world->mutex);
    for (size_t i = 0; i < 2; i++) {
        struct rlog *node = &world->nodes[i];
        const struct rlog_extension *extension = snapshot_extension(node->snapshot);

        extension->on_link(extension->ctx, world->nodes[1 - i].node_id, up);
    }
}

/* True when the frame is not to be delivered. */
static bool inject_fault(struct world *world, struct item *item)
{
    if (item->type != COPY_DATA || world->data_until_fault < 0 || world->data_until_fault-- > 0) {
        return false;
    }
    switch (world->fault) {
    case FAULT_FLIP:
        item->bytes.data[20] ^= 1;
        return false;
    case FAULT_LOSE:
        return true;
    case FAULT_LINK:
        break;
    }
    set_link(world, false);
    return true;
}

/* Raft thread, as in the real one. */
int rlog_extension_send(struct rlog *rlog, uint32_t node_id, uint8_t type,
                        const struct slice *parts, size_t part_count)
{
    struct world *world = rlog->world;
    struct item *item;

    assert_int_equal(node_id, 3 - rlog->node_id);
    if (world->link_down) {
        return ERR_CLOSED;
    }
    if (world->busy_left > 0) {
        world->busy_left--;
        return ERR_BUSY;
    }
    item = mem_zalloc(sizeof(*item));
    item->to = &world->nodes[2 - rlog->node_id];
    item->from_node = rlog->node_id;
    item->type = type;
    for (size_t i = 0; i < part_count; i++) {
        buf_append(&item->bytes, parts[i]);
    }
    watch_window(world, item);
    push(world, item);
    return 0;
}

static void handle(struct world *world, struct item *item)
{
    const struct rlog_extension *extension = snapshot_extension(item->to->snapshot);

    if (item->call != NULL) {
        item->call(item->to, item->ctx);
    } else if (!world->link_down && !inject_fault(world, item)) {
        extension->on_frame(extension->ctx, item->from_node, item->type, buf_slice(&item->bytes));
    }
    buf_deinit(&item->bytes);
    mem_free(&item);
}

static void *run_world(void *ctx)
{
    struct world *world = ctx;

    (void)pthread_mutex_lock(&world->mutex);
    while (!world->stopping || world->first != NULL) {
        struct item *item = world->first;

        if (item == NULL) {
            (void)pthread_cond_wait(&world->changed, &world->mutex);
            continue;
        }
        world->first = item->next;
        (void)pthread_mutex_unlock(&world->mutex);
        handle(world, item);
        (void)pthread_mutex_lock(&world->mutex);
    }
    (void)pthread_mutex_unlock(&world->mutex);
    return NULL;
}

static uint8_t sample_byte(size_t at)
{
    return (uint8_t)(at * 7 + (at >> 11));
}

static uint64_t copied_index(void *ctx)
{
    const struct rlog *node = ctx;

    return node->applied;
}

static int write_copy(void *ctx, int fd, uint64_t *applied_out)
{
    const struct rlog *node = ctx;
    uint8_t bytes[10007];

    for (size_t at = 0; at < node->copy_bytes; at += sizeof(bytes)) {
        size_t len = node->copy_bytes - at < sizeof(bytes) ? node->copy_bytes - at : sizeof(bytes);

        for (size_t i = 0; i < len; i++) {
            bytes[i] = sample_byte(at + i);
        }
        for (size_t done = 0; done < len;) {
            struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
            ssize_t written = write(fd, bytes + done, len - done);

            if (written < 0 && errno != EAGAIN) {
                return ERR_IO;
            }
            if (written < 0) {
                (void)poll(&poll_fd, 1, -1);
            }
            done += written > 0 ? (size_t)written : 0;
        }
    }
    *applied_out = node->applied;
    return node->copy_status;
}

static void on_fetched(void *ctx, uint64_t applied_index, int status)
{
    struct rlog *node = ctx;

    (void)pthread_mutex_lock(&node->world->mutex);
    node->answers++;
    node->fetched_index = applied_index;
    node->fetched_status = status;
    (void)pthread_cond_broadcast(&node->world->changed);
    (void)pthread_mutex_unlock(&node->world->mutex);
}

static int setup(void **state)
{
    struct world *world = mem_zalloc(sizeof(*world));

    scratch_folder(world->dir, "snapshot");
    (void)pthread_mutex_init(&world->mutex, NULL);
    (void)pthread_cond_init(&world->changed, NULL);
    world->data_until_fault = -1;
    for (uint32_t i = 0; i < 2; i++) {
        struct rlog *node = &world->nodes[i];

        node->world = world;
        node->node_id = i + 1;
        node->copy_bytes = 20 * 1000 * 1000 + 1;
        node->applied = 500;
        (void)snprintf(node->path, sizeof(node->path), "%s/incoming-%u", world->dir, i + 1);
        node->snapshot = snapshot_new(&(struct snapshot_config){.path = node->path,
                                                                .ctx = node,
                                                                .copied_index = copied_index,
                                                                .write_copy = write_copy,
                                                                .on_fetched = on_fetched});
        snapshot_start(node->snapshot, node);
    }
    assert_int_equal(pthread_create(&world->thread, NULL, run_world, world), 0);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    for (size_t i = 0; i < 2; i++) {
        snapshot_stop(world->nodes[i].snapshot);
    }
    (void)pthread_mutex_lock(&world->mutex);
    world->stopping = true;
    (void)pthread_cond_broadcast(&world->changed);
    (void)pthread_mutex_unlock(&world->mutex);
    (void)pthread_join(world->thread, NULL);
    for (size_t i = 0; i < 2; i++) {
        snapshot_free(&world->nodes[i].snapshot);
        (void)unlink(world->nodes[i].path);
    }
    (void)rmdir(world->dir);
    (void)pthread_cond_destroy(&world->changed);
    (void)pthread_mutex_destroy(&world->mutex);
    mem_free(&world);
    return 0;
}

/* Fetch and wait for the answer; returns its status. */
static int fetch_from(struct world *world, uint32_t from_node, uint64_t index_min)
{
    struct rlog *target = &world->nodes[TARGET - 1];
    uint64_t end_ms = clock_mono_ms() + WAIT_MS;
    unsigned answers;
    int status;

    (void)pthread_mutex_lock(&world->mutex);
    answers = target->answers + 1;
    (void)pthread_mutex_unlock(&world->mutex);
    snapshot_fetch(target->snapshot, from_node, index_min);
    for (;;) {
        bool answered;

        (void)pthread_mutex_lock(&world->mutex);
        answered = target->answers >= answers;
        status = target->fetched_status;
        (void)pthread_mutex_unlock(&world->mutex);
        if (answered) {
            return status;
        }
        assert_true(clock_mono_ms() < end_ms);
        (void)usleep(1000);
    }
}

static int fetch(struct world *world, uint64_t index_min)
{
    return fetch_from(world, SOURCE, index_min);
}

static void expect_copy(const struct world *world)
{
    const struct rlog *target = &world->nodes[TARGET - 1];
    FILE *file = fopen(target->path, "rb");
    size_t at = 0;
    int byte;

    assert_non_null(file);
    while ((byte = fgetc(file)) != EOF) {
        assert_int_equal(byte, sample_byte(at));
        at++;
    }
    (void)fclose(file);
    assert_int_equal(at, world->nodes[SOURCE - 1].copy_bytes);
    assert_int_equal(target->fetched_index, 500);
}

static void expect_no_file(const struct world *world)
{
    assert_int_not_equal(access(world->nodes[TARGET - 1].path, F_OK), 0);
}

/* Goal: a copy arrives byte for byte, with its index, within the window, also when the link's queue
 * is full at times; a second one replaces the first. */
static void test_copy_arrives(void **state)
{
    struct world *world = *state;

    world->busy_left = 5;
    assert_int_equal(fetch(world, 500), 0);
    expect_copy(world);
    assert_true(world->ahead_max <= COPY_WINDOW_BYTES_MAX);
    assert_true(world->ahead_max >= COPY_CHUNK_BYTES_MAX);

    world->nodes[SOURCE - 1].copy_bytes = 12345;
    assert_int_equal(fetch(world, 1), 0);
    expect_copy(world);
    world->nodes[SOURCE - 1].copy_bytes = 0;
    assert_int_equal(fetch(world, 1), 0);
    expect_copy(world);
}

/* Goal: a copy that is older than asked for, or that the source can not make, is refused with the
 * reason, and nothing stays in the file. Method: the one that is too old would never end: it is
 * refused before it is made. */
static void test_source_refuses(void **state)
{
    struct world *world = *state;

    world->nodes[SOURCE - 1].copy_bytes = SIZE_MAX / 2;
    assert_int_equal(fetch(world, 501), ERR_BUSY);
    expect_no_file(world);
    world->nodes[SOURCE - 1].copy_bytes = 1000;
    world->nodes[SOURCE - 1].copy_status = ERR_STORAGE;
    assert_int_equal(fetch(world, 1), ERR_STORAGE);
    expect_no_file(world);
}

/* Goal: a fetch that has nobody to ask says so, and the next one succeeds. */
static void test_fetch_from_nobody(void **state)
{
    struct world *world = *state;

    assert_int_equal(fetch_from(world, 0, 1), ERR_NOT_FOUND);
    expect_no_file(world);
    assert_int_equal(fetch(world, 1), 0);
    expect_copy(world);
}

/* Goal: damage on the way is noticed: a flipped byte by the hash, a lost frame by its offset; the
 * next fetch begins anew and succeeds. */
static void test_damage_is_noticed(void **state)
{
    struct world *world = *state;

    world->fault = FAULT_FLIP;
    world->data_until_fault = 3;
    assert_int_equal(fetch(world, 1), ERR_CORRUPT);
    expect_no_file(world);
    world->fault = FAULT_LOSE;
    world->data_until_fault = 3;
    assert_int_equal(fetch(world, 1), ERR_CORRUPT);
    expect_no_file(world);
    assert_int_equal(fetch(world, 1), 0);
    expect_copy(world);
}

/* Goal: a link that goes down ends the fetch at once on both sides; after it is up again the next
 * fetch succeeds, and without a link a fetch fails at once. */
static void test_link_goes_down(void **state)
{
    struct world *world = *state;

    world->fault = FAULT_LINK;
    world->data_until_fault = 10;
    assert_int_equal(fetch(world, 1), ERR_CLOSED);
    expect_no_file(world);
    assert_int_equal(fetch(world, 1), ERR_CLOSED);
    set_link(world, true);
    assert_int_equal(fetch(world, 1), 0);
    expect_copy(world);
}

/* Goal: a file that can not be written is an error, not a crash. */
static void test_target_disk_fails(void **state)
{
    struct world *world = *state;
    char moved[SCRATCH_BYTES + 16];

    (void)snprintf(moved, sizeof(moved), "%s-away", world->dir);
    assert_int_equal(rename(world->dir, moved), 0);
    assert_int_equal(fetch(world, 1), ERR_IO);
    assert_int_equal(rename(moved, world->dir), 0);
}

/* Goal: stopping in the middle of a copy is quick, on either side, and gives no answer. */
static void test_stop_in_the_middle(void **state)
{
    struct world *world = *state;
    struct rlog *target = &world->nodes[TARGET - 1];
    uint64_t began_ms = clock_mono_ms();

    world->nodes[SOURCE - 1].copy_bytes = (size_t)1 << 40;
    snapshot_fetch(target->snapshot, SOURCE, 1);
    (void)usleep(50 * 1000);
    snapshot_stop(world->nodes[SOURCE - 1].snapshot);
    (void)usleep(50 * 1000);
    snapshot_stop(target->snapshot);
    assert_true(clock_mono_ms() - began_ms < 3000);
    assert_int_equal(target->answers, 0);
    expect_no_file(world);
}

/* Goal: what an interrupted process left is removed, and a module that was never started stops. */
static void test_leftover_is_removed(void **state)
{
    struct world *world = *state;
    struct snapshot *snapshot;
    char path[SCRATCH_BYTES + 16];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/leftover", world->dir);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    snapshot = snapshot_new(&(struct snapshot_config){.path = path});
    assert_int_not_equal(access(path, F_OK), 0);
    snapshot_stop(snapshot);
    snapshot_free(&snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_copy_arrives, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fetch_from_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_link_goes_down, setup, teardown),
        cmocka_unit_test_setup_teardown(test_target_disk_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop_in_the_middle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leftover_is_removed, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
