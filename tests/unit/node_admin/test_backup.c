/* Backups that cannot be. */
#include "node/admin/backup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *ctx);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *ctx)
{
    (void)thread;
    (void)attributes;
    (void)run;
    (void)ctx;
    return EAGAIN;
}

/* Goal: a node that may have no more threads refuses a backup, and goes on as if none had been
 * asked for. */
static void test_no_thread(void **state)
{
    struct admin admin = {.backup = NULL};
    struct request request = {.admin = &admin};

    (void)state;
    assert_int_equal(backup_begin(&request, 1), ERR_BUSY);
    assert_null(admin.backup);
    assert_false(backup_is_busy(&request));
    backup_end(&admin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
