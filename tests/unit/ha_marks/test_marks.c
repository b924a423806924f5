/* The comparison of state hashes (P7). */
#include "ha/marks/marks.h"

#include "node/base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define VOTERS 3

/* Goal: equal hashes are no news, in whatever order they come.
 * Method: own first, then others, and the other way round. */
static void test_equal(void **state)
{
    struct marks marks = {0};

    (void)state;
    assert_int_equal(marks_add_own(&marks, 10, 77, VOTERS), MARKS_EQUAL);
    assert_int_equal(marks_add_other(&marks, 10, 2, 77, VOTERS), MARKS_EQUAL);
    assert_int_equal(marks_add_other(&marks, 20, 2, 78, VOTERS), MARKS_EQUAL);
    assert_int_equal(marks_add_other(&marks, 20, 3, 78, VOTERS), MARKS_EQUAL);
    assert_int_equal(marks_add_own(&marks, 20, 78, VOTERS), MARKS_EQUAL);
}

/* Goal: one other node with another hash is an alarm, two of three outvote us, whoever comes last.
 * Method: both orders; a node that reports twice has one vote. */
static void test_outvoted(void **state)
{
    struct marks marks = {0};

    (void)state;
    assert_int_equal(marks_add_own(&marks, 10, 1, VOTERS), MARKS_EQUAL);
    assert_int_equal(marks_add_other(&marks, 10, 2, 9, VOTERS), MARKS_DIFFERENT);
    assert_int_equal(marks_add_other(&marks, 10, 2, 9, VOTERS), MARKS_DIFFERENT);
    assert_int_equal(marks_add_other(&marks, 10, 3, 9, VOTERS), MARKS_OUTVOTED);

    assert_int_equal(marks_add_other(&marks, 30, 2, 9, VOTERS), MARKS_EQUAL);
    assert_int_equal(marks_add_other(&marks, 30, 3, 9, VOTERS), MARKS_EQUAL);
    assert_int_equal(marks_add_own(&marks, 30, 1, VOTERS), MARKS_OUTVOTED);
}

/* Goal: two others that differ from us and from each other outvote nobody.
 * Method: three different hashes at one mark. */
static void test_no_majority(void **state)
{
    struct marks marks = {0};

    (void)state;
    assert_int_equal(marks_add_own(&marks, 10, 1, VOTERS), MARKS_EQUAL);
    assert_int_equal(marks_add_other(&marks, 10, 2, 2, VOTERS), MARKS_DIFFERENT);
    assert_int_equal(marks_add_other(&marks, 10, 3, 3, VOTERS), MARKS_DIFFERENT);
}

/* Goal: memory is bounded and the newest marks are those that are kept.
 * Method: more marks than fit; ask for the first and the last. */
static void test_ring(void **state)
{
    struct marks marks = {0};
    uint64_t hash;

    (void)state;
    for (uint64_t i = 1; i <= MARKS_KEPT + 1; i++) {
        assert_int_equal(marks_add_own(&marks, i, i * 2, VOTERS), MARKS_EQUAL);
    }
    assert_false(marks_find_own(&marks, 1, &hash));
    assert_true(marks_find_own(&marks, 2, &hash));
    assert_true(marks_find_own(&marks, MARKS_KEPT + 1, &hash));
    assert_int_equal(hash, (MARKS_KEPT + 1) * 2);
    assert_int_equal(marks.newest_own_index, MARKS_KEPT + 1);
    /* one that is older than all: not kept, and no vote */
    assert_int_equal(marks_add_other(&marks, 1, 2, 5, VOTERS), MARKS_EQUAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_outvoted),
        cmocka_unit_test(test_no_majority),
        cmocka_unit_test(test_ring),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
