/* Backups that cannot be, and that cannot go on.
 * Method of all: the functions of the core, and the way back to the control thread, are this
 * file's. */
#include "node/admin/backup.h"
#include "node/base/mem.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *ctx);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *ctx);
uint64_t __wrap_core_durable_index(struct core *core);
bool __wrap_core_has_room(struct core *core);
int __wrap_core_copy(struct core *core, int fd, struct kv_mark *mark_out);
void __wrap_request_post(struct request *request, void (*then)(struct request *request));

static bool has_no_threads;
static atomic_bool has_room;
static atomic_bool is_answered;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *ctx)
{
    return has_no_threads ? EAGAIN : __real_pthread_create(thread, attributes, run, ctx);
}

uint64_t __wrap_core_durable_index(struct core *core)
{
    (void)core;
    return 1;
}

bool __wrap_core_has_room(struct core *core)
{
    (void)core;
    return atomic_load(&has_room);
}

/* Without an end, until nobody reads. */
int __wrap_core_copy(struct core *core, int fd, struct kv_mark *mark_out)
{
    static const uint8_t bytes[4096];
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};

    (void)core;
    (void)mark_out;
    while (write(fd, bytes, sizeof(bytes)) >= 0 || errno == EAGAIN) {
        (void)poll(&poll_fd, 1, -1);
    }
    return ERR_IO;
}

void __wrap_request_post(struct request *request, void (*then)(struct request *request))
{
    (void)request;
    (void)then;
    atomic_store(&is_answered, true);
}

/* What backup.read gets; the caller clears it. */
static struct request read_part(struct admin *admin)
{
    struct request request = {.admin = admin};

    atomic_store(&is_answered, false);
    backup_read(&request);
    while (!atomic_load(&is_answered)) {
        (void)usleep(1000);
    }
    return request;
}

/* Goal: a node that may have no more threads refuses a backup, and goes on as if none had been
 * asked for. */
static void test_no_thread(void **state)
{
    struct admin admin = {.backup = NULL};
    struct request request = {.admin = &admin};

    (void)state;
    has_no_threads = true;
    assert_int_equal(backup_begin(&request, 1), ERR_BUSY);
    has_no_threads = false;
    assert_null(admin.backup);
    assert_false(backup_is_busy(&request));
    backup_end(&admin);
}

/* Goal: a backup that is read slowly ends before the pages that it keeps make the node refuse
 * content, and says why. Method: the room goes while parts are read. */
static void test_no_room(void **state)
{
    struct admin admin = {.backup = NULL};
    struct request request = {.admin = &admin};
    struct request part;

    (void)state;
    atomic_store(&has_room, true);
    assert_int_equal(backup_begin(&request, 1), 0);
    part = read_part(&admin);
    assert_int_equal(part.rc, 0);
    assert_non_null(json_object_get(part.result, "bytes"));
    json_decref(part.result);

    atomic_store(&has_room, false);
    part = read_part(&admin);
    assert_int_equal(part.rc, ERR_NO_SPACE);
    assert_null(part.result);
    assert_non_null(part.fault);
    mem_free(&part.fault);
    backup_end(&admin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_thread),
        cmocka_unit_test(test_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
