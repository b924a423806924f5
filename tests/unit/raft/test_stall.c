/* A disk that neither writes nor fails: the node steps aside, and comes back when its disk does.
 * The disk below the shim is wrapped by the linker (tests/CMakeLists.txt): appends are held back,
 * and given to it when it is to move again; real nodes make them. */
#include "tests/unit/raft/cluster.h"

#include <raft.h>
#include <raft/uv.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define HELD_MAX        64
#define EXIT_IO         74
#define CHILD_TIMEOUT_S 60
#define COMMANDS        10

int __real_raft_uv_init(struct raft_io *io, struct uv_loop_s *loop, const char *dir,
                        struct raft_uv_transport *transport);
int __wrap_raft_uv_init(struct raft_io *io, struct uv_loop_s *loop, const char *dir,
                        struct raft_uv_transport *transport);
int __real_raft_transfer(struct raft *r, struct raft_transfer *request, raft_id id,
                         raft_transfer_cb cb);
int __wrap_raft_transfer(struct raft *r, struct raft_transfer *request, raft_id id,
                         raft_transfer_cb cb);
_Noreturn void __real__exit(int status);
void __wrap__exit(int status);

struct held {
    struct raft_io_append *request;
    const struct raft_entry *entries;
    unsigned count;
    raft_io_append_cb callback;
};

/* Used by the raft thread of its node alone, but for stalls. */
struct disk {
    struct raft_io *io;
    int (*append)(struct raft_io *io, struct raft_io_append *request,
                  const struct raft_entry entries[], unsigned count, raft_io_append_cb callback);
    int (*start)(struct raft_io *io, unsigned tick_ms, raft_io_tick_cb tick,
                 raft_io_recv_cb receive);
    raft_io_tick_cb tick;
    struct held held[HELD_MAX];
    size_t held_count;
    atomic_bool stalls;
};

static struct disk disks[NODES_MAX];
static struct cluster cluster;
static atomic_bool transfers_fail;
static int exit_pipe = -1; /* of the process that can not end */

static struct disk *disk_of(const struct raft_io *io)
{
    size_t i = 0;

    while (disks[i].io != io) {
        i++;
        ASSERT(i < NODES_MAX);
    }
    return &disks[i];
}

static int append_or_hold(struct raft_io *io, struct raft_io_append *request,
                          const struct raft_entry entries[], unsigned count,
                          raft_io_append_cb callback)
{
    struct disk *disk = disk_of(io);

    if (!atomic_load(&disk->stalls) && disk->held_count == 0) {
        return disk->append(io, request, entries, count, callback);
    }
    ASSERT(disk->held_count < HELD_MAX);
    disk->held[disk->held_count++] = (struct held){request, entries, count, callback};
    return 0;
}

static void tick_and_release(struct raft_io *io)
{
    struct disk *disk = disk_of(io);

    if (!atomic_load(&disk->stalls)) {
        for (size_t i = 0; i < disk->held_count; i++) {
            const struct held *held = &disk->held[i];

            ASSERT(disk->append(io, held->request, held->entries, held->count, held->callback) ==
                   0);
        }
        disk->held_count = 0;
    }
    disk->tick(io);
}

static int start_with_tick(struct raft_io *io, unsigned tick_ms, raft_io_tick_cb tick,
                           raft_io_recv_cb receive)
{
    struct disk *disk = disk_of(io);

    disk->tick = tick;
    return disk->start(io, tick_ms, tick_and_release, receive);
}

int __wrap_raft_uv_init(struct raft_io *io, struct uv_loop_s *loop, const char *dir,
                        struct raft_uv_transport *transport)
{
    int rv = __real_raft_uv_init(io, loop, dir, transport);

    for (size_t i = 0; i < NODES_MAX; i++) {
        if (strcmp(cluster.dirs[i], dir) == 0) {
            disks[i].io = io;
            disks[i].append = io->append;
            disks[i].start = io->start;
        }
    }
    io->append = append_or_hold;
    io->start = start_with_tick;
    return rv;
}

int __wrap_raft_transfer(struct raft *r, struct raft_transfer *request, raft_id id,
                         raft_transfer_cb cb)
{
    return atomic_load(&transfers_fail) ? RAFT_NOTFOUND : __real_raft_transfer(r, request, id, cb);
}

static struct replica *replica(size_t i)
{
    return &cluster.replicas[i % 3];
}

static bool is_stalled(size_t i)
{
    struct rlog_status status;

    rlog_get_status(replica(i)->rlog, &status);
    return status.disk_stalled;
}

static void stall(size_t i, bool stalls)
{
    atomic_store(&disks[i % 3].stalls, stalls);
}

/* Three nodes; returns the one that leads, when all have an incarnation and a lease. */
static size_t start_nodes(void)
{
    for (size_t i = 0; i < 3; i++) {
        cluster_start(&cluster, i, true);
    }
    for (size_t i = 0; i < 3; i++) {
        UNTIL(rlog_lease_held(replica(i)->rlog));
    }
    UNTIL(cluster_leader(&cluster) >= 0);
    return (size_t)cluster_leader(&cluster);
}

static void init_three(void)
{
    memset(disks, 0, sizeof(disks));
    cluster_init(&cluster, 3);
}

static size_t start_three(void)
{
    init_three();
    return start_nodes();
}

static void submit(size_t i)
{
    for (int k = 0; k < COMMANDS; k++) {
        submit_text(replica(i), "x");
    }
}

static void end_equal(void)
{
    for (size_t i = 0; i < 3; i++) {
        cluster_stop(&cluster, i);
    }
    assert_same_order(replica(0), replica(1));
    assert_same_order(replica(0), replica(2));
    cluster_deinit(&cluster);
}

/* Goal: a leader whose disk stands still does not stop the cluster. Method: hold back its appends;
 * another node must lead and commit, the node itself must serve nobody; then let the disk move. */
static void test_a_stalled_leader_hands_on(void **state)
{
    size_t victim = start_three();
    (void)state;

    stall(victim, true);
    submit(victim + 1);
    submit(victim + 2);
    UNTIL(is_stalled(victim));
    UNTIL(done_count(replica(victim + 1)) == 2 * COMMANDS);
    UNTIL(done_count(replica(victim + 2)) == 2 * COMMANDS);
    UNTIL(cluster_leader(&cluster) != (int)victim); /* its picture of itself may be an old one */
    assert_false(rlog_lease_held(replica(victim)->rlog));
    UNTIL(rlog_lease_held(replica(victim + 1)->rlog));
    UNTIL(rlog_lease_held(replica(victim + 2)->rlog));

    stall(victim, false);
    UNTIL(!is_stalled(victim));
    UNTIL(done_count(replica(victim)) == 2 * COMMANDS);
    end_equal();
}

/* Goal: clients of a follower whose disk stands still are not kept there. Method: hold back its
 * appends; the leader must presume it dead; the others go on, and it with them when it can. */
static void test_a_stalled_follower_is_left(void **state)
{
    size_t leader = start_three();
    size_t victim = leader + 1;
    (void)state;

    stall(victim, true);
    submit(leader);
    UNTIL(is_stalled(victim));
    UNTIL(peek(replica(leader), &replica(leader)->silent_count) > 0);
    assert_int_equal(replica(leader)->silent_node, replica(victim)->node_id);
    assert_false(rlog_lease_held(replica(victim)->rlog));
    submit(leader);
    UNTIL(done_count(replica(victim + 1)) == 2 * COMMANDS);
    assert_int_equal(cluster_leader(&cluster), (int)leader);

    stall(victim, false);
    UNTIL(!is_stalled(victim));
    UNTIL(done_count(replica(victim)) == 2 * COMMANDS);
    end_equal();
}

/* Goal: without a majority of disks nobody is served, and nobody ends; it heals with the disks.
 * Method: hold back the appends of two nodes of three; then let them move. */
static void test_a_stalled_majority_waits(void **state)
{
    size_t leader = start_three();
    (void)state;

    stall(leader, true);
    stall(leader + 1, true);
    submit(leader + 2);
    UNTIL(is_stalled(leader) && is_stalled(leader + 1));
    UNTIL(!rlog_lease_held(replica(leader + 2)->rlog));
    assert_int_equal(done_count(replica(leader + 2)), 0);

    stall(leader, false);
    stall(leader + 1, false);
    for (size_t i = 0; i < 3; i++) {
        send_start(replica(i)); /* as a node does whose incarnation was ended */
    }
    UNTIL(rlog_lease_held(replica(leader)->rlog));
    UNTIL(rlog_lease_held(replica(leader + 2)->rlog));
    for (size_t i = 0; i < 3; i++) {
        UNTIL(done_count(replica(i)) == COMMANDS);
    }
    end_equal();
}

static void on_transferred(void *ctx, int status)
{
    (void)ctx;
    (void)status; /* it may be too late for an answer */
}

/* Goal: one whose disk stood still when it was elected leads nobody, and keeps nobody from leading.
 * Method: hand leadership to it; another must lead and commit. */
static void test_a_leader_that_never_began(void **state)
{
    size_t leader = start_three();
    size_t victim = leader + 1;
    (void)state;

    stall(victim, true);
    rlog_transfer(replica(leader)->rlog, replica(victim)->node_id, on_transferred, NULL);
    UNTIL(is_stalled(victim));
    submit(leader);
    UNTIL(done_count(replica(leader)) == COMMANDS);
    UNTIL(done_count(replica(victim + 1)) == COMMANDS);

    stall(victim, false);
    UNTIL(done_count(replica(victim)) == COMMANDS);
    end_equal();
}

/* A process that the kernel keeps at its disk: told to end, it says so, and stays. */
void __wrap__exit(int status)
{
    const uint8_t byte = (uint8_t)status;

    if (exit_pipe < 0) {
        __real__exit(status);
    }
    (void)!write(exit_pipe, &byte, sizeof(byte));
    for (;;) {
        (void)pause();
    }
}

/* In a process of its own: a leader whose disk stands still, and whose transfers fail. */
static _Noreturn void run_until_stopped(int told)
{
    size_t leader;

    (void)alarm(CHILD_TIMEOUT_S);
    exit_pipe = told;
    atomic_store(&transfers_fail, true);
    leader = start_nodes();
    stall(leader, true);
    submit(leader);
    for (;;) {
        (void)pause();
    }
}

/* Goal: a stalled leader that can not hand on, though there is a majority without it, ends; peers
 * and clients see it go, though its disk keeps the process. Method: transfers that fail, and an
 * _exit() that does not come to its end; a socket of the process must be shut all the same. */
static void test_a_stalled_leader_ends(void **state)
{
    int sockets[2];
    int told[2];
    uint8_t byte = 0;
    pid_t child;
    (void)state;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    assert_int_equal(pipe(told), 0);
    init_three();
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(sockets[0]);
        run_until_stopped(told[1]);
    }
    (void)close(sockets[1]);
    (void)close(told[1]);
    assert_int_equal(read(told[0], &byte, sizeof(byte)), 1);
    assert_int_equal(byte, EXIT_IO);
    assert_int_equal(recv(sockets[0], &byte, sizeof(byte), MSG_DONTWAIT), 0);
    assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    (void)close(sockets[0]);
    (void)close(told[0]);
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: it forks, and libuv's threads outlive the tests that start them. */
        cmocka_unit_test(test_a_stalled_leader_ends),
        cmocka_unit_test(test_a_stalled_leader_hands_on),
        cmocka_unit_test(test_a_stalled_follower_is_left),
        cmocka_unit_test(test_a_stalled_majority_waits),
        cmocka_unit_test(test_a_leader_that_never_began),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
