/* Budgets of failed logins: many make an address wait, time forgives, others are not concerned. */
#include "node/worker/failures.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BEGIN_MS 1000000

/* Goal: the limit, a neighbour, and that a flood is not remembered for longer than the limit.
 * Method: fail up to the limit and far beyond, then let time pass. */
static void test_budget(void **state)
{
    struct failures *failures = failures_new(BEGIN_MS);
    const struct address_key bad = {.bytes = {1}};
    const struct address_key good = {.bytes = {2}};
    (void)state;

    for (unsigned i = 0; i < FAILURES_MAX; i++) {
        assert_false(failures_are_many(failures, &bad, BEGIN_MS));
        failures_add(failures, &bad, BEGIN_MS);
    }
    assert_true(failures_are_many(failures, &bad, BEGIN_MS));
    assert_false(failures_are_many(failures, &good, BEGIN_MS));
    for (unsigned i = 0; i < 10 * FAILURES_MAX; i++) {
        failures_add(failures, &bad, BEGIN_MS);
    }
    assert_true(failures_are_many(failures, &bad, BEGIN_MS + 1000 / FAILURES_PER_SECOND - 1));
    assert_false(failures_are_many(failures, &bad, BEGIN_MS + 1000 / FAILURES_PER_SECOND));
    failures_free(&failures);
    assert_null(failures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_budget)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
