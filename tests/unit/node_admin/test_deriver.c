/* Keys from passwords on helper threads, and their end. */
#include "node/admin/deriver.h"
#include "node/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define JOBS       4
#define ROWS       3
#define ITERATIONS 4096

static atomic_uint done_count;

static void on_done(struct derivation *derivation)
{
    (void)derivation;
    atomic_fetch_add(&done_count, 1);
}

/* Derive JOBS times ROWS passwords; they are over before they begin when is_over. */
static void derive_all(struct derivation jobs[JOBS], const atomic_bool *is_over)
{
    struct helpers *helpers = helpers_start("derive");

    atomic_store(&done_count, 0);
    for (size_t i = 0; i < JOBS; i++) {
        jobs[i] = (struct derivation){.items = mem_zalloc(ROWS * sizeof(*jobs[i].items)),
                                      .count = ROWS,
                                      .iterations = ITERATIONS,
                                      .is_over = is_over,
                                      .done = on_done};
        for (size_t row = 0; row < ROWS; row++) {
            jobs[i].items[row].password = mem_strdup("secret");
        }
        deriver_give(helpers, &jobs[i]);
    }
    helpers_stop(&helpers);
    assert_int_equal(atomic_load(&done_count), JOBS);
}

static bool has_key(const struct derived *item)
{
    static const uint8_t none[HASH_SIZE_MAX];

    return memcmp(item->keys[0].stored_key, none, sizeof(none)) != 0;
}

static void test_keys(void **state)
{
    struct derivation jobs[JOBS];
    atomic_bool is_over = false;
    (void)state;

    derive_all(jobs, &is_over);
    for (size_t i = 0; i < JOBS; i++) {
        for (size_t row = 0; row < ROWS; row++) {
            assert_int_equal(jobs[i].items[row].rc, 0);
            assert_null(jobs[i].items[row].password);
            assert_true(has_key(&jobs[i].items[row]));
        }
        derivation_clear(&jobs[i]);
        assert_null(jobs[i].items);
    }
}

/* Goal: the end of a node does not wait for passwords that nobody asks for any more.
 * Method: it is over before the helpers begin: each job comes back, and no key was made. */
static void test_over(void **state)
{
    struct derivation jobs[JOBS];
    atomic_bool is_over = true;
    (void)state;

    derive_all(jobs, &is_over);
    for (size_t i = 0; i < JOBS; i++) {
        for (size_t row = 0; row < ROWS; row++) {
            assert_int_equal(jobs[i].items[row].rc, ERR_CLOSED);
            assert_false(has_key(&jobs[i].items[row]));
        }
        derivation_clear(&jobs[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
