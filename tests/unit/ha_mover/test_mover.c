/* The sessions of a move: the pace, the deadline, and what became of them. */
#include "ha/mover/mover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BEGIN_MS 5000
#define TICK_MS  100

static struct mover mover;

static int teardown(void **state)
{
    (void)state;
    mover_end(&mover);
    return 0;
}

static void begin(uint32_t rate, uint64_t deadline_ms, unsigned sessions)
{
    mover_begin(&mover, rate, deadline_ms, BEGIN_MS);
    for (unsigned i = 1; i <= sessions; i++) {
        mover_add(&mover, i);
    }
    mover_found_all(&mover);
}

/* Drop what is due now; returns how many. */
static unsigned drop(uint64_t now_ms)
{
    unsigned count = 0;
    uint64_t session;

    while (mover_next(&mover, now_ms, &session)) {
        mover_dropped(&mover, 1, now_ms);
        count++;
    }
    return count;
}

/* Each one that waits has this fate. */
static unsigned note_all(enum mover_fate fate)
{
    unsigned count = 0;

    while (mover_check(&mover) != NULL) {
        mover_note(&mover, fate);
        count++;
    }
    return count;
}

/* Goal: the pace is kept, within one session of what the time allows, whenever it is asked for.
 * Method: ticks of a length that does not divide the interval of sessions, at several rates. */
static void test_the_pace_is_kept(void **state)
{
    static const uint32_t rates[] = {1, 7, 100, 333};

    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
        uint64_t dropped = 0;

        begin(rates[i], UINT64_MAX, rates[i] * 20);
        for (uint64_t ms = 0; ms <= 10000; ms += 97) {
            dropped += drop(BEGIN_MS + ms);
            assert_int_equal(dropped, ms * rates[i] / 1000);
        }
        mover_end(&mover);
    }
}

/* Goal: time in which nothing could be dropped is made up for by a second's worth at most, and the
 * one session that was due.
 * Method: no session is known for a minute. */
static void test_a_pause_is_no_burst(void **state)
{
    (void)state;
    mover_begin(&mover, 50, UINT64_MAX, BEGIN_MS);
    assert_int_equal(drop(BEGIN_MS + 60000), 0);
    for (unsigned i = 1; i <= 1000; i++) {
        mover_add(&mover, i);
    }
    assert_int_equal(drop(BEGIN_MS + 60000), 50 + 1);
    assert_int_equal(drop(BEGIN_MS + 60000 + TICK_MS), 5);
}

/* Goal: at the deadline the rest is dropped at once. */
static void test_the_deadline_ends_the_pace(void **state)
{
    (void)state;
    begin(10, BEGIN_MS + 1000, 100);
    assert_int_equal(drop(BEGIN_MS + 999), 9);
    assert_int_equal(drop(BEGIN_MS + 1000), 91);
}

/* Goal: every session is counted once, by its fate, and what goes away before its turn is not
 * dropped. Method: one of each fate, one of them only in the third round. */
static void test_fates_are_counted(void **state)
{
    static const enum mover_fate fates[] = {MOVER_MOVED, MOVER_RETURNED, MOVER_WAITS, MOVER_ENDED};
    uint64_t session;
    size_t i = 0;

    (void)state;
    begin(1000, UINT64_MAX, 5);
    assert_true(mover_next(&mover, BEGIN_MS + TICK_MS, &session));
    assert_int_equal(session, 1);
    mover_gone(&mover, MOVER_ENDED);
    assert_int_equal(drop(BEGIN_MS + TICK_MS), 4);
    while (mover_check(&mover) != NULL) {
        mover_note(&mover, fates[i++]);
    }
    assert_int_equal(i, 4);
    assert_int_equal(note_all(MOVER_WAITS), 1);
    assert_false(mover_is_over(&mover, BEGIN_MS + TICK_MS));
    assert_int_equal(note_all(MOVER_MOVED), 1);
    assert_true(mover_is_over(&mover, BEGIN_MS + TICK_MS));
    assert_int_equal(mover.counts.found, 5);
    assert_int_equal(mover.counts.dropped, 4);
    assert_int_equal(mover.counts.moved, 2);
    assert_int_equal(mover.counts.returned, 1);
    assert_int_equal(mover.counts.ended, 2);
}

/* Goal: a move ends, though some sessions never come back; not before all were found and dropped.
 */
static void test_a_move_ends(void **state)
{
    (void)state;
    mover_begin(&mover, 1000, UINT64_MAX, BEGIN_MS);
    mover_add(&mover, 1);
    assert_int_equal(drop(BEGIN_MS + TICK_MS), 1);
    assert_int_equal(note_all(MOVER_MOVED), 1);
    assert_false(mover_is_over(&mover, BEGIN_MS + 10 * MOVER_SETTLE_MS));
    mover_add(&mover, 2);
    mover_found_all(&mover);
    assert_false(mover_is_over(&mover, BEGIN_MS + 10 * MOVER_SETTLE_MS));
    assert_int_equal(drop(BEGIN_MS + 2 * TICK_MS), 1);
    assert_false(mover_is_over(&mover, BEGIN_MS + 2 * TICK_MS + MOVER_SETTLE_MS - 1));
    assert_true(mover_is_over(&mover, BEGIN_MS + 2 * TICK_MS + MOVER_SETTLE_MS));
}

/* Goal: counts are told when they changed, and no more often than once a second. */
static void test_reports(void **state)
{
    (void)state;
    begin(1000, UINT64_MAX, 2);
    assert_false(mover_reports(&mover, BEGIN_MS + MOVER_REPORT_MS - 1));
    assert_true(mover_reports(&mover, BEGIN_MS + MOVER_REPORT_MS));
    assert_false(mover_reports(&mover, BEGIN_MS + 3 * MOVER_REPORT_MS));
    (void)drop(BEGIN_MS + 3 * MOVER_REPORT_MS);
    assert_true(mover_reports(&mover, BEGIN_MS + 3 * MOVER_REPORT_MS));
    (void)note_all(MOVER_MOVED);
    assert_false(mover_reports(&mover, BEGIN_MS + 4 * MOVER_REPORT_MS - 1));
    assert_true(mover_reports(&mover, BEGIN_MS + 4 * MOVER_REPORT_MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_the_pace_is_kept, teardown),
        cmocka_unit_test_teardown(test_a_pause_is_no_burst, teardown),
        cmocka_unit_test_teardown(test_the_deadline_ends_the_pace, teardown),
        cmocka_unit_test_teardown(test_fates_are_counted, teardown),
        cmocka_unit_test_teardown(test_a_move_ends, teardown),
        cmocka_unit_test_teardown(test_reports, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
