/* A copy through a pipe: all of it, cancelled, given up, and not begun. */
#include "node/base/copy_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COPY_BYTES (300 * 1000)
#define PART_BYTES (64 * 1000)

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *ctx);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *ctx);

static bool has_no_threads;
static atomic_bool is_cancelled;
static atomic_bool is_full;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *ctx)
{
    return has_no_threads ? EAGAIN : __real_pthread_create(thread, attributes, run, ctx);
}

static bool ask_cancelled(void *ctx)
{
    (void)ctx;
    return atomic_load(&is_cancelled);
}

/* Writes on until it is through, or nobody reads. */
static int write_copy(void *ctx, int fd)
{
    static const uint8_t bytes[COPY_BYTES] = {1};
    size_t done = 0;

    (void)ctx;
    if ((fcntl(fd, F_GETFL) & O_NONBLOCK) == 0) {
        return ERR_MALFORMED; /* a blocking one would wait for ever in write() */
    }
    while (done < COPY_BYTES) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
        ssize_t written = write(fd, bytes + done, COPY_BYTES - done);

        if (written < 0 && errno != EAGAIN) {
            return ERR_IO;
        }
        if (written < 0) {
            atomic_store(&is_full, true);
            (void)poll(&poll_fd, 1, -1);
        }
        done += written > 0 ? (size_t)written : 0;
    }
    return 7;
}

static struct copy_pipe begin(void)
{
    atomic_store(&is_cancelled, false);
    atomic_store(&is_full, false);
    return (struct copy_pipe){
        .write = write_copy, .is_cancelled = ask_cancelled, .name = "test-writer"};
}

/* Goal: all that is written comes out in full parts, then less, and the writer's verdict. */
static void test_whole(void **state)
{
    static uint8_t part[PART_BYTES];
    struct copy_pipe copy = begin();
    size_t all = 0;
    size_t len = PART_BYTES;

    (void)state;
    assert_int_equal(copy_pipe_open(&copy), 0);
    while (len == PART_BYTES) {
        assert_int_equal(copy_pipe_read(&copy, part, PART_BYTES, &len), 0);
        all += len;
    }
    assert_int_equal(copy_pipe_close(&copy), 7);
    assert_int_equal(copy_pipe_close(&copy), 7);
    assert_int_equal(all, COPY_BYTES);
}

/* Goal: a reader that stops does not leave the writer in write(), which ends as the pipe does.
 * Method: read nothing until the pipe is full; be cancelled; close. */
static void test_given_up(void **state)
{
    static uint8_t part[PART_BYTES];
    struct copy_pipe copy = begin();
    size_t len;

    (void)state;
    assert_int_equal(copy_pipe_open(&copy), 0);
    while (!atomic_load(&is_full)) {
        (void)usleep(1000);
    }
    atomic_store(&is_cancelled, true);
    assert_int_equal(copy_pipe_read(&copy, part, PART_BYTES, &len), ERR_CLOSED);
    assert_int_equal(copy_pipe_close(&copy), ERR_IO);
}

/* Goal: a process that may have no more threads goes on, and loses no descriptor. */
static void test_no_thread(void **state)
{
    struct copy_pipe copy = begin();
    int before = dup(0);
    int after;

    (void)state;
    assert_int_equal(close(before), 0);
    has_no_threads = true;
    assert_int_equal(copy_pipe_open(&copy), ERR_BUSY);
    has_no_threads = false;
    after = dup(0);
    assert_int_equal(close(after), 0);
    assert_int_equal(after, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_no_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
