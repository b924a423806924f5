/* A store whose process is killed. */
#include "tests/unit/storage_kv/fixture.h"

#include <signal.h>
#include <sys/wait.h>

#define KILLS         60
#define RUN_US_MAX    30000
#define ENTRIES_AHEAD 400 /* of the log: how far a child may apply */

/* The child: open, apply the log from the applied index on, until it is killed. Never returns. */
static void run_until_killed(const struct test_dir *dir)
{
    static struct model model;
    struct test_store store;
    uint64_t index;
    uint64_t term;

    model_init(&model);
    test_store_open(&store, dir->path);
    kv_applied(store.kv, &index, &term);
    for (uint64_t entry = index + 1; entry <= index + ENTRIES_AHEAD; entry++) {
        workload_apply(entry, &model, store.kv);
        if (entry % 16 == 0) {
            test_store_wait(&store,
                            entry > 64 ? entry - 64 : 0); /* keep what is unwritten bounded */
        }
    }
    for (;;) {
        (void)pause();
    }
}

/* Bring model from entry *at to the applied index of the store, and compare all of it. */
static void check_reopened(const struct test_dir *dir, struct model *model, uint64_t *at)
{
    struct test_store store;
    struct kv_mark mark;
    struct kv_mark scrubbed;
    uint64_t hash;

    test_store_open(&store, dir->path);
    kv_durable_mark(store.kv, &mark);
    assert_true(mark.index >= *at); /* what was durable once stays so */
    assert_true(mark.index % MARK_EVERY == 0);
    while (*at < mark.index) {
        workload_apply(++*at, model, NULL);
    }
    model_check(model, store.kv);
    assert_true(mark.hash == model_hash(model));
    assert_int_equal(kv_scrub(store.kv, &scrubbed, &hash), 0);
    kv_close(&store.kv);
}

/* Goal: a node killed at any moment finds its store exactly at a mark, and none older than it had.
 * Method: a child applies a log; kill -9 after a random time; rebuild the mark's state by applying
 * the same log to the model; compare rows and hash; the next child goes on from there. */
static void test_killed_store_is_at_a_mark(void **state)
{
    static struct model model;
    struct test_dir dir;
    uint64_t random = 99;
    uint64_t at = 0;
    (void)state;

    test_dir_make(&dir);
    model_init(&model);
    for (size_t kill_count = 0; kill_count < KILLS; kill_count++) {
        pid_t child = fork();
        int status;

        assert_true(child >= 0);
        if (child == 0) {
            run_until_killed(&dir);
        }
        (void)usleep((useconds_t)test_below(&random, RUN_US_MAX));
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        check_reopened(&dir, &model, &at);
    }
    assert_true(at > MARK_EVERY * KILLS / 4); /* the children got somewhere */
    model_deinit(&model);
    test_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_store_is_at_a_mark),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
