/* Is a rolling restart safe now? */
#include "ha/upgrade/upgrade.h"

#include "ha/gate/gate.h"
#include "ha/health/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct upgrade_facts facts;
static char said[4096];

/* So many voters, all well. */
static void begin(size_t voters)
{
    facts = (struct upgrade_facts){.count = voters, .has_leader = true, .log_version = 1};
    for (size_t i = 0; i < voters; i++) {
        facts.nodes[i] = (struct upgrade_node){.node = (uint32_t)i + 1,
                                               .is_voter = true,
                                               .is_up = true,
                                               .is_connected = true,
                                               .reports = true,
                                               .serves = true,
                                               .lag = UPGRADE_LAG_MAX,
                                               .log_version = 1,
                                               .program = "1.4.2"};
    }
}

static void add_reason(void *ctx, const char *reason)
{
    size_t len = strlen(said);

    (void)ctx;
    (void)snprintf(said + len, sizeof(said) - len, "%s\n", reason);
}

static void expect(const char *expected)
{
    size_t count;

    said[0] = '\0';
    count = upgrade_check(&facts, add_reason, NULL);
    assert_string_equal(said, expected);
    assert_int_equal(count == 0, expected[0] == '\0');
}

static void three(void)
{
    begin(3);
}

/* Goal: a cluster where all is well is safe as soon as it can spare a voter.
 * Method: every number of voters, and of them that are there. */
static void test_majority(void **state)
{
    (void)state;
    for (size_t voters = 1; voters <= 5; voters++) {
        for (size_t down = 0; down <= voters / 2; down++) {
            bool spares_one = voters - down - 1 >= voters / 2 + 1;

            begin(voters);
            for (size_t i = 0; i < down; i++) {
                facts.nodes[i].is_up = false;
            }
            said[0] = '\0';
            (void)upgrade_check(&facts, add_reason, NULL);
            assert_int_equal(strstr(said, "no majority") == NULL, spares_one);
            assert_int_equal(said[0] == '\0', spares_one && down == 0);
        }
    }
    begin(2);
    expect("without node 1 there is no majority: 1 of 2 voters\n"
           "without node 2 there is no majority: 1 of 2 voters\n");
}

/* Goal: each thing that is wrong with a node is a reason of its own, in words.
 * Method: one fact at a time. */
static void test_each_reason(void **state)
{
    struct upgrade_node *node = &facts.nodes[2];

    (void)state;
    three();
    expect("");
    facts.has_leader = false;
    expect("no leader is known\n");
    three();
    node->is_up = false;
    expect("node 3 is down\n"
           "without node 1 there is no majority: 1 of 3 voters\n"
           "without node 2 there is no majority: 1 of 3 voters\n");
    three();
    node->is_connected = false;
    expect("node 3 is not connected\n"
           "without node 1 there is no majority: 1 of 3 voters\n"
           "without node 2 there is no majority: 1 of 3 voters\n");
    three();
    node->reports = false;
    expect("node 3 says nothing of itself\n");
    three();
    node->serves = false;
    node->gate = GATE_NOT_CURRENT;
    expect("node 3 does not serve: not current with the log\n");
    three();
    node->lag++;
    expect("node 3 is 2001 entries behind\n");
    three();
    node->alarms = HEALTH_STORE_LOW | 1u << 31;
    node->services_down = HEALTH_XMPP;
    expect("node 3: the service xmpp is down\n"
           "node 3 has the alarm store-low\n"
           "node 3 has the alarm of a newer program\n");
    three();
    node->is_away = true;
    expect("the users of node 3 are served by its peer; first: ha fallback 3\n");
    node->is_drained = true;
    expect("node 3 is drained; first: ha fallback 3\n");
    begin(4);
    facts.nodes[3].is_voter = false;
    facts.nodes[3].is_spare = true;
    facts.nodes[3].is_up = false;
    expect("node 4 joins: it is no voter or standby yet\n");
}

/* Goal: nodes that are upgraded already, and those that are not, go on together; what could not
 * read the other's data is no pair. */
static void test_versions(void **state)
{
    (void)state;
    three();
    facts.nodes[0].program = "1.5.0";
    facts.nodes[0].log_version = 2;
    expect("");
    facts.log_version = 2;
    expect("node 2 would stop at what is written (version 2, it reads up to 1)\n"
           "node 3 would stop at what is written (version 2, it reads up to 1)\n");
    three();
    facts.nodes[2].program = "2.0.0";
    expect("nodes 1 and 3 run programs that do not fit (1.4.2, 2.0.0)\n");
    facts.nodes[2].reports = false; /* what it said last counts no more */
    expect("node 3 says nothing of itself\n");
}

static void expect_raise(uint32_t log_version, const char *expected)
{
    size_t count;

    said[0] = '\0';
    count = upgrade_raise_check(&facts, log_version, add_reason, NULL);
    assert_string_equal(said, expected);
    assert_int_equal(count == 0, expected[0] == '\0');
}

/* Goal: what is written rises only when every member has said that it reads it. Method: one that is
 * older, one that is silent, a joining one that is either, and a node that knows no members. */
static void test_raise(void **state)
{
    (void)state;
    three();
    assert_int_equal(upgrade_newest(&facts), 1);
    expect_raise(1, "");
    facts.nodes[0].log_version = facts.nodes[1].log_version = 2;
    assert_int_equal(upgrade_newest(&facts), 2);
    expect_raise(2, "node 3 reads up to version 1 (it runs 1.4.2), not 2\n");
    facts.nodes[2].log_version = 2;
    expect_raise(2, "");
    facts.nodes[2].log_version = 3; /* and more */
    expect_raise(2, "");
    facts.nodes[2].reports = false; /* what it said last counts no more */
    assert_int_equal(upgrade_newest(&facts), 2);
    expect_raise(2, "node 3 does not say what it reads\n");
    facts.nodes[2].is_spare = true;
    expect_raise(2, "");
    facts.nodes[2].reports = true;
    facts.nodes[2].log_version = 1;
    expect_raise(2, "node 3 reads up to version 1 (it runs 1.4.2), not 2\n");
    facts.count = 0;
    expect_raise(2, "the members are not known yet\n");
}

/* Goal: who wants what a newer version brought is told what helps. Method: a new cluster, one that
 * was not told that its upgrade is over, and two that write it. */
static void test_may_write(void **state)
{
    char reason[UPGRADE_REASON_BYTES];

    (void)state;
    assert_false(upgrade_may_write(0, 2, reason));
    assert_non_null(strstr(reason, "ask again in a while"));
    assert_false(upgrade_may_write(1, 2, reason));
    assert_string_equal(reason,
                        "the cluster still writes version 1; first: cluster upgrade-finish");
    assert_true(upgrade_may_write(2, 2, reason));
    assert_true(upgrade_may_write(3, 2, reason));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_majority),  cmocka_unit_test(test_each_reason),
        cmocka_unit_test(test_versions),  cmocka_unit_test(test_raise),
        cmocka_unit_test(test_may_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
