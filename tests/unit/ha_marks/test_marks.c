/* The comparison of state hashes (P7). */
#include "ha/marks/marks.h"

#include "node/base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* This node is 1; 4 and 5 are standbys. */
static const struct marks_members five = {
    .list = {{1, true}, {2, true}, {3, true}, {4, false}, {5, false}}, .count = 5};

static enum marks_verdict own(struct marks *marks, uint64_t index, uint64_t hash)
{
    marks_add_own(marks, index, hash);
    return marks_judge(marks, &five, index);
}

static enum marks_verdict other(struct marks *marks, uint32_t node, uint64_t index, uint64_t hash)
{
    marks_add_other(marks, &five, node, index, hash);
    return marks_judge(marks, &five, index);
}

/* Goal: equal hashes are no news, in whatever order they come.
 * Method: own first, then others, and the other way round. */
static void test_equal(void **state)
{
    struct marks marks = {0};

    (void)state;
    assert_int_equal(own(&marks, 10, 77), MARKS_EQUAL);
    assert_int_equal(other(&marks, 2, 10, 77), MARKS_EQUAL);
    assert_int_equal(other(&marks, 2, 20, 78), MARKS_EQUAL);
    assert_int_equal(other(&marks, 3, 20, 78), MARKS_EQUAL);
    assert_int_equal(own(&marks, 20, 78), MARKS_EQUAL);
}

/* Goal: one other node with another hash is an alarm, two of three outvote us, whoever comes last.
 * Method: both orders; a node that reports twice has one vote. */
static void test_outvoted(void **state)
{
    struct marks marks = {0};

    (void)state;
    assert_int_equal(own(&marks, 10, 1), MARKS_EQUAL);
    assert_int_equal(other(&marks, 2, 10, 9), MARKS_DIFFERENT);
    assert_int_equal(other(&marks, 2, 10, 9), MARKS_DIFFERENT);
    assert_int_equal(other(&marks, 3, 10, 9), MARKS_OUTVOTED);

    marks = (struct marks){0};
    assert_int_equal(other(&marks, 2, 30, 9), MARKS_EQUAL);
    assert_int_equal(other(&marks, 3, 30, 9), MARKS_EQUAL);
    assert_int_equal(own(&marks, 30, 1), MARKS_OUTVOTED);
}

/* Goal: two others that differ from us and from each other outvote nobody.
 * Method: three different hashes at one mark. */
static void test_no_majority(void **state)
{
    struct marks marks = {0};

    (void)state;
    assert_int_equal(own(&marks, 10, 1), MARKS_EQUAL);
    assert_int_equal(other(&marks, 2, 10, 2), MARKS_DIFFERENT);
    assert_int_equal(other(&marks, 3, 10, 3), MARKS_DIFFERENT);
}

/* Goal: only voters outvote. Method: voters that agree, standbys that agree on something else; then
 * a cluster of one voter and a node that joins; then a voter that was removed. */
static void test_only_voters_vote(void **state)
{
    static const struct marks_members joining = {.list = {{1, true}, {2, false}}, .count = 2};
    static const struct marks_members removed = {.list = {{1, true}}, .count = 1};
    struct marks marks = {0};

    (void)state;
    assert_int_equal(own(&marks, 10, 7), MARKS_EQUAL);
    assert_int_equal(other(&marks, 2, 10, 7), MARKS_EQUAL);
    assert_int_equal(other(&marks, 4, 10, 9), MARKS_DIFFERENT);
    assert_int_equal(other(&marks, 5, 10, 9), MARKS_DIFFERENT);

    marks = (struct marks){0};
    marks_add_own(&marks, 10, 7);
    marks_add_other(&marks, &joining, 2, 10, 9);
    assert_int_equal(marks_judge(&marks, &joining, 10), MARKS_DIFFERENT);
    assert_int_equal(marks_judge(&marks, &removed, 10), MARKS_EQUAL);
}

/* Goal: the alarm ends when every member agrees again, and not before.
 * Method: one node differs, another agrees at a later mark, then the one does too. */
static void test_alarm_ends(void **state)
{
    struct marks marks = {0};

    (void)state;
    assert_int_equal(own(&marks, 10, 1), MARKS_EQUAL);
    assert_int_equal(other(&marks, 2, 10, 9), MARKS_DIFFERENT);
    assert_int_equal(own(&marks, 20, 2), MARKS_DIFFERENT);
    assert_int_equal(other(&marks, 3, 20, 2), MARKS_DIFFERENT);
    assert_int_equal(other(&marks, 2, 20, 2), MARKS_EQUAL);
}

/* Goal: reports of marks that do not exist leave those that do alone.
 * Method: a node reports more of them than are kept; the others outvote us all the same. */
static void test_flood(void **state)
{
    struct marks marks = {0};

    (void)state;
    assert_int_equal(own(&marks, 10, 1), MARKS_EQUAL);
    for (uint64_t i = 0; i <= MARKS_KEPT; i++) {
        assert_int_equal(other(&marks, 4, UINT64_MAX - i, i), MARKS_EQUAL);
    }
    assert_int_equal(other(&marks, 2, 10, 9), MARKS_DIFFERENT);
    assert_int_equal(other(&marks, 3, 10, 9), MARKS_OUTVOTED);
}

/* Goal: each member has room, however many nodes there were before.
 * Method: memberships of nodes that come and go; at last two that outvote us. */
static void test_room_for_members(void **state)
{
    struct marks marks = {0};

    (void)state;
    for (uint32_t node = 100; node < 100 + 2 * MARKS_NODES_MAX; node++) {
        const struct marks_members members = {.list = {{1, true}, {node, false}}, .count = 2};

        marks_add_other(&marks, &members, node, 10, 5);
    }
    assert_int_equal(own(&marks, 10, 1), MARKS_EQUAL);
    assert_int_equal(other(&marks, 2, 10, 9), MARKS_DIFFERENT);
    assert_int_equal(other(&marks, 3, 10, 9), MARKS_OUTVOTED);
}

/* Goal: memory is bounded and the newest marks are those that are kept.
 * Method: more marks than fit; ask for the first and the last. */
static void test_ring(void **state)
{
    struct marks marks = {0};
    uint64_t hash;

    (void)state;
    for (uint64_t i = 1; i <= MARKS_KEPT + 1; i++) {
        marks_add_own(&marks, i, i * 2);
    }
    assert_false(marks_find_own(&marks, 1, &hash));
    assert_true(marks_find_own(&marks, 2, &hash));
    assert_true(marks_find_own(&marks, MARKS_KEPT + 1, &hash));
    assert_int_equal(hash, (MARKS_KEPT + 1) * 2);
    assert_int_equal(marks.newest_own_index, MARKS_KEPT + 1);
    /* one that is older than all: no longer compared */
    assert_int_equal(other(&marks, 2, 1, 5), MARKS_EQUAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_outvoted),
        cmocka_unit_test(test_no_majority),
        cmocka_unit_test(test_only_voters_vote),
        cmocka_unit_test(test_alarm_ends),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_room_for_members),
        cmocka_unit_test(test_ring),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
