/* Commands that wait for room in the log. What the log is given is seen by the linker's --wrap
 * (tests/CMakeLists.txt). */
#include "node/base/buf.h"
#include "node/base/err.h"
#include "node/core/backlog.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

int __wrap_rlog_submit(struct rlog *rlog, struct slice command);
void __wrap_rlog_replace(struct rlog *rlog, struct slice command, struct slice substitute);

static bool has_room;
static struct buf given; /* "submit;" and "replaced>substitute;" */

int __wrap_rlog_submit(struct rlog *rlog, struct slice command)
{
    (void)rlog;
    if (!has_room) {
        return ERR_BUSY;
    }
    buf_append(&given, command);
    buf_append_str(&given, ";");
    return 0;
}

void __wrap_rlog_replace(struct rlog *rlog, struct slice command, struct slice substitute)
{
    (void)rlog;
    buf_append(&given, command);
    buf_append_str(&given, ">");
    buf_append(&given, substitute);
    buf_append_str(&given, ";");
}

/* Goal: what stands for a command has its place, whether it waits here or the log has it: never
 * both. Method: of three, one is given to the log and two wait; all are replaced but the last. */
static void test_replace(void **state)
{
    struct backlog backlog = {0};
    (void)state;

    has_room = true;
    backlog_submit(&backlog, NULL, slice_str("a"));
    has_room = false;
    backlog_submit(&backlog, NULL, slice_str("b"));
    backlog_submit(&backlog, NULL, slice_str("c"));
    backlog_replace(&backlog, NULL, slice_str("b"), slice_str("y"));
    backlog_replace(&backlog, NULL, slice_str("a"), slice_str("x"));
    has_room = true;
    backlog_retry(&backlog, NULL);
    assert_true(backlog_is_empty(&backlog));
    assert_string_equal(buf_text(&given), "a;a>x;y;c;");
    buf_deinit(&given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
