/* Listening sockets of the client ports. */
#include "node/net/listener.h"

#include "node/base/address.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static int dial(const char *text, uint16_t port)
{
    struct address address = {.port = port};
    struct sockaddr_storage target;
    int fd;
    int rc;

    (void)snprintf(address.host, sizeof(address.host), "%s", text);
    assert_true(address_numeric(&address, &target));
    fd = socket(target.ss_family, SOCK_STREAM, 0);
    rc = connect(fd, (struct sockaddr *)&target, address_len(&target));
    (void)close(fd);
    return rc;
}

/* Goal: a listener takes connections by IPv4 and IPv6, "[::]" both, a name too. */
static void test_listens(void **state)
{
    const struct {
        const char *address;
        const char *reached;
    } rows[] = {
        {"127.0.0.1:0", "127.0.0.1"}, {"[::1]:0", "::1"},
        {"[::]:0", "127.0.0.1"},      {"[::]:0", "::1"},
        {"LOCALHOST:0", NULL},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int accepted;
        int fd;

        assert_int_equal(listener_open(rows[i].address, LISTENER_ALONE, &fd), 0);
        assert_true(listener_port(fd) != 0);
        if (rows[i].reached != NULL) {
            assert_int_equal(dial(rows[i].reached, listener_port(fd)), 0);
            accepted = accept(fd, NULL, NULL);
            assert_true(accepted >= 0);
            listener_tune_client(accepted, 30000);
            (void)close(accepted);
        }
        assert_true(accept(fd, NULL, NULL) < 0); /* does not block */
        (void)close(fd);
    }
}

/* Goal: workers share a port, and nobody else gets at it: a node that opens it alone first is
 * refused while another has it, shared or not. */
static void test_taken_port_is_refused(void **state)
{
    char address[32];
    int shared[2];
    int other;
    int fd;
    (void)state;

    assert_int_equal(listener_open("127.0.0.1:0", LISTENER_ALONE, &fd), 0);
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", listener_port(fd));
    assert_int_equal(listener_open(address, LISTENER_ALONE, &other), ERR_IO);
    assert_int_equal(listener_open(address, LISTENER_SHARED, &other), ERR_IO);
    (void)close(fd);
    assert_int_equal(listener_open(address, LISTENER_SHARED, &shared[0]), 0);
    assert_int_equal(listener_open(address, LISTENER_SHARED, &shared[1]), 0);
    assert_int_equal(listener_open(address, LISTENER_ALONE, &fd), ERR_IO);
    (void)close(shared[0]);
    (void)close(shared[1]);
    assert_int_equal(listener_open("127.0.0.1", LISTENER_ALONE, &fd), ERR_CONFIG);
    assert_int_equal(listener_open("no-such-host.invalid:1", LISTENER_ALONE, &fd), ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listens),
        cmocka_unit_test(test_taken_port_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
