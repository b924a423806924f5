/* The records by which clients find the nodes of a domain. */
#include "node/admin/dns.h"

#include "node/base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void expect(const char *domain, const struct dns_node *nodes, size_t count,
                   const char *expected)
{
    json_t *rows = json_array();
    json_t *wanted = json_loads(expected, 0, NULL);
    char *text;

    dns_add_records(domain, nodes, count, rows);
    assert_non_null(wanted);
    text = json_dumps(rows, JSON_COMPACT);
    if (!json_equal(rows, wanted)) {
        fail_msg("%s", text);
    }
    free(text);
    json_decref(wanted);
    json_decref(rows);
}

/* Goal: nodes that serve alike have one priority and the same weight, names end with a dot, and a
 * domain that is not ASCII is written as DNS knows it.
 * Method: two nodes with names. */
static void test_alike(void **state)
{
    const struct dns_node nodes[] = {{.node = 1, .address = "One.example.org:5222"},
                                     {.node = 2, .address = "two.example.org:5223"}};

    (void)state;
    expect("b\xc3\xbc.example", nodes, ARRAY_COUNT(nodes),
           "[{\"domain\":\"b\\u00fc.example\",\"name\":\"_xmpp-client._tcp.xn--b-eha.example.\","
           "\"type\":\"SRV\",\"priority\":10,\"weight\":1,\"port\":5222,"
           "\"target\":\"one.example.org.\"},"
           "{\"domain\":\"b\\u00fc.example\",\"name\":\"_xmpp-client._tcp.xn--b-eha.example.\","
           "\"type\":\"SRV\",\"priority\":10,\"weight\":1,\"port\":5223,"
           "\"target\":\"two.example.org.\"}]");
}

/* Goal: a standby is tried later, and one that is alone at its priority needs no weight; the target
 * of a record is a name, also for a node that has none (RFC 2782).
 * Method: a node with an IPv4 literal, and its standby with an IPv6 literal. */
static void test_standby_and_literals(void **state)
{
    const struct dns_node nodes[] = {
        {.node = 3, .address = "192.0.2.3:5222"},
        {.node = 4, .address = "[2001:db8:0::4]:5222", .stands_by = true}};

    (void)state;
    expect("x.org", nodes, ARRAY_COUNT(nodes),
           "[{\"domain\":\"x.org\",\"name\":\"_xmpp-client._tcp.x.org.\",\"type\":\"SRV\","
           "\"priority\":10,\"weight\":0,\"port\":5222,\"target\":\"node-3.x.org.\"},"
           "{\"domain\":\"x.org\",\"name\":\"_xmpp-client._tcp.x.org.\",\"type\":\"SRV\","
           "\"priority\":20,\"weight\":0,\"port\":5222,\"target\":\"node-4.x.org.\"},"
           "{\"domain\":\"x.org\",\"name\":\"node-3.x.org.\",\"type\":\"A\","
           "\"address\":\"192.0.2.3\"},"
           "{\"domain\":\"x.org\",\"name\":\"node-4.x.org.\",\"type\":\"AAAA\","
           "\"address\":\"2001:db8::4\"}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alike),
        cmocka_unit_test(test_standby_and_literals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
