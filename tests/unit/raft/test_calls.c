/* How and when libraft, and the disk below it, are called: guards that show in no outcome, or not
 * in every run. The calls are wrapped by the linker (tests/CMakeLists.txt); real nodes make them.
 */
#include "tests/unit/raft/cluster.h"

#include <errno.h>
#include <limits.h>
#include <raft.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define STAMPS          300 /* each is an entry of its own, so that most of them wait */
#define PROPOSALS_KEPT  8
#define TRANSFERS_KEPT  8
#define EXIT_IO         74
#define CHILD_TIMEOUT_S 20

int __real_raft_init(struct raft *r, struct raft_io *io, struct raft_fsm *fsm, raft_id id,
                     const char *address);
int __wrap_raft_init(struct raft *r, struct raft_io *io, struct raft_fsm *fsm, raft_id id,
                     const char *address);
int __real_raft_apply(struct raft *r, struct raft_apply *request, const struct raft_buffer bufs[],
                      unsigned n, raft_apply_cb cb);
int __wrap_raft_apply(struct raft *r, struct raft_apply *request, const struct raft_buffer bufs[],
                      unsigned n, raft_apply_cb cb);
int __real_raft_transfer(struct raft *r, struct raft_transfer *request, raft_id id,
                         raft_transfer_cb cb);
int __wrap_raft_transfer(struct raft *r, struct raft_transfer *request, raft_id id,
                         raft_transfer_cb cb);
int __real_statvfs(const char *path, struct statvfs *out);
int __wrap_statvfs(const char *path, struct statvfs *out);

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

/* ---- what was seen; every raft thread has callbacks of its own */

static int (*machine_apply)(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result);
static _Thread_local bool is_inside;
static _Thread_local struct {
    struct raft_apply *request;
    raft_apply_cb cb;
} proposals[PROPOSALS_KEPT];
static atomic_uint applied_count;
static atomic_uint nested_count;

static struct transfers {
    atomic_uint count;
    struct raft *raft[TRANSFERS_KEPT];
    struct raft_transfer *request[TRANSFERS_KEPT];
} * transfers;

static const char *_Atomic low_dir; /* NULL: no disk is full */

static int apply_inside(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
    int rv;

    is_inside = true;
    rv = machine_apply(fsm, buf, result);
    is_inside = false;
    return rv;
}

int __wrap_raft_init(struct raft *r, struct raft_io *io, struct raft_fsm *fsm, raft_id id,
                     const char *address)
{
    machine_apply = fsm->apply; /* the same for every node */
    fsm->apply = apply_inside;
    return __real_raft_init(r, io, fsm, id, address);
}

static void on_applied(struct raft_apply *request, int status, void *result)
{
    for (size_t i = 0; i < PROPOSALS_KEPT; i++) {
        if (proposals[i].request == request) {
            proposals[i].request = NULL;
            is_inside = true;
            proposals[i].cb(request, status, result);
            is_inside = false;
            return;
        }
    }
}

int __wrap_raft_apply(struct raft *r, struct raft_apply *request, const struct raft_buffer bufs[],
                      unsigned n, raft_apply_cb cb)
{
    size_t i = 0;

    atomic_fetch_add(&applied_count, 1);
    atomic_fetch_add(&nested_count, is_inside ? 1 : 0);
    while (proposals[i].request != NULL) {
        i++;
        ASSERT(i < PROPOSALS_KEPT);
    }
    proposals[i].request = request;
    proposals[i].cb = cb;
    return __real_raft_apply(r, request, bufs, n, on_applied);
}

int __wrap_raft_transfer(struct raft *r, struct raft_transfer *request, raft_id id,
                         raft_transfer_cb cb)
{
    if (transfers != NULL) {
        unsigned at = atomic_fetch_add(&transfers->count, 1);

        ASSERT(at < TRANSFERS_KEPT);
        transfers->raft[at] = r;
        transfers->request[at] = request;
    }
    return __real_raft_transfer(r, request, id, cb);
}

int __wrap_statvfs(const char *path, struct statvfs *out)
{
    const char *low = atomic_load(&low_dir);
    int rc = __real_statvfs(path, out);

    if (low != NULL && strcmp(path, low) == 0) {
        out->f_bavail = 0;
    }
    return rc;
}

static unsigned contexts_left = UINT_MAX;

/* Raft/log/aio.c alone comes here, with two arguments. */
long __wrap_syscall(long number, ...)
{
    va_list args;
    long first;
    void *second;

    va_start(args, number);
    first = va_arg(args, long);
    second = va_arg(args, void *);
    va_end(args);
    if (number == SYS_io_setup && contexts_left-- == 0) {
        contexts_left = 0;
        errno = EAGAIN;
        return -1;
    }
    return __real_syscall(number, first, second);
}

static void start(struct cluster *cluster)
{
    for (size_t i = 0; i < 3; i++) {
        cluster_start(cluster, i, true);
    }
}

/* Goal: nothing is proposed inside a callback of libraft, which is not re-entrant then (defect 16).
 * Method: entries that wait while others are applied; look where each proposal comes from. */
static void test_proposes_outside_of_callbacks(void **state)
{
    static struct cluster cluster;
    struct replica *leading;
    int leader;
    (void)state;

    cluster_init(&cluster, 3);
    start(&cluster);
    UNTIL((leader = cluster_leader(&cluster)) >= 0);
    leading = &cluster.replicas[leader];
    UNTIL(rlog_lease_held(leading->rlog));
    for (unsigned k = 0; k < STAMPS; k++) {
        rlog_decide_mark(leading->rlog, peek(leading, &leading->term), ENTRY_STAMP);
    }
    UNTIL(atomic_load(&applied_count) >= STAMPS);
    assert_int_equal(atomic_load(&nested_count), 0);
    cluster_deinit(&cluster);
}

static void on_transferred(void *ctx, int status)
{
    (void)ctx;
    (void)status; /* seen by who leads */
}

/* Goal: the request of a transfer outlives it: libraft sends from it, and may be told of that after
 * the transfer's end (defect 10). Method: hand leadership on until a node did so twice; it must use
 * the same memory, though everything freed in between was taken by others. */
static void test_a_transfer_keeps_its_request(void **state)
{
    static struct cluster cluster;
    static struct transfers seen;
    void *taken[TRANSFERS_KEPT];
    unsigned count = 0;
    int leader;
    (void)state;

    transfers = &seen;
    cluster_init(&cluster, 3);
    start(&cluster);
    for (; count < 4; count++) {
        uint32_t heir;

        UNTIL((leader = cluster_leader(&cluster)) >= 0);
        heir = (uint32_t)(leader == 0 ? 1 : 0) + 1; /* to and fro */
        rlog_transfer(cluster.replicas[leader].rlog, heir, on_transferred, NULL);
        UNTIL(cluster_leader(&cluster) == (int)heir - 1);
        taken[count] = malloc(sizeof(struct raft_transfer));
    }
    for (unsigned i = 0; i < count; i++) {
        for (unsigned j = 0; j < i; j++) {
            if (seen.raft[i] == seen.raft[j]) {
                assert_ptr_equal(seen.request[i], seen.request[j]);
            }
        }
        free(taken[i]);
    }
    transfers = NULL;
    cluster_deinit(&cluster);
}

/* In a process of its own: a leader's disk becomes full. */
static _Noreturn void run_until_full(struct cluster *cluster)
{
    int leader = -1;

    (void)alarm(CHILD_TIMEOUT_S);
    start(cluster);
    while ((leader = cluster_leader(cluster)) < 0 ||
           !rlog_lease_held(cluster->replicas[leader].rlog)) {
        (void)usleep(2000);
    }
    atomic_store(&low_dir, cluster->dirs[leader]);
    for (;;) {
        (void)pause();
    }
}

/* Goal: a leader whose disk is almost full hands leadership on and then ends, before libraft meets
 * the full disk (defect 17). Method: three nodes in a process whose statvfs() lies. */
static void test_a_full_disk_ends_the_leader(void **state)
{
    struct cluster *cluster;
    pid_t child;
    int status;
    (void)state;

    cluster = mem_zalloc(sizeof(*cluster));
    transfers =
        mmap(NULL, sizeof(*transfers), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(transfers != MAP_FAILED);
    cluster_init(cluster, 3);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        run_until_full(cluster);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EXIT_IO);
    assert_int_equal(atomic_load(&transfers->count), 1);
    (void)munmap(transfers, sizeof(*transfers));
    transfers = NULL;
    cluster_deinit(cluster);
    mem_free(&cluster);
}

/* Goal: a kernel that has too little asynchronous I/O left is said at the start, by the name of its
 * setting, and not by a log that grows segments without end (defect 20). Method: io_setup() that
 * fails like a kernel at its limit; what was taken until then is given back. */
static void test_no_start_without_aio(void **state)
{
    static struct cluster cluster;
    const struct rlog_events none = {0};
    struct rlog *rlog = NULL;
    struct rlog_config config;
    char said[4096];
    FILE *capture = tmpfile();
    int saved = dup(STDERR_FILENO);
    size_t len;
    (void)state;

    cluster_init(&cluster, 1);
    config = (struct rlog_config){.node_id = 1,
                                  .raft_id = cluster.members[0].raft_id,
                                  .dir = cluster.dirs[0],
                                  .address = cluster.members[0].address,
                                  .bind = cluster.members[0].address};
    assert_non_null(capture);
    assert_true(dup2(fileno(capture), STDERR_FILENO) >= 0);
    contexts_left = 2;
    assert_int_equal(rlog_start(&config, &none, &rlog), ERR_LIMIT);
    contexts_left = UINT_MAX;
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    rewind(capture);
    len = fread(said, 1, sizeof(said) - 1, capture);
    said[len] = '\0';
    assert_non_null(strstr(said, "fs.aio-max-nr"));
    assert_null(rlog);
    (void)fclose(capture);
    (void)close(saved);
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: it forks, and libuv's threads outlive the tests that start them. */
        cmocka_unit_test(test_a_full_disk_ends_the_leader),
        cmocka_unit_test(test_proposes_outside_of_callbacks),
        cmocka_unit_test(test_a_transfer_keeps_its_request),
        cmocka_unit_test(test_no_start_without_aio),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
