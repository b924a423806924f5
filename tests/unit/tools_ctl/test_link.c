/* A control socket whose node takes no connections, as one that is stopped. */
#include "tests/unit/tools_ctl/said.h"

#include "tests/lib/scratch.h"
#include "tools/ctl/link.h"

#include "node/base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#define WAITING_MAX 16 /* more than the backlog has places */

/* A listener with as many connections as its backlog holds. */
struct stopped {
    char folder[SCRATCH_BYTES];
    struct sockaddr_un address;
    int listener;
    int waiting[WAITING_MAX];
    size_t count;
};

static int setup(void **state)
{
    static struct stopped node;
    bool is_full = false;

    node = (struct stopped){.address = {.sun_family = AF_UNIX}};
    scratch_folder(node.folder, "link");
    (void)snprintf(node.address.sun_path, sizeof(node.address.sun_path), "%s/c", node.folder);
    node.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(node.listener, (void *)&node.address, sizeof(node.address)), 0);
    assert_int_equal(listen(node.listener, 1), 0);
    while (!is_full && node.count < WAITING_MAX) {
        int one = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        is_full = connect(one, (void *)&node.address, sizeof(node.address)) != 0;
        node.waiting[node.count++] = one;
    }
    assert_true(is_full);
    *state = &node;
    return 0;
}

static int teardown(void **state)
{
    struct stopped *node = *state;

    for (size_t i = 0; i < node->count; i++) {
        (void)close(node->waiting[i]);
    }
    (void)close(node->listener);
    (void)unlink(node->address.sun_path);
    (void)rmdir(node->folder);
    return 0;
}

/* Goal: --timeout bounds the way in, too.
 * Method: connect to a backlog that is full; without the deadline this test does not end. */
static void test_full_backlog(void **state)
{
    const struct stopped *node = *state;
    const char *fault = NULL;

    assert_null(link_open(node->address.sun_path, 1, &fault));
    assert_string_equal(fault, "it takes no connection in time");
}

static void *accept_all(void *ctx)
{
    struct stopped *node = ctx;

    for (size_t i = 0; i < node->count; i++) { /* one did not fit, and the new one comes */
        int one = accept(node->listener, NULL, NULL);

        assert_true(one >= 0);
        (void)close(one);
    }
    return NULL;
}

/* Goal: a node that goes on in time is reached.
 * Method: the same, and a thread that takes what waits while link_open() does. */
static void test_backlog_clears(void **state)
{
    struct stopped *node = *state;
    const char *fault = NULL;
    pthread_t taker;
    struct link *link;

    assert_int_equal(pthread_create(&taker, NULL, accept_all, node), 0);
    link = link_open(node->address.sun_path, 60, &fault);
    assert_non_null(link);
    assert_int_equal(pthread_join(taker, NULL), 0);
    link_close(&link);
}

/* Goal: no node there is said at once. Method: a listener that is closed. */
static void test_nobody(void **state)
{
    struct stopped *node = *state;
    const char *fault = NULL;

    (void)close(node->listener);
    assert_null(link_open(node->address.sun_path, 60, &fault));
    assert_string_equal(fault, strerror(ECONNREFUSED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_full_backlog, setup, teardown),
        cmocka_unit_test_setup_teardown(test_backlog_clears, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
