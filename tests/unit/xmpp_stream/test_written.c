/* Done without acks: a stanza counts as done when its bytes have left the output, not before. */
#include "xmpp/stream/written.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Goal: nothing is done before its bytes are out, everything is afterwards.
 * Method: 100 bytes put; look with 0, 99 and 100 of them taken. */
static void test_done_when_left(void **state)
{
    struct written written = {0};
    struct written_mark mark;
    (void)state;

    assert_false(written_check(&written, 0, &mark));
    written_add(&written, true, 10, 100);
    assert_false(written_check(&written, 0, &mark));
    assert_false(written_check(&written, 99, &mark));
    assert_true(written_check(&written, 100, &mark));
    assert_int_equal(mark.done_position, 10);
    assert_int_equal(mark.presence_position, 10); /* older presence came before it */
    assert_false(written_check(&written, 100, &mark));
}

/* Goal: an output that is never empty does not keep everything back.
 * Method: two more stanzas are put before the first one has left. */
static void test_progress_under_load(void **state)
{
    struct written written = {0};
    struct written_mark mark;
    (void)state;

    written_add(&written, true, 1, 50);
    written_add(&written, false, 2, 70);
    written_add(&written, true, 3, 90);
    assert_true(written_check(&written, 60, &mark));
    assert_int_equal(mark.done_position, 1);
    assert_int_equal(mark.presence_position, 1);
    assert_false(written_check(&written, 89, &mark));
    assert_true(written_check(&written, 90, &mark));
    assert_int_equal(mark.done_position, 3);
    assert_int_equal(mark.presence_position, 3);
    assert_false(written_check(&written, 90, &mark));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_done_when_left),
        cmocka_unit_test(test_progress_under_load),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
