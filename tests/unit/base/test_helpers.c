/* Helpers: what is given is done, on other threads, before they end. */
#include "node/base/helpers.h"
#include "node/base/slice.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define JOBS 500

struct work {
    struct helper_job job;
    pthread_t giver;
    atomic_uint *done;
    atomic_uint *done_here;
};

static void run(struct helper_job *job)
{
    struct work *work = CONTAINER_OF(job, struct work, job);

    if (pthread_equal(work->giver, pthread_self())) {
        atomic_fetch_add(work->done_here, 1);
    }
    atomic_fetch_add(work->done, 1);
}

/* Goal: each job runs once, never on the giver's thread, also those that wait when the end is asked
 * for.
 * Method: many jobs at once, then stop. */
static void test_all_is_done(void **state)
{
    static struct work works[JOBS];
    struct helpers *helpers = helpers_start("helper");
    atomic_uint done = 0;
    atomic_uint done_here = 0;
    (void)state;

    for (size_t i = 0; i < JOBS; i++) {
        works[i] = (struct work){
            .job.run = run, .giver = pthread_self(), .done = &done, .done_here = &done_here};
        helpers_give(helpers, &works[i].job);
    }
    helpers_stop(&helpers);
    assert_null(helpers);
    assert_int_equal(atomic_load(&done), JOBS);
    assert_int_equal(atomic_load(&done_here), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_is_done)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
