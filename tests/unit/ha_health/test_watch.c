/* When it gets into the log that a node is ill, or well. */
#include "ha/health/health.h"
#include "ha/health/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW_MS   50000
#define DELAY_MS 10000

static const struct health_seen well = {.serves = true};
static const struct health_seen ill = {.services_down = HEALTH_XMPP, .serves = true};
static const struct health_seen closed = {.services_down = 0};

static bool look(struct health_watch *watch, const struct health_stored *stored,
                 const struct health_seen *reported, uint64_t now_ms, struct health_seen *out)
{
    return health_decide(watch, stored, reported, now_ms, DELAY_MS, out);
}

/* Goal: what is wrong is told when it was so for the whole delay; that it is over, at once. */
static void test_delay(void **state)
{
    struct health_watch watch = {0};
    struct health_stored stored = {.seen = well};
    struct health_seen out;

    (void)state;
    assert_false(look(&watch, &stored, &well, NOW_MS, &out));
    assert_false(look(&watch, &stored, &ill, NOW_MS, &out));
    assert_false(look(&watch, &stored, &ill, NOW_MS + DELAY_MS - 1, &out));
    assert_true(look(&watch, &stored, &ill, NOW_MS + DELAY_MS, &out));
    assert_int_equal(out.services_down, HEALTH_XMPP);
    stored.seen = out;
    assert_false(look(&watch, &stored, &ill, NOW_MS + 2 * DELAY_MS, &out));
    assert_true(look(&watch, &stored, &well, NOW_MS + 2 * DELAY_MS, &out));
    assert_true(out.serves && out.services_down == 0);
}

/* Goal: a fault that passes within the delay is not told, and the next one has its own delay. */
static void test_a_short_fault(void **state)
{
    struct health_watch watch = {0};
    const struct health_stored stored = {.seen = well};
    struct health_seen out;

    (void)state;
    assert_false(look(&watch, &stored, &closed, NOW_MS, &out));
    assert_false(look(&watch, &stored, &well, NOW_MS + DELAY_MS - 1, &out));
    assert_false(look(&watch, &stored, &closed, NOW_MS + DELAY_MS, &out));
    assert_false(look(&watch, &stored, &closed, NOW_MS + 2 * DELAY_MS - 1, &out));
    assert_true(look(&watch, &stored, &closed, NOW_MS + 2 * DELAY_MS, &out));
}

/* Goal: one fault after the other without a moment between is one long fault; a node that says
 * nothing does not serve. */
static void test_one_fault_after_the_other(void **state)
{
    struct health_watch watch = {0};
    const struct health_stored stored = {.seen = well};
    struct health_seen out;

    (void)state;
    assert_false(look(&watch, &stored, &closed, NOW_MS, &out));
    assert_false(look(&watch, &stored, &ill, NOW_MS + DELAY_MS / 2, &out));
    assert_true(look(&watch, &stored, NULL, NOW_MS + DELAY_MS, &out));
    assert_false(out.serves);
}

/* Goal: a node that starts has more time before it is called ill; once it serves, it is told. */
static void test_start(void **state)
{
    struct health_watch watch = {0};
    const struct health_stored stored = {.starts = true};
    struct health_seen out;

    (void)state;
    assert_false(look(&watch, &stored, NULL, NOW_MS, &out));
    assert_false(look(&watch, &stored, &closed, NOW_MS + HEALTH_START_DELAYS * DELAY_MS - 1, &out));
    assert_true(look(&watch, &stored, &ill, NOW_MS + HEALTH_START_DELAYS * DELAY_MS, &out));
    assert_true(look(&watch, &stored, &well, NOW_MS + HEALTH_START_DELAYS * DELAY_MS, &out));
    assert_true(out.serves);
}

/* Goal: a node that lives again has the whole time to start, and each life its own delay, whatever
 * was wrong with the one before. Method: a node that stops serving is not looked at while it is
 * down, and comes back later than its time to start would be. */
static void test_a_new_life(void **state)
{
    const uint64_t start_ms = HEALTH_START_DELAYS * (uint64_t)DELAY_MS;
    const uint64_t back_ms = NOW_MS + 2 * start_ms;
    struct health_watch watch = {0};
    struct health_stored stored = {.incarnation = 7, .seen = well};
    struct health_seen out;

    (void)state;
    assert_false(look(&watch, &stored, &closed, NOW_MS, &out));
    stored = (struct health_stored){.incarnation = 8, .starts = true};
    assert_false(look(&watch, &stored, &closed, back_ms, &out));
    assert_false(look(&watch, &stored, NULL, back_ms + start_ms - 1, &out));
    stored = (struct health_stored){.incarnation = 9, .seen = well};
    assert_false(look(&watch, &stored, &ill, back_ms + start_ms, &out));
    assert_false(look(&watch, &stored, &ill, back_ms + start_ms + DELAY_MS - 1, &out));
    assert_true(look(&watch, &stored, &ill, back_ms + start_ms + DELAY_MS, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delay),
        cmocka_unit_test(test_a_short_fault),
        cmocka_unit_test(test_one_fault_after_the_other),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_a_new_life),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
