/* Rosters as rows: what they may hold, and what a change of one costs. */
#include "tests/unit/storage_state/check.h"
#include "tests/unit/storage_state/world.h"

static struct world world;

/* Alice is session 1. */
static int setup(void **state)
{
    (void)state;
    world_open(&world);
    world_settle(&world);
    world_login(&world, "alice", "a");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    check_invariants(world.state);
    world_close(&world);
    return 0;
}

/* Goal: a roster has a limit of items, and it counts for each way into it; what goes makes room. */
static void test_rosters_are_bounded(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STATE_ROSTER_MAX; i++) {
        world_runf(&world, "1 roster_set from=1:1 contact=c%u@x", i);
        world_runf(&world, "1 notes acks.0=1:1:%u:0", (unsigned)world.state->meta.next_position);
    }
    world_run(&world, "1 roster_set from=1:1 contact=more@x");
    assert_non_null(strstr(buf_text(&world.text), "<resource-constraint"));
    world_run(&world,
              "1 presence from=1:1 stanza.kind=PRESENCE stanza.type=subscribe stanza.to=bob@x");
    assert_non_null(strstr(buf_text(&world.text), "<resource-constraint"));
    world_run(&world, "1 roster_set from=1:1 contact=c7@x remove=1");
    world_run(&world, "1 roster_set from=1:1 contact=more@x");
    assert_null(strstr(buf_text(&world.text), "error"));
}

static const char *set_contact(unsigned number, size_t name_bytes)
{
    struct buf line = BUF_EMPTY;
    const char *effects;

    buf_printf(&line, "1 roster_set from=1:1 contact=c%u@x name=", number);
    for (size_t i = 0; i < name_bytes; i++) {
        buf_append_u8(&line, 'n');
    }
    effects = world_run(&world, buf_text(&line));
    buf_deinit(&line);
    return effects;
}

/* Goal: a roster is bounded by its bytes, however they are spread; what goes makes room.
 * Method: a fourth quarter does not fit, a little less does; then neither a new item nor a longer
 * one, until another is shorter, or gone. */
static void test_rosters_are_bounded_by_bytes(void **state)
{
    const size_t quarter = STATE_ROSTER_BYTES_MAX / 4;
    (void)state;

    for (unsigned i = 0; i < 3; i++) {
        assert_null(strstr(set_contact(i, quarter), "error"));
        world_runf(&world, "1 notes acks.0=1:1:%u:0", (unsigned)world.state->meta.next_position);
    }
    assert_non_null(strstr(set_contact(3, quarter), "<resource-constraint"));
    assert_null(strstr(set_contact(3, quarter - 200), "error"));
    assert_non_null(strstr(set_contact(4, 200), "<resource-constraint"));
    assert_non_null(strstr(set_contact(2, quarter + 200), "<resource-constraint"));
    assert_null(strstr(set_contact(2, quarter - 200), "error"));
    assert_null(strstr(set_contact(4, 200), "error"));
    world_run(&world, "1 roster_set from=1:1 contact=c0@x remove=1");
    assert_null(strstr(set_contact(5, quarter - 200), "error"));
    assert_int_equal(world_roster(&world, "alice@x").count, 5);
}

/* Goal: a change costs what it changes: one client may make hundreds a second of a long roster.
 * Method: the row of another contact has bytes that no reader could decode; whatever is about one
 * contact alone goes on. */
static void test_a_roster_change_reads_one_item(void **state)
{
    struct key key = key_user_digest("alice@x", "other@x");
    struct slice value;
    struct buf kept = BUF_EMPTY;
    (void)state;

    world_login(&world, "bob", "b"); /* session 2 */
    world_run(&world, "1 roster_set from=1:1 contact=other@x");
    assert_true(kv_get(world.kv, TABLE_ROSTER_ITEM, key_slice(&key), &value));
    buf_append(&kept, value);
    kv_put(world.kv, TABLE_ROSTER_ITEM, key_slice(&key), slice_str("\xff"));

    world_run(&world, "1 roster_set from=1:1 contact=bob@x name=b");
    world_run(&world,
              "1 presence from=1:1 stanza.kind=PRESENCE stanza.type=subscribe stanza.to=bob@x");
    world_run(&world,
              "1 presence from=2:1 stanza.kind=PRESENCE stanza.type=subscribed stanza.to=alice@x");
    world_run(&world,
              "1 presence from=2:1 stanza.kind=PRESENCE stanza.type=subscribe stanza.to=alice@x");
    world_run(&world,
              "1 presence from=1:1 stanza.kind=PRESENCE stanza.type=subscribed stanza.to=bob@x");
    world_run(&world, "1 presence from=1:1 stanza.kind=PRESENCE stanza.to=bob@x/b");
    world_run(&world, "1 roster_set from=1:1 contact=bob@x remove=1");
    world_run(&world, "1 close from=1:1");
    world_run(&world, "1 roster_set from=2:1 contact=alice@x remove=1");

    kv_put(world.kv, TABLE_ROSTER_ITEM, key_slice(&key), buf_slice(&kept));
    buf_deinit(&kept);
    assert_int_equal(world_roster(&world, "alice@x").count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rosters_are_bounded),
        TEST(test_rosters_are_bounded_by_bytes),
        TEST(test_a_roster_change_reads_one_item),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
