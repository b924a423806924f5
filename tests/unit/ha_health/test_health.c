/* What is wrong with a node, and which services of it are down. */
#include "ha/health/health.h"

#include "node/base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define FACTS 8

static struct health_facts facts_of(unsigned set)
{
    return (struct health_facts){.state_differs = (set & 1) != 0,
                                 .lease_differs = (set & 2) != 0,
                                 .log_disk_stalled = (set & 4) != 0,
                                 .store_behind = (set & 8) != 0,
                                 .store_low = (set & 16) != 0,
                                 .workers_hung = (set & 32) != 0 ? 3 : 0,
                                 .raft_hung = (set & 64) != 0,
                                 .log_low = (set & 128) != 0};
}

/* Goal: each fact gives its alarm and takes its service down, whatever else is wrong.
 * Method: every combination of facts, each against the sum of what its facts mean alone. */
static void test_every_combination(void **state)
{
    static const struct health alone[FACTS] = {
        {HEALTH_STATE_DIFFERS, 0},
        {HEALTH_LEASE_DIFFERS, 0},
        {HEALTH_LOG_DISK_STALLED, HEALTH_STORAGE},
        {HEALTH_STORE_BEHIND, HEALTH_STORAGE},
        {HEALTH_STORE_LOW, 0},
        {HEALTH_WORKER_HUNG, HEALTH_XMPP},
        {0, HEALTH_RAFT},
        {HEALTH_LOG_LOW, 0},
    };

    (void)state;
    for (unsigned set = 0; set < 1u << FACTS; set++) {
        const struct health_facts facts = facts_of(set);
        const struct health health = health_of(&facts);
        struct health expected = {0};

        for (unsigned i = 0; i < FACTS; i++) {
            if ((set & 1u << i) != 0) {
                expected.alarms |= alone[i].alarms;
                expected.services_down |= alone[i].services_down;
            }
        }
        assert_int_equal(health.alarms, expected.alarms);
        assert_int_equal(health.services_down, expected.services_down);
    }
}

/* Goal: little room is noticed with a quarter more than is wanted, and over with half as much more.
 * Method: the last byte on each side of both edges, the ends of the range, and nothing wanted. */
static void test_low(void **state)
{
    static const struct {
        bool was_low;
        uint64_t left, wanted;
        bool is_low;
    } cases[] = {{false, 1249, 1000, true},
                 {false, 1250, 1000, false},
                 {true, 1250, 1000, true},
                 {true, 1499, 1000, true},
                 {true, 1500, 1000, false},
                 {false, 0, 1, true},
                 {true, UINT64_MAX, 1000, false},
                 {true, 0, UINT64_MAX, true},
                 {false, 0, 0, false},
                 {true, 0, 0, false}};

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(health_is_low(cases[i].was_low, cases[i].left, cases[i].wanted),
                         cases[i].is_low);
    }
}

/* Goal: room is a matter of store and log alone.
 * Method: every set of alarms, with some that this program does not know. */
static void test_room(void **state)
{
    (void)state;
    for (uint32_t alarms = 0; alarms < 512; alarms++) {
        bool is_low = (alarms & HEALTH_STORE_LOW) != 0 || (alarms & HEALTH_LOG_LOW) != 0;

        assert_int_equal(health_has_room(alarms), !is_low);
    }
}

/* Goal: a bit has one name, and one that a newer program made up has none. */
static void test_names(void **state)
{
    (void)state;
    assert_string_equal(health_alarm_name(0), "state-differs");
    assert_string_equal(health_alarm_name(4), "worker-hung");
    assert_string_equal(health_service_name(1), "storage");
    assert_null(health_alarm_name(31));
    assert_null(health_service_name(3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_combination),
        cmocka_unit_test(test_low),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
