/* Which alarms are raised and cleared, and when. */
#include "ha/alarm/alarm.h"
#include "ha/gate/gate.h"
#include "ha/health/health.h"

#include "node/base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LOOK_MS  500
#define BEGIN_MS 1000000
#define ROWS_MAX 200
#define SEEDS    200
#define STEPS    400
#define SETTLED  40 /* looks, after which all is as it is */

/* A cluster and what its log has of alarms. */
struct world {
    struct alarm_watch watch;
    struct alarm_facts facts;
    struct alarm_row rows[ROWS_MAX];
    size_t row_count;
    struct alarm_change changes[ALARM_CHANGES_MAX]; /* of the last look */
    size_t change_count;
};

static struct world world;

/* Three voters, of which the first two stand in for each other; all is well. */
static int setup(void **state)
{
    (void)state;
    world = (struct world){.facts = {.count = 3, .now_ms = BEGIN_MS, .time_ms = 5}};
    for (uint32_t i = 0; i < 3; i++) {
        world.facts.nodes[i] = (struct alarm_node){.node = i + 1,
                                                   .is_voter = true,
                                                   .is_connected = true,
                                                   .is_up = true,
                                                   .peer = i < 2 ? 2 - i : 0,
                                                   .reports = true,
                                                   .serves = true};
    }
    return 0;
}

static struct alarm_row *row_of(uint32_t node, enum alarm_kind kind)
{
    for (size_t i = 0; i < world.row_count; i++) {
        if (world.rows[i].node == node && world.rows[i].kind == kind) {
            return &world.rows[i];
        }
    }
    return NULL;
}

static bool is_active(uint32_t node, enum alarm_kind kind)
{
    const struct alarm_row *row = row_of(node, kind);

    return row != NULL && row->is_active;
}

/* As storage/state does. */
static void apply(const struct alarm_change *change)
{
    struct alarm_row *row = row_of(change->node, change->kind);

    if (row == NULL) {
        assert_true(world.row_count < ROWS_MAX);
        row = &world.rows[world.row_count++];
        *row = (struct alarm_row){.node = change->node, .kind = change->kind};
    }
    assert_int_equal(row->times, change->times);
    assert_true(row->is_active != change->is_active);
    if (row->changed_ms != 0) {
        assert_true(world.facts.time_ms - row->changed_ms >= ALARM_GAP_MS);
    }
    row->is_active = change->is_active;
    row->times += change->is_active ? 1 : 0;
    row->changed_ms = world.facts.time_ms;
}

static void look(bool applies)
{
    world.facts.now_ms += LOOK_MS;
    world.facts.time_ms += LOOK_MS;
    world.change_count =
        alarm_decide(&world.watch, &world.facts, world.rows, world.row_count, world.changes);
    for (size_t i = 0; applies && i < world.change_count; i++) {
        apply(&world.changes[i]);
    }
}

static void look_for(uint64_t ms)
{
    for (uint64_t passed = 0; passed < ms; passed += LOOK_MS) {
        look(true);
    }
}

static size_t count_active(void)
{
    size_t count = 0;

    for (size_t i = 0; i < world.row_count; i++) {
        count += world.rows[i].is_active;
    }
    return count;
}

static void kill_node(struct alarm_node *node)
{
    node->is_connected = node->is_up = node->reports = node->serves = false;
}

static void revive(struct alarm_node *node)
{
    node->is_connected = node->is_up = node->reports = node->serves = true;
}

/* Goal: a cluster where all is well has no alarm. */
static void test_all_well(void **state)
{
    (void)state;
    look_for(60000);
    assert_int_equal(world.row_count, 0);
}

/* Goal: a dead node is an alarm, and what its death means for others; all are cleared when it is
 * back. Method: kill the second of a pair. */
static void test_node_dies(void **state)
{
    struct alarm_node *dead = &world.facts.nodes[1];

    (void)state;
    kill_node(dead);
    dead->alarms = HEALTH_WORKER_HUNG; /* what it said last counts no more */
    look_for(2000);
    assert_int_equal(count_active(), 1);
    assert_true(is_active(2, ALARM_NODE_DOWN));
    look_for(6000);
    assert_int_equal(count_active(), 3);
    assert_true(is_active(1, ALARM_NO_STANDBY));
    assert_true(is_active(0, ALARM_NO_SPARE_VOTER));

    dead->is_connected = dead->reports = true; /* it catches up */
    dead->alarms = 0;
    dead->gate = GATE_NOT_CURRENT;
    look_for(10000);
    assert_false(is_active(2, ALARM_NODE_DOWN));
    assert_true(is_active(2, ALARM_NOT_CURRENT));
    revive(dead);
    look_for(10000);
    assert_int_equal(count_active(), 0);
    assert_int_equal(row_of(2, ALARM_NODE_DOWN)->times, 1);
}

/* Goal: each alarm of a node, and of its services, is one of the cluster, under its name; one that
 * the node has only for a moment is none. */
static void test_reported_alarms(void **state)
{
    struct alarm_node *node = &world.facts.nodes[2];

    (void)state;
    node->alarms = HEALTH_STORE_LOW;
    look(true);
    node->alarms = 0;
    look_for(5000);
    assert_int_equal(world.row_count, 0);
    for (unsigned bit = 0; health_alarm_name(bit) != NULL; bit++) {
        enum alarm_kind kind;

        assert_true(alarm_find(health_alarm_name(bit), &kind));
        node->alarms = 1u << bit;
        look_for(5000);
        assert_int_equal(count_active(), 1);
        assert_true(is_active(3, kind));
        node->alarms = 0;
        look_for(10000);
        assert_int_equal(count_active(), 0);
    }
    node->services_down = HEALTH_XMPP | HEALTH_RAFT | 1u << 20;
    for (int i = 0; i < 10 && world.change_count == 0; i++) {
        look(true);
    }
    assert_int_equal(world.changes[0].kind, ALARM_SERVICE_DOWN);
    assert_string_equal(world.changes[0].reason, "xmpp, raft, another one");
}

static void expect_failed_over(uint32_t node, const char *reason)
{
    world.facts.nodes[node - 1].is_away = true;
    for (int i = 0; i < 10 && world.change_count == 0; i++) {
        look(true);
    }
    assert_int_equal(world.changes[0].kind, ALARM_FAILED_OVER);
    assert_string_equal(world.changes[0].reason, reason);
    world.change_count = 0;
}

/* Goal: who serves the users of a node that is away is named only where that is one. */
static void test_failed_over(void **state)
{
    (void)state;
    expect_failed_over(1, "node 2 serves its users");
    expect_failed_over(3, "drained: other nodes serve its users");
}

/* Goal: a node that does not serve is told apart by what it waits for.
 * Method: every reason, and one that only a newer program has. */
static void test_not_serving(void **state)
{
    struct alarm_node *node = &world.facts.nodes[2];

    (void)state;
    node->serves = false;
    for (unsigned gate = GATE_STOPPING; gate <= GATE_REASON_COUNT; gate++) {
        bool is_replica = gate < GATE_DOORS;
        bool is_hung = gate == GATE_WORKER_HUNG;

        node->gate = gate;
        look_for(15000);
        assert_int_equal(is_active(3, ALARM_NOT_CURRENT), is_replica);
        assert_int_equal(is_active(3, ALARM_NOT_SERVING), !is_replica && !is_hung);
    }
}

/* Goal: who wants to hear nothing of replicas that are behind does not, and what was raised ends;
 * all else is told. */
static void test_ignored_replicas(void **state)
{
    struct alarm_node *node = &world.facts.nodes[2];

    (void)state;
    node->serves = false;
    node->gate = GATE_NOT_CURRENT;
    look_for(10000);
    assert_true(is_active(3, ALARM_NOT_CURRENT));
    world.facts.ignores_replicas = true;
    look_for(10000);
    assert_int_equal(count_active(), 0);
    node->gate = GATE_DOORS;
    look_for(10000);
    assert_true(is_active(3, ALARM_NOT_SERVING));
    node->gate = GATE_NOT_CURRENT;
    world.facts.ignores_replicas = false;
    look_for(10000);
    assert_true(is_active(3, ALARM_NOT_CURRENT));
}

/* Goal: nothing is said about a node that says nothing, unless it is gone.
 * Method: an alarm is raised, the reports stop, then the link breaks. */
static void test_silent_node(void **state)
{
    struct alarm_node *node = &world.facts.nodes[2];

    (void)state;
    node->alarms = HEALTH_STORE_BEHIND;
    look_for(8000);
    assert_true(is_active(3, ALARM_STORE_BEHIND));
    node->reports = false;
    node->alarms = 0;
    look_for(30000);
    assert_int_equal(count_active(), 1);
    node->is_connected = false;
    look_for(30000);
    assert_false(is_active(3, ALARM_STORE_BEHIND));
}

/* Goal: the majority that is left is counted right.
 * Method: every number of voters and of those connected. */
static void test_spare_voter(void **state)
{
    for (size_t voters = 1; voters <= 5; voters++) {
        for (size_t connected = voters / 2 + 1; connected <= voters; connected++) {
            (void)setup(state);
            world.facts.count = voters;
            for (size_t i = 0; i < voters; i++) {
                world.facts.nodes[i] = (struct alarm_node){.node = (uint32_t)i + 1,
                                                           .is_voter = true,
                                                           .is_connected = i < connected,
                                                           .is_up = true};
            }
            look_for(10000);
            assert_int_equal(is_active(0, ALARM_NO_SPARE_VOTER),
                             voters > 1 && connected - 1 < voters / 2 + 1);
        }
    }
}

/* Goal: alarms of a node that was removed from the cluster are cleared. */
static void test_removed_node(void **state)
{
    (void)state;
    kill_node(&world.facts.nodes[2]);
    look_for(10000);
    assert_true(is_active(3, ALARM_NODE_DOWN));
    world.facts.count = 2;
    look_for(10000);
    assert_false(is_active(3, ALARM_NODE_DOWN));
}

/* Goal: a change that is lost with its leader is decided again, and a new leader, which has watched
 * nothing yet, comes to the same. Method: changes that are not applied; then another watch. */
static void test_lost_change(void **state)
{
    size_t decided = 0;

    (void)state;
    kill_node(&world.facts.nodes[2]);
    for (int i = 0; i < 20; i++) {
        look(false);
        for (size_t n = 0; n < world.change_count; n++) {
            decided += world.changes[n].kind == ALARM_NODE_DOWN ? 1 : 0;
        }
    }
    assert_in_range(decided, 3, 10);
    world.watch = (struct alarm_watch){.count = 0};
    look_for(5000);
    assert_true(is_active(3, ALARM_NODE_DOWN));
}

/* ---- any facts */

static uint64_t draw(uint64_t *seed, uint64_t limit)
{
    uint64_t z = (*seed += 0x9e3779b97f4a7c15u); /* splitmix64 */

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % limit;
}

static void change_facts(uint64_t *seed)
{
    struct alarm_node *node = &world.facts.nodes[draw(seed, 3)];

    switch (draw(seed, 8)) {
    case 0:
        kill_node(node);
        break;
    case 1:
        revive(node);
        break;
    case 2:
        node->alarms ^= 1u << draw(seed, 8);
        break;
    case 3:
        node->services_down ^= 1u << draw(seed, 5);
        break;
    case 4:
        node->serves = !node->serves;
        node->gate = (unsigned)draw(seed, GATE_REASON_COUNT + 2);
        break;
    case 5:
        node->reports = !node->reports;
        break;
    case 6:
        node->is_away = !node->is_away;
        break;
    default:
        world.facts.count = 2 + draw(seed, 2);
        break;
    }
}

/* Goal: however facts come and go, an alarm changes at most once in ALARM_GAP_MS (apply() checks
 * it), each decision fits the row, and once the facts are all well again and stay so, no alarm is
 * left. Method: random changes at each look, many seeds. */
static void test_any_facts(void **state)
{
    for (uint64_t n = 1; n <= SEEDS; n++) {
        uint64_t seed = n;
        uint64_t often = 1 + draw(&seed, 20);

        (void)setup(state);
        for (int step = 0; step < STEPS; step++) {
            if (draw(&seed, often) == 0) {
                change_facts(&seed);
            }
            look(draw(&seed, 10) != 0);
        }
        world.facts.count = 3;
        for (size_t i = 0; i < 3; i++) {
            struct alarm_node *node = &world.facts.nodes[i];

            revive(node);
            node->alarms = node->services_down = 0;
            node->is_away = false;
        }
        look_for(SETTLED * LOOK_MS);
        if (count_active() != 0) {
            fail_msg("seed %llu: %zu alarms left", (unsigned long long)n, count_active());
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_all_well, setup),
        cmocka_unit_test_setup(test_node_dies, setup),
        cmocka_unit_test_setup(test_reported_alarms, setup),
        cmocka_unit_test_setup(test_failed_over, setup),
        cmocka_unit_test_setup(test_not_serving, setup),
        cmocka_unit_test_setup(test_ignored_replicas, setup),
        cmocka_unit_test_setup(test_silent_node, setup),
        cmocka_unit_test_setup(test_spare_voter, setup),
        cmocka_unit_test_setup(test_removed_node, setup),
        cmocka_unit_test_setup(test_lost_change, setup),
        cmocka_unit_test_setup(test_any_facts, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
