/* Homes of users: who gets which, and that no more users move than have to. */
#include "tests/unit/storage_state/check.h"
#include "tests/unit/storage_state/world.h"

#include <stdio.h>
#include <stdlib.h>

#define NODES 6
#define STEPS 400
#define SEEDS 10

static struct world world;

static const char *const mode_names[] = {[PB__ASSIGN_MODE__BALANCED] = "BALANCED",
                                         [PB__ASSIGN_MODE__ACTIVE_STANDBY] = "ACTIVE_STANDBY",
                                         [PB__ASSIGN_MODE__NO_ASSIGNMENT] = "NO_ASSIGNMENT"};

/* Six nodes; alice, bob and carol have accounts, and no home. */
static int setup(void **state)
{
    (void)state;
    world_open(&world);
    world_settle(&world);
    for (int node = 1; node <= NODES; node++) {
        world_runf(&world, "1 node_set node=%d name=n", node);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(&world);
    return 0;
}

/* ---- helpers */

static void refused_for(const char *user, int node, enum err reason)
{
    char expected[64];

    (void)snprintf(expected, sizeof(expected), "outcome done: %s row=1\n", err_text(reason));
    assert_string_equal(
        world_runf(&world, "1 home_set users.0.user=%s users.0.node=%d", user, node), expected);
}

/* Nodes first and first + 1 stand in for each other. */
static void make_pair(int first)
{
    (void)world_runf(&world, "1 group_set name=g%d create=1", first);
    (void)world_runf(&world, "1 group_node name=g%d node=%d", first, first);
    (void)world_runf(&world, "1 group_node name=g%d node=%d", first, first + 1);
    assert_string_equal(world_runf(&world, "1 group_set name=g%d ha_enabled=1", first),
                        "outcome done\n");
}

static uint32_t users_of(uint32_t node)
{
    return state_node(world.state, &world.arena, node)->users;
}

static uint32_t home_of(const char *user)
{
    return state_account(world.state, &world.arena, user)->home;
}

static void expect_users(uint32_t one, uint32_t two, uint32_t three, uint32_t four)
{
    assert_int_equal(users_of(1), one);
    assert_int_equal(users_of(2), two);
    assert_int_equal(users_of(3), three);
    assert_int_equal(users_of(4), four);
}

static Pb__AssignMode mode_now(void)
{
    return state_assignment(world.state, &world.arena)->mode;
}

/* What the leader does while it finds something. Returns how many users moved. */
static size_t rebalance_all(void)
{
    struct state_rehoming *moves;
    size_t total = 0;
    size_t count;

    while ((count = state_plan_rehomings(world.state, &world.arena, mode_now(), 7, &moves)) > 0) {
        (void)world_runf(&world, "1 rebalance max=7 mode=%s", mode_names[mode_now()]);
        assert_int_equal(world.effects.items[0].outcome.row, count);
        total += count;
        assert_true(total < 10000);
    }
    return total;
}

/* ---- tests */

/* Goal: without groups nobody has a home; with the first one everybody gets one, the same number on
 * each node, and so does who comes later. */
static void test_balanced(void **state)
{
    (void)state;
    assert_int_equal(rebalance_all(), 0);
    assert_int_equal(home_of("alice@x"), 0);
    make_pair(1);
    make_pair(3);
    assert_int_equal(rebalance_all(), 3);
    expect_users(1, 1, 1, 0);
    for (int i = 0; i < 7; i++) {
        (void)world_runf(&world, "1 user_set user=u%d@x create=1", i);
    }
    expect_users(3, 3, 2, 2);
    assert_int_equal(rebalance_all(), 0);
    assert_int_equal(home_of("u0@x"), 4);
}

/* Goal: a new password leaves a user at home; a removed account leaves no trace; two that leave one
 * node make one move.
 */
static void test_fewest_moves(void **state)
{
    (void)state;
    make_pair(1);
    (void)rebalance_all();
    expect_users(2, 1, 0, 0);
    world_grant(&world, "1 user_set user=u1@x create=1");
    world_grant(&world, "1 user_set user=u2@x create=1");
    world_grant(&world, "1 user_set user=u3@x create=1");
    expect_users(3, 3, 0, 0);
    world_grant(&world, "1 user_set user=u1@x");
    assert_int_equal(home_of("u1@x"), 2);
    world_grant(&world, "1 user_remove user=u1@x");
    world_grant(&world, "1 user_remove user=u3@x");
    expect_users(3, 1, 0, 0);
    assert_int_equal(rebalance_all(), 1);
    expect_users(2, 2, 0, 0);
    make_pair(3);
    assert_int_equal(rebalance_all(), 2);
    expect_users(1, 1, 1, 1);
}

/* Goal: in active-standby mode the first node of each group has the users; when that mode begins,
 * those of the others move. In none nobody moves, and who is new has no home. */
static void test_modes(void **state)
{
    (void)state;
    make_pair(1);
    make_pair(3);
    (void)rebalance_all();
    world_grant(&world, "1 assignment_set mode=ACTIVE_STANDBY sets_mode=1");
    assert_int_equal(rebalance_all(), 1);
    expect_users(2, 0, 1, 0);
    world_grant(&world, "1 user_set user=u1@x create=1");
    expect_users(2, 0, 2, 0);
    world_grant(&world, "1 assignment_set mode=NO_ASSIGNMENT sets_mode=1");
    world_grant(&world, "1 assignment_set policy=REDIRECT sets_policy=1");
    assert_int_equal(mode_now(), PB__ASSIGN_MODE__NO_ASSIGNMENT);
    world_grant(&world, "1 user_set user=u2@x create=1");
    assert_int_equal(rebalance_all(), 0);
    assert_int_equal(home_of("u2@x"), 0);
    assert_int_equal(state_assignment(world.state, &world.arena)->policy,
                     PB__VISITOR_POLICY__REDIRECT);
    world_refuse(&world, "1 rebalance max=0", ERR_LIMIT);
    world_refuse(&world, "1 rebalance max=501", ERR_LIMIT);
    (void)world_run(&world, "0 rebalance max=500 mode=BALANCED"); /* decided before the mode */
    assert_int_equal(home_of("u2@x"), 0);
}

/* Goal: who was placed by hand stays, and counts; until he is given back to the mode. A node that
 * is in no group is nobody's home. */
static void test_by_hand(void **state)
{
    (void)state;
    make_pair(1);
    (void)rebalance_all();
    world_grant(&world,
                "1 home_set users.0.user=alice@x users.0.node=2 users.1.user=bob@x users.1.node=2 "
                "users.2.user=carol@x users.2.node=2");
    expect_users(0, 3, 0, 0);
    assert_int_equal(rebalance_all(), 0);
    world_grant(&world, "1 user_set user=u1@x create=1");
    expect_users(1, 3, 0, 0);
    world_grant(&world, "1 home_set users.0.user=bob@x");
    assert_int_equal(home_of("bob@x"), 0);
    assert_int_equal(rebalance_all(), 1);
    expect_users(2, 2, 0, 0);
    refused_for("bob@x", 3, ERR_NOT_ALLOWED);
    refused_for("bob@x", 9, ERR_NOT_ALLOWED);
    refused_for("nobody@x", 1, ERR_NOT_FOUND);
    expect_users(2, 2, 0, 0);
}

/* Goal: users of a node that leaves its group move, who was placed there by hand, too; a group that
 * is disabled for a while keeps its users. */
static void test_nodes_leave(void **state)
{
    (void)state;
    make_pair(1);
    make_pair(3);
    (void)rebalance_all();
    world_grant(&world, "1 group_set name=g3");
    assert_int_equal(rebalance_all(), 0);
    world_grant(&world, "1 user_set user=u1@x create=1");
    world_grant(&world, "1 user_set user=u2@x create=1");
    expect_users(2, 1, 1, 1);
    world_grant(&world, "1 home_set users.0.user=u2@x users.0.node=3");
    world_grant(&world, "1 group_node name=g3 node=3 remove=1");
    assert_int_equal(rebalance_all(), 2);
    assert_int_equal(users_of(3), 0);
    assert_int_equal(rebalance_all(), 0);
}

/* Goal: with the policy redirect a user is sent to the node that serves him, unless that is down or
 * unknown; his peer's while he is away. Method: alice of node 1 binds at each node. */
static void test_visitors(void **state)
{
    const char *at_two = "2 bind owner=2:0:9:1 user=alice@x resource=r credential_version=$";
    const char *at_one = "1 bind owner=1:0:9:1 user=alice@x resource=r credential_version=$";

    (void)state;
    world_run(&world, "0 start node=2 nonce=n2");
    world_grant(&world, "2 node_set node=2 name=two client_address=two.x:5222");
    world_grant(&world, "1 node_set node=1 name=one client_address=one.x:5222");
    make_pair(1);
    world_grant(&world, "1 home_set users.0.user=alice@x users.0.node=1");
    assert_non_null(strstr(world_run(&world, at_two), "outcome bound"));
    world_grant(&world, "1 assignment_set policy=REDIRECT sets_policy=1");
    world_expect(&world, at_two, "outcome elsewhere one.x:5222\n");
    assert_non_null(strstr(world_run(&world, at_two), "outcome bound")); /* it cannot go */
    world.now_ms += STATE_SENT_AWAY_MS;
    world_expect(&world, at_two, "outcome elsewhere one.x:5222\n");
    assert_non_null(strstr(world_run(&world, at_one), "outcome bound"));
    (void)world_run(&world, "1 node_move node=1 away=1 reason=ADMIN_REQUEST");
    world_expect(&world, at_one, "outcome elsewhere two.x:5222\n");
    assert_non_null(strstr(world_run(&world, at_two), "outcome bound"));
    (void)world_run(&world, "0 node_down incarnation=2");
    assert_non_null(strstr(world_run(&world, at_one), "outcome bound"));
}

/* Goal: a node that becomes a witness while it is in a group loses its users to its peer, gets
 * none, and nobody is sent to it; as the first of its group it leaves the active place to the
 * other. Method: alice of node 1, in both modes; node 1 becomes a witness. */
static void test_a_witness_is_nobodys_home(void **state)
{
    (void)state;
    world_run(&world, "0 start node=2 nonce=n2");
    make_pair(1);
    (void)rebalance_all();
    world_grant(&world, "1 home_set users.0.user=alice@x users.0.node=1");
    world_grant(&world, "1 assignment_set policy=REDIRECT");
    world_grant(&world, "1 node_set node=1 name=one client_address=one.x:5222 witness=1");
    assert_non_null(strstr(
        world_run(&world, "2 bind owner=2:0:9:1 user=alice@x resource=r credential_version=$"),
        "outcome bound"));
    refused_for("bob@x", 1, ERR_NOT_ALLOWED);
    world_grant(&world, "1 home_set users.0.user=alice@x users.0.node=0");
    (void)rebalance_all();
    assert_int_equal(users_of(1), 0);
    assert_int_equal(users_of(2), 3);
    world_grant(&world, "1 assignment_set mode=ACTIVE_STANDBY");
    assert_int_equal(rebalance_all(), 0);
    world_grant(&world, "1 user_set user=u1@x create=1");
    assert_int_equal(users_of(2), 4);
}

/* Goal: who stands by, for those who tell clients where to go first: the second node of an enabled
 * group in the mode active-standby, and nobody else.
 * Method: each of the conditions in turn. */
static void test_stands_by(void **state)
{
    (void)state;
    make_pair(1);
    make_pair(3);
    assert_false(state_stands_by(world.state, &world.arena, 2));
    world_grant(&world, "1 assignment_set mode=ACTIVE_STANDBY sets_mode=1");
    assert_true(state_stands_by(world.state, &world.arena, 2));
    assert_false(state_stands_by(world.state, &world.arena, 1));
    assert_false(state_stands_by(world.state, &world.arena, 5));
    world_grant(&world, "1 group_set name=g1");
    assert_false(state_stands_by(world.state, &world.arena, 2));
    assert_true(state_stands_by(world.state, &world.arena, 4));
}

/* ---- any history */

static uint32_t roll(uint32_t *dice, uint32_t sides)
{
    *dice = *dice * 1664525 + 1013904223;
    return (*dice >> 8) % sides;
}

static void do_something(uint32_t *dice)
{
    int pair = 1 + 2 * (int)roll(dice, NODES / 2);
    unsigned user = roll(dice, 60);

    switch (roll(dice, 12)) {
    case 0:
        (void)world_runf(&world, "1 group_set name=g%d create=1", pair);
        break;
    case 1:
    case 2:
        (void)world_runf(&world, "1 group_node name=g%d node=%u remove=%u", pair,
                         (unsigned)pair + roll(dice, 2), roll(dice, 4) == 0);
        break;
    case 3:
        (void)world_runf(&world, "1 group_set name=g%d ha_enabled=%u", pair,
                         roll(dice, 3) == 0 ? 0 : 1);
        break;
    case 4:
        (void)world_runf(&world, "1 assignment_set sets_mode=1 mode=%s", mode_names[roll(dice, 3)]);
        break;
    case 5:
        (void)world_runf(&world, "1 home_set users.0.user=u%u@x users.0.node=%u", user,
                         roll(dice, NODES + 1));
        break;
    case 6:
        (void)world_runf(&world, "1 user_remove user=u%u@x", user);
        break;
    case 7:
        (void)rebalance_all();
        break;
    default:
        (void)world_runf(&world, "1 user_set user=u%u@x create=1", user);
        break;
    }
}

struct tally {
    uint32_t users[NODES + 1];
    uint32_t by_hand[NODES + 1];
};

static bool tally_user(void *ctx, const char *user)
{
    struct tally *tally = ctx;
    const Pb__AccountRow *row = state_account(world.state, &world.arena, user);

    assert_true(row->home <= NODES);
    tally->users[row->home]++;
    tally->by_hand[row->home] += row->by_hand ? 1 : 0;
    return true;
}

/* The numbers that nodes have are true. */
static void check_numbers(void)
{
    struct tally tally = {{0}, {0}};

    state_each_account(world.state, &world.arena, "", "", tally_user, &tally);
    for (uint32_t node = 1; node <= NODES; node++) {
        assert_int_equal(users_of(node), tally.users[node]);
        assert_int_equal(state_node(world.state, &world.arena, node)->users_by_hand,
                         tally.by_hand[node]);
        assert_int_equal(rows_all(world.state, &world.arena, TABLE_HOME, key_u32(node)).count,
                         tally.users[node]);
    }
}

struct takers {
    const Pb__NodeRow *rows[NODES];
    size_t count;
};

static bool note_takers(void *ctx, const char *name, const Pb__GroupRow *row)
{
    struct takers *takers = ctx;

    (void)name;
    for (size_t i = 0; i < row->n_nodes; i++) {
        if (i == 0 || mode_now() != PB__ASSIGN_MODE__ACTIVE_STANDBY) {
            takers->rows[takers->count++] = state_node(world.state, &world.arena, row->nodes[i]);
        }
    }
    return true;
}

/* When nothing is left to do, no node that could give a user away has more than one more than
 * another one. */
static void check_spread(void)
{
    struct takers takers = {.count = 0};

    (void)rebalance_all();
    if (mode_now() == PB__ASSIGN_MODE__NO_ASSIGNMENT) {
        return;
    }
    state_each_group(world.state, &world.arena, note_takers, &takers);
    for (size_t i = 0; i < takers.count; i++) {
        for (size_t j = 0; j < takers.count; j++) {
            const Pb__NodeRow *giver = takers.rows[i];

            assert_true(giver->users == giver->users_by_hand ||
                        giver->users <= takers.rows[j]->users + 1);
        }
    }
}

/* Goal: whatever operators do in whatever order, numbers are true and the spread is even.
 * Method: random histories; a check after each step. */
static void test_any_history(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
        uint32_t dice = seed;

        (void)setup(NULL);
        for (int step = 0; step < STEPS; step++) {
            do_something(&dice);
            check_numbers();
            if (step % 10 == 0) {
                check_spread();
                check_numbers();
            }
        }
        (void)teardown(NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_balanced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fewest_moves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_modes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_by_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nodes_leave, setup, teardown),
        cmocka_unit_test_setup_teardown(test_visitors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_witness_is_nobodys_home, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stands_by, setup, teardown),
        cmocka_unit_test(test_any_history),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
