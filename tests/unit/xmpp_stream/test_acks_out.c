/* Outbound numbering: order, records before the write, acks by position, the wrap at 2^32. */
#include "xmpp/stream/acks_out.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void add(struct acks_out *acks, bool pending, uint64_t position, const char *text)
{
    acks_out_add_take(acks, pending, position, blob_new(slice_str(text)));
}

/* The next stanza that may be written must be text; "" means none. */
static void assert_next(struct acks_out *acks, const char *text)
{
    struct blob *xml = acks_out_next(acks);

    if (text[0] == '\0') {
        assert_null(xml);
        return;
    }
    assert_non_null(xml);
    assert_true(slice_eq_str(blob_slice(xml), text));
    blob_unref(&xml);
}

static void assert_run(struct acks_out *acks, uint32_t first, uint32_t count, uint64_t position)
{
    struct acks_out_run run;

    assert_true(acks_out_take_run(acks, &run));
    assert_int_equal(run.first_number, first);
    assert_int_equal(run.count, count);
    assert_int_equal(run.first_position, position);
}

static void assert_no_run(struct acks_out *acks)
{
    struct acks_out_run run;

    assert_false(acks_out_take_run(acks, &run));
}

/* Goal: a pending stanza is written only after its record, whatever stands behind it waits too.
 * Method: two pending ones with a volatile one between and one behind; record step by step. */
static void test_record_comes_first(void **state)
{
    struct acks_out acks;
    (void)state;

    acks_out_init(&acks);
    acks_out_start(&acks, 0);
    add(&acks, true, 10, "p1");
    add(&acks, false, 11, "v2");
    add(&acks, true, 12, "p3");
    add(&acks, false, 13, "v4");
    assert_next(&acks, "");
    assert_run(&acks, 1, 1, 10);
    assert_run(&acks, 3, 1, 12);
    assert_no_run(&acks);

    acks_out_on_recorded(&acks, 1);
    assert_next(&acks, "p1");
    assert_next(&acks, "v2");
    assert_next(&acks, "");
    acks_out_on_recorded(&acks, 3);
    assert_next(&acks, "p3");
    assert_next(&acks, "v4");
    assert_next(&acks, "");
    assert_int_equal(acks.written, 4);
    assert_int_equal(acks.waiting_bytes, 0);
    acks_out_deinit(&acks);
}

/* Goal: volatile stanzas with nothing pending in front need no record. */
static void test_volatile_is_written_at_once(void **state)
{
    struct acks_out acks;
    (void)state;

    acks_out_init(&acks);
    acks_out_start(&acks, 0);
    add(&acks, false, 5, "v1");
    assert_no_run(&acks);
    assert_next(&acks, "v1");
    acks_out_deinit(&acks);
}

/* Goal: consecutive pending stanzas share one run, until it is taken or a volatile one comes
 * between. */
static void test_runs_are_packed(void **state)
{
    struct acks_out acks;
    (void)state;

    acks_out_init(&acks);
    acks_out_start(&acks, 0);
    add(&acks, true, 10, "a");
    add(&acks, true, 20, "b");
    add(&acks, true, 30, "c");
    add(&acks, false, 0, "v");
    add(&acks, true, 40, "d");
    assert_run(&acks, 1, 3, 10);
    assert_run(&acks, 5, 1, 40);
    add(&acks, true, 50, "e");
    assert_run(&acks, 6, 1, 50);
    assert_no_run(&acks);
    acks_out_deinit(&acks);
}

/* Goal: one run touches a bounded number of rows. */
static void test_runs_are_bounded(void **state)
{
    struct acks_out acks;
    (void)state;

    acks_out_init(&acks);
    acks_out_start(&acks, 0);
    for (uint64_t position = 1; position <= ACKS_OUT_RUN_MAX + 5; position++) {
        add(&acks, true, position, "p");
    }
    assert_run(&acks, 1, ACKS_OUT_RUN_MAX, 1);
    assert_run(&acks, ACKS_OUT_RUN_MAX + 1, 5, ACKS_OUT_RUN_MAX + 1);
    assert_no_run(&acks);
    acks_out_deinit(&acks);
}

/* Goal: an ack becomes the positions of what it covers, and no more; with a stanza of the list that
 * is the presence before it. */
static void test_ack_names_positions(void **state)
{
    struct acks_out acks;
    (void)state;

    acks_out_init(&acks);
    acks_out_start(&acks, 0);
    add(&acks, true, 10, "a");
    add(&acks, false, 11, "v");
    add(&acks, true, 12, "b");
    acks_out_on_recorded(&acks, 3);
    assert_next(&acks, "a");
    assert_next(&acks, "v");
    assert_next(&acks, "b");

    assert_int_equal(acks_out_on_ack(&acks, 1), 0);
    assert_int_equal(acks.done_position, 10);
    assert_int_equal(acks.presence_position, 10);
    assert_int_equal(acks_out_on_ack(&acks, 2), 0);
    assert_int_equal(acks.done_position, 10);
    assert_int_equal(acks.presence_position, 11);
    assert_int_equal(acks_out_unacked(&acks), 1);
    assert_int_equal(acks_out_on_ack(&acks, 3), 0);
    assert_int_equal(acks.done_position, 12);
    assert_int_equal(acks.presence_position, 12);
    assert_int_equal(acks.unacked.count, 0);
    acks_out_deinit(&acks);
}

/* Goal: an h above what was written is an error, also when more is waiting; an old h is none. */
static void test_wrong_counts(void **state)
{
    struct acks_out acks;
    (void)state;

    acks_out_init(&acks);
    acks_out_start(&acks, 0);
    assert_int_equal(acks_out_on_ack(&acks, 1), ERR_INVALID);
    add(&acks, true, 10, "a");
    add(&acks, true, 11, "b");
    acks_out_on_recorded(&acks, 1);
    assert_next(&acks, "a");
    assert_int_equal(acks_out_on_ack(&acks, 2), ERR_INVALID);
    assert_int_equal(acks_out_on_ack(&acks, 1), 0);
    assert_int_equal(acks_out_on_ack(&acks, 0), 0);
    assert_int_equal(acks.acked, 1);
    acks_out_deinit(&acks);
}

/* Goal: a record of numbers never given, or given before a restart of the count, changes nothing.
 */
static void test_foreign_record(void **state)
{
    struct acks_out acks;
    (void)state;

    acks_out_init(&acks);
    acks_out_start(&acks, 100);
    add(&acks, true, 10, "a");
    acks_out_on_recorded(&acks, 99);
    acks_out_on_recorded(&acks, 102);
    assert_next(&acks, "");
    acks_out_on_recorded(&acks, 101);
    assert_next(&acks, "a");
    acks_out_deinit(&acks);
}

/* Goal: numbers go over 2^32 without a seam (XEP-0198 §4).
 * Method: start three below the wrap; five stanzas; acks on both sides and at it. */
static void test_wrap(void **state)
{
    struct acks_out acks;
    (void)state;

    acks_out_init(&acks);
    acks_out_start(&acks, UINT32_MAX - 2);
    for (uint64_t position = 1; position <= 5; position++) {
        add(&acks, true, position, "x");
    }
    assert_run(&acks, UINT32_MAX - 1, 5, 1);
    acks_out_on_recorded(&acks, 0);
    assert_next(&acks, "x");
    assert_next(&acks, "x");
    assert_next(&acks, "x");
    assert_next(&acks, "");
    assert_int_equal(acks.written, 0);
    assert_int_equal(acks_out_on_ack(&acks, 1), ERR_INVALID);
    assert_int_equal(acks_out_on_ack(&acks, UINT32_MAX), 0);
    assert_int_equal(acks.done_position, 2);
    acks_out_on_recorded(&acks, 2);
    assert_next(&acks, "x");
    assert_next(&acks, "x");
    assert_int_equal(acks_out_on_ack(&acks, 2), 0);
    assert_int_equal(acks.done_position, 5);
    assert_int_equal(acks_out_unacked(&acks), 0);
    acks_out_deinit(&acks);
}

/* Goal: much presence takes little memory and its acks still make progress.
 * Method: 10,000 volatile stanzas; count entries; ack the first half. */
static void test_presence_is_grouped(void **state)
{
    struct acks_out acks;
    (void)state;

    acks_out_init(&acks);
    acks_out_start(&acks, 0);
    for (uint64_t position = 1; position <= 10000; position++) {
        add(&acks, false, position, "v");
        assert_next(&acks, "v");
    }
    assert_true(acks.unacked.count <= ACKS_OUT_GROUP + 10000 / ACKS_OUT_GROUP + 1);
    assert_int_equal(acks_out_on_ack(&acks, 5000), 0);
    assert_true(acks.presence_position <= 5000);
    assert_true(acks.presence_position > 5000 - ACKS_OUT_GROUP);
    assert_int_equal(acks_out_on_ack(&acks, 10000), 0);
    assert_int_equal(acks.presence_position, 10000);
    acks_out_deinit(&acks);
}

/* Goal: a new count forgets what waited and keeps the positions that were acked. */
static void test_restart(void **state)
{
    struct acks_out acks;
    (void)state;

    acks_out_init(&acks);
    acks_out_start(&acks, 0);
    add(&acks, false, 7, "v");
    assert_next(&acks, "v");
    assert_int_equal(acks_out_on_ack(&acks, 1), 0);
    add(&acks, true, 8, "lost");
    acks_out_start(&acks, 40);
    assert_next(&acks, "");
    assert_no_run(&acks);
    assert_int_equal(acks.presence_position, 7);
    add(&acks, true, 8, "again");
    assert_run(&acks, 41, 1, 8);
    acks_out_deinit(&acks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record_comes_first),
        cmocka_unit_test(test_volatile_is_written_at_once),
        cmocka_unit_test(test_runs_are_packed),
        cmocka_unit_test(test_runs_are_bounded),
        cmocka_unit_test(test_ack_names_positions),
        cmocka_unit_test(test_wrong_counts),
        cmocka_unit_test(test_foreign_record),
        cmocka_unit_test(test_wrap),
        cmocka_unit_test(test_presence_is_grouped),
        cmocka_unit_test(test_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
