/* Fail-over with real processes: kill -9 of the leader, time to the next command done elsewhere. */
#include "tests/unit/raft/cluster.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define KILLS 6

/* What a node's process shows to the test. */
struct shown {
    atomic_uint_fast64_t leads;
    atomic_uint_fast64_t submitted_us; /* of the newest command done */
    atomic_uint_fast64_t done_us;
    atomic_uint_fast64_t done_count; /* of this incarnation */
    atomic_uint_fast64_t without_lease;
};

static struct shown *shown_new(void)
{
    void *memory = mmap(NULL, NODES_MAX * sizeof(struct shown), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(memory != MAP_FAILED);
    return memory;
}

/* As a node does that applies the end of its own incarnation: starts again (DESIGN 3). */
static bool was_ended(struct replica *replica)
{
    bool ended;

    (void)pthread_mutex_lock(&replica->mutex);
    ended = replica->incarnation != 0 && !replica->up[replica->incarnation];
    (void)pthread_mutex_unlock(&replica->mutex);
    return ended;
}

/* One command at a time, for ever. */
static _Noreturn void run_node(struct cluster *cluster, size_t i, struct shown *shown)
{
    struct replica *replica = &cluster->replicas[i];
    uint64_t submitted = 0;
    uint64_t submitted_us = 0;

    cluster_start(cluster, i, true);
    while (getppid() != 1) {
        uint64_t incarnation = peek(replica, &replica->incarnation);
        uint64_t done = incarnation == 0 ? 0 : peek(replica, &replica->last_seq[incarnation]);

        if (was_ended(replica)) {
            send_start(replica);
            submitted = 0;
            continue;
        }
        if (incarnation != 0 && !rlog_lease_held(replica->rlog)) {
            atomic_fetch_add(&shown->without_lease, 1);
        }
        (void)pthread_mutex_lock(&replica->mutex);
        atomic_store(&shown->leads, replica->is_leader);
        (void)pthread_mutex_unlock(&replica->mutex);
        if (incarnation != 0 && done == submitted) {
            if (submitted > 0) {
                atomic_store(&shown->submitted_us, submitted_us);
                atomic_store(&shown->done_us, clock_mono_us());
                atomic_store(&shown->done_count, done);
            }
            submitted_us = clock_mono_us();
            submitted += rlog_submit(replica->rlog, slice_str("Dx")) == 0 ? 1 : 0;
        }
        (void)usleep(500);
    }
    _exit(0);
}

static pid_t start_node(struct cluster *cluster, size_t i, struct shown *shown)
{
    pid_t pid;

    memset(&shown[i], 0, sizeof(shown[i]));
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        run_node(cluster, i, &shown[i]);
    }
    return pid;
}

static bool all_serve(struct shown *shown)
{
    return atomic_load(&shown[0].done_count) > 20 && atomic_load(&shown[1].done_count) > 20 &&
           atomic_load(&shown[2].done_count) > 20;
}

static int shown_leader(struct shown *shown)
{
    for (int i = 0; i < 3; i++) {
        if (atomic_load(&shown[i].leads) != 0) {
            return i;
        }
    }
    return -1;
}

/* A command submitted after `since_us` is done on a survivor: when, else 0. */
static uint64_t done_after(struct shown *shown, int killed, uint64_t since_us)
{
    for (int i = 0; i < 3; i++) {
        uint64_t done_us = atomic_load(&shown[i].done_us);

        if (i != killed && atomic_load(&shown[i].submitted_us) > since_us) {
            return done_us;
        }
    }
    return 0;
}

static int compare_ms(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

/* Goal: the loss of the leader's process costs well under the 300 ms that are promised in the
 * median. Method: three processes with commands flowing; kill -9 the leader, restart it, again. The
 * limit asserted is generous, for busy machines; the figures are printed. */
static void test_kill_9_of_the_leader(void **state)
{
    static struct cluster cluster;
    struct shown *shown = shown_new();
    pid_t pids[3];
    double times_ms[KILLS];
    (void)state;

    cluster_init(&cluster, 3);
    for (size_t i = 0; i < 3; i++) {
        pids[i] = start_node(&cluster, i, shown);
    }
    for (int k = 0; k < KILLS; k++) {
        uint64_t killed_us;
        uint64_t done_us;
        int leader;

        UNTIL(all_serve(shown) && shown_leader(shown) >= 0);
        (void)usleep(300000);
        UNTIL((leader = shown_leader(shown)) >= 0);
        killed_us = clock_mono_us();
        assert_int_equal(kill(pids[leader], SIGKILL), 0);
        UNTIL((done_us = done_after(shown, leader, killed_us)) != 0);
        times_ms[k] = (double)(done_us - killed_us) / 1000;
        (void)waitpid(pids[leader], NULL, 0);
        pids[leader] = start_node(&cluster, (size_t)leader, shown);
    }
    for (size_t i = 0; i < 3; i++) {
        (void)kill(pids[i], SIGKILL);
        (void)waitpid(pids[i], NULL, 0);
    }
    qsort(times_ms, KILLS, sizeof(times_ms[0]), compare_ms);
    print_message("kill -9 of the leader to the next command done: min %.0f, median %.0f, "
                  "max %.0f ms\n",
                  times_ms[0], times_ms[KILLS / 2], times_ms[KILLS - 1]);
    assert_true(times_ms[KILLS / 2] < 2000);
    cluster_deinit(&cluster);
    (void)munmap(shown, NODES_MAX * sizeof(*shown));
}

/* Goal: a leader that hangs (SIGSTOP) is replaced; when it goes on it holds no lease, presumes
 * nobody dead, follows, and serves again under a new incarnation. Method: stop it for longer than a
 * lease and an election, let it go on. */
static void test_leader_that_hangs(void **state)
{
    static struct cluster cluster;
    struct shown *shown = shown_new();
    pid_t pids[3];
    uint64_t stopped_us;
    int leader;
    (void)state;

    cluster_init(&cluster, 3);
    for (size_t i = 0; i < 3; i++) {
        pids[i] = start_node(&cluster, i, shown);
    }
    UNTIL(all_serve(shown) && shown_leader(shown) >= 0);
    leader = shown_leader(shown);
    atomic_store(&shown[leader].without_lease, 0);
    stopped_us = clock_mono_us();
    assert_int_equal(kill(pids[leader], SIGSTOP), 0);
    UNTIL(done_after(shown, leader, stopped_us + 2500000) != 0);
    atomic_store(&shown[leader].done_count, 0);
    assert_int_equal(kill(pids[leader], SIGCONT), 0);
    UNTIL(all_serve(shown));
    assert_true(atomic_load(&shown[leader].without_lease) > 0);
    for (size_t i = 0; i < 3; i++) {
        (void)kill(pids[i], SIGKILL);
        (void)waitpid(pids[i], NULL, 0);
    }
    cluster_deinit(&cluster);
    (void)munmap(shown, NODES_MAX * sizeof(*shown));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kill_9_of_the_leader),
        cmocka_unit_test(test_leader_that_hangs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
