/* Addresses of sockets: host and port taken apart and looked up. */
#include "node/base/address.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Goal: names, IPv4 and bracketed IPv6 are split at the right colon; numeric ones are told from
 * names. */
static void test_parse(void **state)
{
    const struct {
        const char *text;
        const char *host;
        uint16_t port;
        int family; /* 0: a name */
    } rows[] = {
        {"10.0.0.1:5222", "10.0.0.1", 5222, AF_INET},
        {"[::1]:7000", "::1", 7000, AF_INET6},
        {"[fe80::1:2]:0", "fe80::1:2", 0, AF_INET6},
        {"node1.example.com:65535", "node1.example.com", 65535, 0},
        {"localhost:1", "localhost", 1, AF_INET},
        {"10.0.0:5222", "10.0.0", 5222, 0},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sockaddr_storage numeric;
        struct address address;
        bool is_numeric;

        assert_int_equal(address_parse(rows[i].text, &address), 0);
        assert_string_equal(address.host, rows[i].host);
        assert_int_equal(address.port, rows[i].port);
        is_numeric = address_numeric(&address, &numeric);
        assert_int_equal(is_numeric, rows[i].family != 0);
        if (is_numeric) {
            assert_int_equal(numeric.ss_family, rows[i].family);
            assert_int_equal(address_port(&numeric), rows[i].port);
        }
    }
}

/* Goal: everything else is refused: no port, no host, a port out of range or with other characters,
 * IPv6 without brackets, a host longer than a DNS name may be. */
static void test_malformed(void **state)
{
    const char *texts[] = {"",           "host",      ":1",        "host:",
                           "host:65536", "host:1x",   "host:-",    "::1:7000",
                           "[::1]",      "[]:1",      "[::1:7000", "host: 1",
                           "[:1",        "host:+123", "[::1]1:2",  "host:99999999999"};
    char text[ADDRESS_HOST_BYTES_MAX + 8];
    struct address address;
    (void)state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(address_parse(texts[i], &address), ERR_MALFORMED);
    }
    for (size_t len = ADDRESS_HOST_BYTES_MAX; len <= ADDRESS_HOST_BYTES_MAX + 1; len++) {
        memset(text, 'a', len);
        (void)strcpy(text + len, ":1");
        assert_int_equal(address_parse(text, &address),
                         len == ADDRESS_HOST_BYTES_MAX ? 0 : ERR_MALFORMED);
    }
}

/* Goal: a name of this host is looked up, one that does not exist is an error. */
static void test_lookup(void **state)
{
    struct sockaddr_storage found;
    (void)state;

    assert_int_equal(address_lookup("127.0.0.1:5", &found), 0);
    assert_int_equal(address_port(&found), 5);
    assert_int_equal(address_len(&found), sizeof(struct sockaddr_in));
    assert_int_equal(address_lookup("LOCALHOST:6", &found), 0);
    assert_int_equal(address_port(&found), 6);
    assert_int_equal(address_lookup("no-such-host.invalid:7", &found), ERR_NOT_FOUND);
    assert_int_equal(address_lookup("nonsense", &found), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_lookup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
