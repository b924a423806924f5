/* Exactly once (DESIGN 3): {incarnation, seq}. */
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

/* Goal: a command that was sent again after a leader change is applied once.
 * Method: repeat the last seq; neither an outcome nor a message comes of it. */
static void test_a_known_seq_is_passed_over(void **state)
{
    (void)state;
    world_login(&world, "alice", "a");
    world_runf(&world, "1 message from=1:1 stanza.to=alice@x/a stanza.id=m1");
    assert_int_equal(world_session(&world, 1)->pending_count, 1);
    world_runf(&world, "1/%u message from=1:1 stanza.to=alice@x/a stanza.id=m1",
               (unsigned)world.seq[1]);
    assert_string_equal(buf_text(&world.text), "");
    assert_int_equal(world_session(&world, 1)->pending_count, 1);
}

/* Goal: nothing overtakes a lost command.
 * Method: leave a gap in a batch; all behind it is refused, with one request to send again. */
static void test_a_gap_is_refused(void **state)
{
    unsigned last = (unsigned)world.seq[1];
    char lines[256], expected[128];
    (void)state;

    (void)snprintf(lines, sizeof(lines), "1/%u domain_set name=y\n1/%u domain_set name=z", last + 2,
                   last + 3);
    (void)snprintf(expected, sizeof(expected), "refused-seq incarnation=1 from=%u\n", last + 1);
    world_expect(&world, lines, expected);
    assert_false(state_has_domain(world.state, "y"));
    assert_int_equal(state_last_seq(world.state, 1), last);
    world_expect(&world, "1 domain_set name=y", "domains\noutcome done\n");
}

/* Goal: what a dead process life still had on its way is void.
 * Method: end incarnation 1 while a session names it, then send with its next seq. */
static void test_a_dead_incarnation_is_refused(void **state)
{
    (void)state;
    world_login(&world, "alice", "a");
    world_run(&world, "0 node_down incarnation=1");
    world_expect(&world, "1 domain_set name=y", "");
    assert_false(state_has_domain(world.state, "y"));
    world_expect(&world, "7 domain_set name=y", ""); /* one that never was */
}

/* Goal: START is idempotent by its nonce and ends the life before.
 * Method: start again with the same nonce, then with another. */
static void test_start(void **state)
{
    (void)state;
    world_expect(&world, "0 start node=1 nonce=n1", "outcome started incarnation=1\n");
    world_expect(&world, "0 start node=1 nonce=n2",
                 "incarnation 1 of node 1 down\nincarnation 2 of node 1 up\n"
                 "outcome started incarnation=2\n");
    world_expect(&world, "1 domain_set name=y", "");
    world_expect(&world, "2 domain_set name=y", "domains\noutcome done\n");
}

/* Goal: a refused proposal does not leave a gap.
 * Method: an empty command takes the seq and hands back its reason; the next one is applied. */
static void test_empty_takes_its_seq(void **state)
{
    (void)state;
    world_expect(&world, "1 empty reason=-17", "outcome done: no space left\n");
    world_expect(&world, "1 domain_set name=y", "domains\noutcome done\n");
}

/* Goal: an entry is applied whole or not at all.
 * Method: a batch whose second command has an unknown body, or is no message; nothing changes. */
static void test_an_unknown_command_stops_before_the_first(void **state)
{
    static const uint8_t bodies[][3] = {{0xfa, 0x7f, 0x00}, {0xff, 0xff, 0xff}};
    static const int expected[] = {ERR_VERSION, ERR_MALFORMED};
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
        struct entry_stamp stamp = {.time_ms = 2000};
        struct buf good = BUF_EMPTY, entry = BUF_EMPTY;
        struct entry_writer writer;
        uint64_t hash = check_hash(world.state), index = state_applied_index(world.state);
        Pb__Command command = PB__COMMAND__INIT;
        Pb__DomainSet set = PB__DOMAIN_SET__INIT;

        set.name = (char *)"y";
        command.body_case = PB__COMMAND__BODY_DOMAIN_SET;
        command.domain_set = &set;
        pb__command__pack(&command, buf_reserve(&good, 64));
        buf_commit(&good, pb__command__get_packed_size(&command));
        entry_begin(&writer, &entry, ENTRY_BATCH, &stamp);
        entry_add(&writer, &(struct entry_command){.incarnation = 1,
                                                   .seq = world.seq[1] + 1,
                                                   .bytes = buf_slice(&good)});
        entry_add(&writer, &(struct entry_command){.incarnation = 1,
                                                   .seq = world.seq[1] + 2,
                                                   .bytes = slice_make(bodies[i], 3)});
        entry_finish(&writer);
        assert_int_equal(world_apply(&world, buf_slice(&entry)), expected[i]);
        assert_true(check_hash(world.state) == hash);
        assert_int_equal(state_applied_index(world.state), index);
        buf_deinit(&good);
        buf_deinit(&entry);
    }
}

/* Goal: the log may replay what the store has already.
 * Method: apply the last entry once more at its own index. */
static void test_an_applied_index_is_passed_over(void **state)
{
    uint64_t hash;
    (void)state;

    world_run(&world, "1 user_set user=dave@x create=1");
    hash = check_hash(world.state);
    world.index--;
    assert_int_equal(world_apply(&world, buf_slice(&world.entry)), 0);
    assert_int_equal(world.effects.count, 0);
    assert_true(check_hash(world.state) == hash);
}

/* Goal: cluster time never falls, whatever a new leader stamps.
 * Method: apply an entry with an earlier time. */
static void test_time_never_falls(void **state)
{
    (void)state;
    world.now_ms = 5000;
    world_run(&world, "1 domain_set name=y");
    world.now_ms = 4000;
    world_run(&world, "1 domain_set name=z");
    assert_int_equal(state_time_ms(world.state), 5000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_known_seq_is_passed_over),
        TEST(test_a_gap_is_refused),
        TEST(test_a_dead_incarnation_is_refused),
        TEST(test_start),
        TEST(test_empty_takes_its_seq),
        TEST(test_an_unknown_command_stops_before_the_first),
        TEST(test_an_applied_index_is_passed_over),
        TEST(test_time_never_falls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
