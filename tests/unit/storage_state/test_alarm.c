/* Alarms as the log keeps them, and the version of commands that may be written. */
#include "tests/unit/storage_state/check.h"
#include "tests/unit/storage_state/world.h"

#include <stdio.h>

static struct world world;

static int setup(void **state)
{
    (void)state;
    world_open(&world);
    world_settle(&world);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(&world);
    return 0;
}

/* ---- helpers */

static void refused(const char *line, enum err reason)
{
    char expected[64];

    (void)snprintf(expected, sizeof(expected), "outcome done: %s\n", err_text(reason));
    world_expect(&world, line, expected);
}

static bool append_alarm(void *ctx, const Pb__AlarmRow *row)
{
    buf_printf(ctx, "%u %s %d %s x%u %llu-%llu\n", row->node, row->name, row->severity,
               row->active ? row->reason : "ended", row->times, (unsigned long long)row->raised_ms,
               (unsigned long long)row->cleared_ms);
    return true;
}

static void expect_alarms(const char *expected)
{
    struct buf text = BUF_EMPTY;

    state_each_alarm(world.state, &world.arena, append_alarm, &text);
    assert_string_equal(buf_text(&text), expected);
    buf_deinit(&text);
}

static bool count_alarm(void *ctx, const Pb__AlarmRow *row)
{
    (void)row;
    *(size_t *)ctx += 1;
    return true;
}

static size_t count_alarms(void)
{
    size_t count = 0;

    state_each_alarm(world.state, &world.arena, count_alarm, &count);
    return count;
}

/* ---- tests */

/* Goal: an alarm is raised, ends, is raised again for another reason; every node is told. */
static void test_a_life(void **state)
{
    (void)state;
    world.now_ms = 1000;
    world_expect(&world, "0 alarm_set node=2 name=node-down active=1 severity=MAJOR reason=dead",
                 "alarm node-down of node 2 raised severity=1 dead\noutcome done\n");
    world.now_ms = 2000;
    world_expect(&world, "0 alarm_set node=0 name=node-down active=1 reason=all",
                 "alarm node-down of node 0 raised severity=0 all\noutcome done\n");
    expect_alarms("0 node-down 0 all x1 2000-0\n2 node-down 1 dead x1 1000-0\n");
    world_expect(&world, "0 alarm_set node=2 name=node-down times=1",
                 "alarm node-down of node 2 cleared severity=1 dead\noutcome done\n");
    expect_alarms("0 node-down 0 all x1 2000-0\n2 node-down 1 ended x1 1000-2000\n");
    world.now_ms = 3000;
    world_run(&world, "0 alarm_set node=2 name=node-down active=1 reason=again times=1");
    expect_alarms("0 node-down 0 all x1 2000-0\n2 node-down 0 again x2 3000-0\n");
}

/* Goal: of two decisions on the same facts the first one holds, and what no alarm is stays out. */
static void test_refusals(void **state)
{
    char line[512];

    (void)state;
    refused("0 alarm_set name=a", ERR_CONFLICT);
    refused("0 alarm_set name=a active=1 times=1", ERR_CONFLICT);
    world_run(&world, "0 alarm_set name=a active=1");
    refused("0 alarm_set name=a active=1", ERR_CONFLICT);
    refused("0 alarm_set name=a active=1 times=1", ERR_CONFLICT);
    refused("0 alarm_set name=a times=2", ERR_CONFLICT);
    refused("0 alarm_set active=1", ERR_INVALID);
    refused("0 alarm_set name=A active=1", ERR_INVALID);
    (void)snprintf(line, sizeof(line), "0 alarm_set active=1 name=a%.*s",
                   STATE_ALARM_NAME_BYTES_MAX,
                   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    refused(line, ERR_INVALID);
    (void)snprintf(line, sizeof(line), "0 alarm_set active=1 name=b reason=%0*d",
                   STATE_ALARM_REASON_BYTES_MAX + 1, 0);
    refused(line, ERR_INVALID);
    expect_alarms("0 a 0  x1 1000-0\n");
}

/* Goal: there are never more than so many; what ended longest ago goes first, and what is active
 * stays. Method: fill up with active ones, end two, raise three. */
static void test_bound(void **state)
{
    (void)state;
    for (int node = 1; node <= STATE_ALARMS_MAX; node++) {
        world_runf(&world, "0 alarm_set node=%d name=a active=1", node);
    }
    assert_int_equal(count_alarms(), STATE_ALARMS_MAX);
    refused("0 alarm_set node=300 name=a active=1", ERR_LIMIT);
    world.now_ms += 1000;
    world_run(&world, "0 alarm_set node=9 name=a times=1");
    world.now_ms += 1000;
    world_run(&world, "0 alarm_set node=7 name=a times=1");
    world_run(&world, "0 alarm_set node=301 name=a active=1");
    assert_int_equal(count_alarms(), STATE_ALARMS_MAX);
    world_expect(&world, "0 alarm_set node=7 name=a active=1 times=1",
                 "alarm a of node 7 raised severity=0 \noutcome done\n");
    refused("0 alarm_set node=9 name=a active=1 times=1", ERR_CONFLICT); /* it is forgotten */
    refused("0 alarm_set node=302 name=a active=1", ERR_LIMIT);
    assert_int_equal(count_alarms(), STATE_ALARMS_MAX);
}

/* Goal: the written version rises, and never falls; an entry that raises it beyond what this
 * program reads is not applied, not even in part. */
static void test_log_version(void **state)
{
    char lines[128];

    (void)state;
    assert_int_equal(state_cluster(world.state, &world.arena)->log_version, 0);
    refused("0 cluster_set", ERR_INVALID);
    world_expect(&world, "0 cluster_set log_version=1", "version\noutcome done\n");
    refused("0 cluster_set log_version=1", ERR_CONFLICT);
    assert_int_equal(state_cluster(world.state, &world.arena)->log_version, 1);
    (void)snprintf(lines, sizeof(lines), "1 domain_set name=raised.x\n0 cluster_set log_version=%d",
                   STATE_LOG_VERSION + 1);
    assert_int_equal(world_try(&world, lines), ERR_VERSION);
    assert_int_equal(state_cluster(world.state, &world.arena)->log_version, 1);
    assert_false(state_has_domain(world.state, "raised.x"));
}

/* Goal: the monitor is what an operator said last, and the version stays as it is thereby. */
static void test_monitor(void **state)
{
    (void)state;
    assert_false(state_cluster(world.state, &world.arena)->monitor_off);
    world_expect(&world, "1 cluster_set monitor=MONITOR_DISABLED", "outcome done\n");
    assert_true(state_cluster(world.state, &world.arena)->monitor_off);
    world_expect(&world, "0 cluster_set log_version=1", "version\noutcome done\n");
    assert_true(state_cluster(world.state, &world.arena)->monitor_off);
    world_expect(&world, "1 cluster_set monitor=MONITOR_ENABLED", "outcome done\n");
    assert_false(state_cluster(world.state, &world.arena)->monitor_off);
    assert_int_equal(state_cluster(world.state, &world.arena)->log_version, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_version, setup, teardown),
        cmocka_unit_test_setup_teardown(test_monitor, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
