/* Moves of users: what they hold for, who drops sessions for them, and how they end. */
#include "tests/unit/storage_state/check.h"
#include "tests/unit/storage_state/world.h"

#include <stdio.h>

static struct world world;

/* Nodes 1 and 2, incarnations of the same numbers, stand in for each other; node 3 is alone. */
static int setup(void **state)
{
    (void)state;
    world_open(&world);
    world_settle(&world);
    for (unsigned node = 2; node <= 3; node++) {
        (void)world_runf(&world, "0 start node=%u nonce=n%u", node, node);
        (void)world_runf(&world, "%u node_set node=%u name=n client_address=n%u.x:5222", node, node,
                         node);
    }
    (void)world_run(&world, "1 group_set name=a create=1");
    (void)world_run(&world, "1 group_node name=a node=1");
    (void)world_run(&world, "1 group_node name=a node=2");
    (void)world_run(&world, "1 group_set name=a ha_enabled=1");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(&world);
    return 0;
}

/* ---- helpers */

/* Whatever else comes of it. */
static void carried_out(const char *line)
{
    assert_non_null(strstr(world_run(&world, line), "outcome done\n"));
}

static const Pb__NodeRow *row_of(uint32_t node)
{
    return state_node(world.state, &world.arena, node);
}

static const char *bind_at(unsigned node)
{
    return world_runf(&world, "%u bind owner=%u:0:9:1 user=alice@x resource=r credential_version=$",
                      node, node);
}

static void expect_sent_to(unsigned node, const char *address)
{
    char expected[64];

    world.now_ms += STATE_SENT_AWAY_MS; /* or it would count for coming back */
    (void)snprintf(expected, sizeof(expected), "outcome elsewhere %s\n", address);
    assert_string_equal(bind_at(node), expected);
}

/* ---- tests */

/* Goal: a move holds for what it was decided on: the same count of moves, a group that is enabled,
 * a node that is down or up as the reason says, a peer that is at home; and a group that is
 * disabled has nobody away. */
static void test_what_a_move_holds_for(void **state)
{
    (void)state;
    world_refuse(&world, "1 node_move node=3 away=1 reason=ADMIN_REQUEST", ERR_NOT_ALLOWED);
    world_refuse(&world, "1 node_move node=9 away=1 reason=ADMIN_REQUEST", ERR_NOT_FOUND);
    world_refuse(&world, "1 node_move node=1 away=1", ERR_INVALID);
    world_refuse(&world, "1 node_move node=1 reason=ADMIN_REQUEST drain=1", ERR_INVALID);
    world_refuse(&world, "1 node_move node=1 away=1 reason=ADMIN_REQUEST deadline_s=86401",
                 ERR_INVALID);
    world_refuse(&world, "1 node_move node=1 away=1 reason=ADMIN_REQUEST moves=1", ERR_CONFLICT);
    world_refuse(&world, "1 node_move node=1 away=1 reason=PEER_DOWN", ERR_CONFLICT);
    carried_out("0 node_down incarnation=2\n1 node_move node=2 away=1 reason=PEER_DOWN");
    world_refuse(&world, "1 node_move node=2 away=1 reason=ADMIN_REQUEST moves=1", ERR_CONFLICT);
    world_refuse(&world, "1 node_move node=2 reason=ADMIN_REQUEST", ERR_CONFLICT);
    world_refuse(&world, "1 node_move node=2 reason=AUTOMATIC_FALLBACK moves=1", ERR_CONFLICT);
    world_refuse(&world, "1 node_move node=1 away=1 reason=ADMIN_REQUEST", ERR_CONFLICT);
    world_run(&world, "0 start node=2 nonce=again");
    world_expect(&world, "1 node_move node=2 reason=AUTOMATIC_FALLBACK moves=1",
                 "moved node=2 home reason=5\noutcome done\n");
    carried_out("1 node_move node=1 away=1 reason=ADMIN_REQUEST");
    world_expect(&world, "1 group_set name=a", "moved node=1 home reason=1\noutcome done\n");
}

/* Goal: sessions are dropped by the node where they are: the failed one, then its peer; that node
 * alone tells how it goes, and says when it is over. */
static void test_who_drops_sessions(void **state)
{
    (void)state;
    carried_out("1 node_move node=1 away=1 reason=ADMIN_REQUEST rate=7 deadline_s=60");
    assert_int_equal(row_of(1)->moving_by, 1);
    assert_int_equal(row_of(1)->move_rate, 7);
    assert_int_equal(row_of(1)->move_by_ms, state_time_ms(world.state) + 60000);
    world_refuse(&world, "2 move_report node=1 moves=1 over=1 counts.found=5", ERR_CONFLICT);
    world_refuse(&world, "1 move_report node=1 moves=0 over=1 counts.found=5", ERR_CONFLICT);
    carried_out("1 move_report node=1 moves=1 counts.found=5 counts.moved=2");
    assert_int_equal(row_of(1)->counts->moved, 2);
    assert_int_equal(row_of(1)->moving_by, 1);
    carried_out("1 move_report node=1 moves=1 over=1 counts.found=5 counts.moved=5");
    assert_int_equal(row_of(1)->moving_by, 0);
    world_refuse(&world, "1 move_report node=1 moves=1 counts.found=6", ERR_CONFLICT);
    carried_out("2 node_move node=1 reason=ADMIN_REQUEST moves=1");
    assert_int_equal(row_of(1)->moving_by, 2);
    assert_null(row_of(1)->counts);
}

/* Goal: nobody drops sessions of a node that is down; a move names a process life, and is over with
 * it. */
static void test_the_dead_drop_nothing(void **state)
{
    (void)state;
    carried_out("0 node_down incarnation=2\n1 node_move node=2 away=1 reason=PEER_DOWN");
    assert_int_equal(row_of(2)->moving_by, 0);
}

/* Goal: an abort leaves a failed over node in charge of its users again, and ends a return where it
 * is. */
static void test_abort(void **state)
{
    (void)state;
    world_refuse(&world, "1 move_abort node=1", ERR_CONFLICT);
    world_refuse(&world, "1 move_abort node=9", ERR_NOT_FOUND);
    carried_out("1 node_move node=1 away=1 reason=ADMIN_REQUEST");
    world_refuse(&world, "1 move_abort node=1 moves=2", ERR_CONFLICT);
    world_expect(&world, "1 move_abort node=1 moves=1",
                 "moved node=1 home reason=1\noutcome done\n");
    assert_false(row_of(1)->away);
    assert_int_equal(row_of(1)->moving_by, 0);
    carried_out("1 node_move node=1 away=1 reason=ADMIN_REQUEST moves=2");
    carried_out("1 node_move node=1 reason=ADMIN_REQUEST moves=3");
    carried_out("1 move_abort node=1 moves=4");
    assert_int_equal(row_of(1)->moving_by, 0);
    assert_false(row_of(1)->away);
}

/* Goal: a drained node needs no peer, and takes no new sessions whatever the policy; it does again
 * when it is given back its users. A resume is served there all the same. */
static void test_drain(void **state)
{
    (void)state;
    carried_out("1 node_move node=3 away=1 drain=1 reason=ADMIN_REQUEST");
    assert_true(row_of(3)->drained);
    expect_sent_to(3, "one.x:5222");
    world_refuse(&world, "1 node_move node=3 away=1 drain=1 reason=ADMIN_REQUEST moves=1",
                 ERR_CONFLICT);
    carried_out("1 node_move node=1 away=1 reason=ADMIN_REQUEST");
    carried_out("1 node_move node=1 away=1 drain=1 reason=ADMIN_REQUEST moves=1");
    expect_sent_to(1, "n2.x:5222");
    expect_sent_to(3, "n2.x:5222");
    world_refuse(&world, "1 node_move node=2 away=1 drain=1 reason=ADMIN_REQUEST", ERR_CONFLICT);
    carried_out("1 group_set name=a");
    assert_true(row_of(1)->drained);
    carried_out("1 node_move node=3 reason=ADMIN_REQUEST moves=1");
    assert_non_null(strstr(bind_at(3), "outcome bound"));
    carried_out("1 node_move node=3 away=1 drain=1 reason=ADMIN_REQUEST moves=2");
    carried_out("1 node_move node=2 away=1 drain=1 reason=ADMIN_REQUEST");
    assert_non_null(strstr(bind_at(3), "outcome bound")); /* nobody else would */
}

/* Goal: a node that stops says so itself, is told from one that died until it lives again, and what
 * it still had on its way is void. */
static void test_stop(void **state)
{
    (void)state;
    world_expect(&world, "2 node_stop", "incarnation 2 of node 2 down\noutcome done\n");
    assert_true(row_of(2)->stopped);
    world_expect(&world, "2 domain_set name=z", "");
    world_run(&world, "0 start node=2 nonce=again");
    assert_false(row_of(2)->stopped);
    world_run(&world, "0 node_down incarnation=4");
    assert_false(row_of(2)->stopped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_a_move_holds_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_drops_sessions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_dead_drop_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_abort, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
