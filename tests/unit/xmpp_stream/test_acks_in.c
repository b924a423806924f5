/* Inbound counting: <a h/> tells only what was applied, answers come when the stanzas before <r/>
 * were, the count wraps at 2^32. */
#include "xmpp/stream/acks_in.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Goal: the applied count follows the outcomes, not what was read. */
static void test_count_follows_outcomes(void **state)
{
    struct awaited awaited;
    struct acks_in acks;
    uint64_t first;
    uint64_t second;
    (void)state;

    acks_in_init(&acks);
    acks_in_start(&acks, 0);
    first = acks_in_submit(&acks, AWAITED_STANZA);
    second = acks_in_submit(&acks, AWAITED_STANZA);
    assert_int_equal(acks.read, 2);
    assert_int_equal(acks.applied, 0);
    assert_int_equal(acks_in_settle(&acks, first, &awaited), 1);
    assert_int_equal(awaited.kind, AWAITED_STANZA);
    assert_int_equal(acks.applied, 1);
    assert_int_equal(acks_in_settle(&acks, second, &awaited), 1);
    assert_int_equal(acks.applied, 2);
    acks_in_deinit(&acks);
}

/* Goal: other commands are awaited but not counted. */
static void test_only_stanzas_count(void **state)
{
    struct awaited awaited;
    struct acks_in acks;
    uint64_t cookie;
    (void)state;

    acks_in_init(&acks);
    acks_in_start(&acks, 7);
    cookie = acks_in_submit(&acks, AWAITED_NOTES);
    assert_int_equal(acks.read, 7);
    assert_int_equal(acks_in_settle(&acks, cookie, &awaited), 1);
    assert_int_equal(awaited.kind, AWAITED_NOTES);
    assert_int_equal(acks.applied, 7);
    acks_in_deinit(&acks);
}

/* Goal: <r/> is answered at once when all is applied, else with the last stanza read before it. */
static void test_ask(void **state)
{
    struct awaited awaited;
    struct acks_in acks;
    uint64_t first;
    uint64_t second;
    uint64_t notes;
    (void)state;

    acks_in_init(&acks);
    acks_in_start(&acks, 0);
    assert_true(acks_in_ask(&acks));
    first = acks_in_submit(&acks, AWAITED_STANZA);
    second = acks_in_submit(&acks, AWAITED_STANZA);
    notes = acks_in_submit(&acks, AWAITED_NOTES);
    assert_false(acks_in_ask(&acks));
    assert_int_equal(acks_in_settle(&acks, first, &awaited), 1);
    assert_false(awaited.answer);
    assert_int_equal(acks_in_settle(&acks, second, &awaited), 1);
    assert_true(awaited.answer);
    assert_true(acks_in_ask(&acks));
    assert_int_equal(acks_in_settle(&acks, notes, &awaited), 1);
    assert_false(awaited.answer);
    acks_in_deinit(&acks);
}

/* Goal: an outcome ends the wait for earlier commands and keeps their answers; unknown ones are
 * nothing.
 */
static void test_outcome_covers_earlier(void **state)
{
    struct awaited awaited;
    struct acks_in acks;
    uint64_t last;
    (void)state;

    acks_in_init(&acks);
    acks_in_start(&acks, 0);
    (void)acks_in_submit(&acks, AWAITED_STANZA);
    assert_false(acks_in_ask(&acks));
    last = acks_in_submit(&acks, AWAITED_NOTES);
    assert_int_equal(acks_in_settle(&acks, last + 1, &awaited), 0);
    acks_in_deinit(&acks);

    acks_in_init(&acks);
    (void)acks_in_submit(&acks, AWAITED_STANZA);
    assert_false(acks_in_ask(&acks));
    last = acks_in_submit(&acks, AWAITED_NOTES);
    assert_int_equal(acks_in_settle(&acks, last, &awaited), 1);
    assert_true(awaited.answer);
    assert_int_equal(acks.applied, 1);
    assert_int_equal(acks_in_settle(&acks, last, &awaited), 0);
    acks_in_deinit(&acks);
}

/* Goal: the count wraps from 2^32-1 to 0 (XEP-0198 §4). */
static void test_wrap(void **state)
{
    struct awaited awaited;
    struct acks_in acks;
    uint64_t cookie;
    (void)state;

    acks_in_init(&acks);
    acks_in_start(&acks, UINT32_MAX);
    cookie = acks_in_submit(&acks, AWAITED_STANZA);
    assert_int_equal(acks.read, 0);
    assert_int_equal(acks_in_settle(&acks, cookie, &awaited), 1);
    assert_int_equal(acks.applied, 0);
    acks_in_deinit(&acks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count_follows_outcomes),
        cmocka_unit_test(test_only_stanzas_count),
        cmocka_unit_test(test_ask),
        cmocka_unit_test(test_outcome_covers_earlier),
        cmocka_unit_test(test_wrap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
