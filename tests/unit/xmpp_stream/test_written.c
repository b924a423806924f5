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
    uint64_t done = 0;
    uint64_t presence = 0;
    (void)state;

    assert_false(written_check(&written, 0, 0, &done, &presence));
    written_add(&written, true, 10);
    written_add(&written, false, 11);
    assert_false(written_check(&written, 100, 0, &done, &presence));
    assert_false(written_check(&written, 100, 99, &done, &presence));
    assert_true(written_check(&written, 100, 100, &done, &presence));
    assert_int_equal(done, 10);
    assert_int_equal(presence, 11);
    assert_false(written_check(&written, 100, 100, &done, &presence));
}

/* Goal: an output that is never empty does not keep everything back.
 * Method: a second stanza is put while the first one leaves. */
static void test_progress_under_load(void **state)
{
    struct written written = {0};
    uint64_t done = 0;
    uint64_t presence = 0;
    (void)state;

    written_add(&written, true, 1);
    assert_false(written_check(&written, 50, 10, &done, &presence));
    written_add(&written, true, 2);
    assert_true(written_check(&written, 90, 60, &done, &presence));
    assert_int_equal(done, 1);
    assert_true(written_check(&written, 90, 90, &done, &presence));
    assert_int_equal(done, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_done_when_left),
        cmocka_unit_test(test_progress_under_load),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
