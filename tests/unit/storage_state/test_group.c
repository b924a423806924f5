/* Redundancy groups: who is in which, and what is refused. */
#include "tests/unit/storage_state/check.h"
#include "tests/unit/storage_state/world.h"

#include <stdio.h>

static struct world world;

static int setup(void **state)
{
    (void)state;
    world_open(&world);
    world_settle(&world);
    for (int node = 1; node <= 4; node++) {
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

static bool append_group(void *ctx, const char *name, const Pb__GroupRow *row)
{
    struct buf *text = ctx;

    buf_printf(text, "%s%s:", name, row->ha_enabled ? "*" : "");
    for (size_t i = 0; i < row->n_nodes; i++) {
        buf_printf(text, " %u", row->nodes[i]);
    }
    buf_append_str(text, "\n");
    return true;
}

static void expect_groups(const char *expected)
{
    struct buf text = BUF_EMPTY;

    state_each_group(world.state, &world.arena, append_group, &text);
    assert_string_equal(buf_text(&text), expected);
    buf_deinit(&text);
}

/* ---- tests */

/* Goal: groups are made, filled, enabled, emptied and removed; the order of joining is kept. */
static void test_a_life(void **state)
{
    (void)state;
    world_grant(&world, "1 group_set name=b create=1");
    world_grant(&world, "1 group_set name=a create=1");
    world_grant(&world, "1 group_node name=b node=2");
    world_grant(&world, "1 group_node name=b node=1");
    world_grant(&world, "1 group_set name=b ha_enabled=1");
    expect_groups("a:\nb*: 2 1\n");
    world_grant(&world, "1 group_set name=b");
    world_grant(&world, "1 group_node name=b node=2 remove=1");
    expect_groups("a:\nb: 1\n");
    world_grant(&world, "1 group_node name=a node=2");
    world_grant(&world, "1 group_node name=b node=1 remove=1");
    world_grant(&world, "1 group_remove name=b");
    expect_groups("a: 2\n");
}

/* Goal: what would break a group is refused, and changes nothing. */
static void test_refusals(void **state)
{
    (void)state;
    world_grant(&world, "1 group_set name=a create=1");
    world_grant(&world, "1 group_set name=b create=1");
    world_grant(&world, "1 group_node name=a node=1");
    world_refuse(&world, "1 group_set name=a create=1", ERR_EXISTS);
    world_refuse(&world, "1 group_set name=c create=1 ha_enabled=1", ERR_NOT_ALLOWED);
    world_refuse(&world, "1 group_set name=a ha_enabled=1", ERR_NOT_ALLOWED);
    world_refuse(&world, "1 group_set name=c", ERR_NOT_FOUND);
    world_refuse(&world, "1 group_node name=c node=1", ERR_NOT_FOUND);
    world_refuse(&world, "1 group_node name=a node=9", ERR_NOT_FOUND);
    world_refuse(&world, "1 group_node name=b node=1", ERR_EXISTS);
    world_refuse(&world, "1 group_node name=a node=1", ERR_EXISTS);
    world_refuse(&world, "1 group_node name=b node=1 remove=1", ERR_NOT_FOUND);
    world_refuse(&world, "1 group_remove name=a", ERR_NOT_ALLOWED);
    world_refuse(&world, "1 group_remove name=c", ERR_NOT_FOUND);
    world_grant(&world, "1 group_node name=a node=2");
    world_refuse(&world, "1 group_node name=a node=3", ERR_LIMIT);
    world_grant(&world, "1 group_set name=a ha_enabled=1");
    world_refuse(&world, "1 group_node name=a node=2 remove=1", ERR_NOT_ALLOWED);
    expect_groups("a*: 1 2\nb:\n");
}

/* Goal: a witness is in no group; one that is a witness no longer may be.
 * Method: the same node before and after it says so. */
static void test_a_witness(void **state)
{
    (void)state;
    world_grant(&world, "1 group_set name=a create=1");
    world_grant(&world, "1 node_set node=3 name=n witness=1");
    world_refuse(&world, "1 group_node name=a node=3", ERR_NOT_ALLOWED);
    world_grant(&world, "1 node_set node=3 name=n");
    world_grant(&world, "1 group_node name=a node=3");
    expect_groups("a: 3\n");
}

/* Goal: names are short and plain, and there are as many groups as there can be serving nodes. */
static void test_limits(void **state)
{
    char line[256];

    (void)state;
    world_refuse(&world, "1 group_set create=1", ERR_INVALID);
    world_refuse(&world, "1 group_set name=a/b create=1", ERR_INVALID);
    world_refuse(&world, "1 group_set name=-a create=1", ERR_INVALID);
    (void)snprintf(line, sizeof(line), "1 group_set create=1 name=%0*d",
                   STATE_GROUP_NAME_BYTES_MAX + 1, 0);
    world_refuse(&world, line, ERR_INVALID);
    for (int i = 0; i < STATE_GROUPS_MAX; i++) {
        (void)snprintf(line, sizeof(line), "1 group_set create=1 name=%0*d",
                       STATE_GROUP_NAME_BYTES_MAX, i);
        world_grant(&world, line);
    }
    world_refuse(&world, "1 group_set name=a create=1", ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_witness, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
