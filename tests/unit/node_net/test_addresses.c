/* Connections counted by where they come from. */
#include "node/net/addresses.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct address_key key_v4(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};

    assert_int_equal(inet_pton(AF_INET, text, &address.sin_addr), 1);
    return address_key((const struct sockaddr *)&address);
}

static struct address_key key_v6(const char *text)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};

    assert_int_equal(inet_pton(AF_INET6, text, &address.sin6_addr), 1);
    return address_key((const struct sockaddr *)&address);
}

/* Goal: an IPv4 address is one key in both notations; an IPv6 /64 is one key.
 * Method: pairs that must be equal, and pairs that must not. */
static void test_keys(void **state)
{
    struct address_key a = key_v4("192.0.2.1");
    struct address_key mapped = key_v6("::ffff:192.0.2.1");
    struct address_key b = key_v4("192.0.2.2");
    struct address_key c = key_v6("2001:db8:0:1::1");
    struct address_key same_net = key_v6("2001:db8:0:1:ffff::9");
    struct address_key other_net = key_v6("2001:db8:0:2::1");

    (void)state;
    assert_memory_equal(&a, &mapped, sizeof(a));
    assert_memory_not_equal(&a, &b, sizeof(a));
    assert_memory_equal(&c, &same_net, sizeof(c));
    assert_memory_not_equal(&c, &other_net, sizeof(c));
}

/* Goal: counts go up and down by address, and what is back at zero takes no memory.
 * Method: two addresses; the sanitizer sees what is left. */
static void test_counts(void **state)
{
    struct addresses *addresses = addresses_new();
    struct address_key a = key_v4("192.0.2.1");
    struct address_key b = key_v4("192.0.2.2");

    (void)state;
    assert_int_equal(addresses_add(addresses, &a).of_address, 1);
    assert_int_equal(addresses_add(addresses, &a).of_address, 2);
    assert_int_equal(addresses_add(addresses, &b).of_address, 1);
    addresses_remove(addresses, &a);
    assert_int_equal(addresses_add(addresses, &a).of_address, 2);
    addresses_remove(addresses, &a);
    addresses_remove(addresses, &a);
    assert_int_equal(addresses_add(addresses, &a).of_address, 1);
    assert_int_equal(addresses_add(addresses, &a).of_node, 3); /* one of them is b's */
    addresses_free(&addresses);
    assert_null(addresses);
}

#define THREADS 4
#define ROUNDS  20000

static void *come_and_go(void *ctx)
{
    const struct address_key key = key_v4("192.0.2.1");

    for (unsigned i = 0; i < ROUNDS; i++) {
        (void)addresses_add(ctx, &key);
        addresses_remove(ctx, &key);
    }
    return NULL;
}

/* Goal: all workers count in one table.
 * Method: threads that count the same address up and down; at the end nobody is there. */
static void test_threads(void **state)
{
    struct addresses *addresses = addresses_new();
    struct address_key key = key_v4("192.0.2.1");
    pthread_t threads[THREADS];

    (void)state;
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, addresses), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(addresses_add(addresses, &key).of_node, 1);
    addresses_free(&addresses);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
