/* What the log says of links that fail: counted, by a clock that is set by hand. */
#include "node/base/log.h"
#include "raft/link/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t now_ms;
static unsigned lines;

uint64_t __wrap_clock_mono_ms(void); /* of the linker's --wrap */
void __wrap_log_write(enum log_level level, const char *event, const struct log_field *fields);

uint64_t __wrap_clock_mono_ms(void)
{
    return now_ms;
}

void __wrap_log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    (void)level;
    (void)event;
    (void)fields;
    lines++;
}

/* So many knock for so long, each 20 times a second. */
static unsigned knock(struct link_set *set, uint32_t nodes, unsigned seconds, const char *reason)
{
    lines = 0;
    for (unsigned i = 0; i < seconds * 20; i++) {
        for (uint32_t node = 0; node < nodes; node++) {
            struct link_conn conn = {.set = set, .state = CONN_TLS, .named = node + 1};

            link_log_failure(&conn, reason);
        }
        now_ms += 50;
    }
    return lines;
}

/* Goal: nodes that are refused are told of once a minute each, however many they are; another
 * reason at once, and strangers once a second at most.
 * Method: three knock; then the same for another reason; then one without a name. */
static void test_refused(void **state)
{
    struct link_set *set = calloc(1, sizeof(*set));
    struct link_conn stranger = {.set = set, .state = CONN_TLS};

    (void)state;
    now_ms = 5000;
    assert_int_equal(knock(set, 3, 60, "node is not known here"), 3);
    assert_int_equal(knock(set, 3, 10, "node is not known here"), 3);
    assert_int_equal(knock(set, 3, 10, "its log is lost"), 3);
    lines = 0;
    for (unsigned i = 0; i < 200; i++) {
        link_log_failure(&stranger, "handshake timed out");
        now_ms += 50;
    }
    assert_in_range(lines, 9, 11);
    free(set);
}

/* Goal: a link that we dial is told of once for each way to fail: our own refusal does not hide
 * behind the peer's, nor behind a process that is down. Method: all of them, twice. */
static void test_dialled(void **state)
{
    struct link_set *set = calloc(1, sizeof(*set));
    struct link_peer peer = {.node_id = 7};
    struct link_conn conn = {.set = set, .peer = &peer, .dialled = true};

    (void)state;
    lines = 0;
    for (int i = 0; i < 2; i++) {
        conn.is_refused = false;
        conn.state = CONN_CONNECT;
        link_log_failure(&conn, "connection refused");
        conn.state = CONN_HELLO;
        link_log_failure(&conn, "closed by the peer");
        conn.is_refused = true;
        link_log_failure(&conn, "its log is lost");
        assert_int_equal(lines, 3);
    }
    free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_dialled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
