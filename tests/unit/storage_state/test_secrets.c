/* Secrets that all nodes share: how they follow each other. */
#include "tests/unit/storage_state/world.h"

#include <stdio.h>

#define KEY_TEXT(c) c c c c c c c c c c c c c c c c /* 16 of c */
#define KEY(path, c)                                                                               \
    path ".name=" KEY_TEXT(c) " " path ".aes_key=" KEY_TEXT(c)                                     \
        KEY_TEXT(c) " " path ".mac_key=" KEY_TEXT(c) KEY_TEXT(c)
#define DECOY " decoy_secret=" KEY_TEXT("s") KEY_TEXT("s")
#define FIRST "0 rotate version=0 " KEY("ticket_keys.0", "b") " " KEY("ticket_keys.1", "a") DECOY

#define DONE    "secrets\noutcome done\n"
#define LATE    "outcome done: conflict\n"
#define UNSOUND "outcome done: invalid argument\n"

static struct world world;

static int setup(void **state)
{
    (void)state;
    world_open(&world);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(&world);
    return 0;
}

/* The first letters of the keys' names, in their order. */
static void expect_keys(const char *letters)
{
    const Pb__SecretsRow *row = state_secrets(world.state, &world.arena);

    assert_non_null(row);
    assert_int_equal(row->n_ticket_keys, strlen(letters));
    for (size_t i = 0; i < row->n_ticket_keys; i++) {
        assert_int_equal(row->ticket_keys[i]->name.data[0], letters[i]);
    }
    assert_int_equal(row->decoy_secret.len, STATE_DECOY_SECRET_BYTES);
    assert_int_equal(row->decoy_secret.data[0], 's');
}

/* Goal: a new key waits in front for one rotation, and is forgotten after three more; the decoy
 * secret stays what it was.
 * Method: rotate until the first key is gone. */
static void test_keys_move_on(void **state)
{
    (void)state;
    assert_null(state_secrets(world.state, &world.arena));
    world_expect(&world, FIRST, DONE);
    expect_keys("ba");
    world_expect(&world, "0 rotate version=1 " KEY("ticket_keys.0", "c"), DONE);
    expect_keys("cba");
    world_expect(&world, "0 rotate version=2 " KEY("ticket_keys.0", "d"), DONE);
    expect_keys("dcba");
    world_expect(&world, "0 rotate version=3 " KEY("ticket_keys.0", "e"), DONE);
    expect_keys("edcb");
}

/* Goal: of two leaders that rotate the same version one does.
 * Method: the same command again, and one for a version to come. */
static void test_one_of_two_leaders_rotates(void **state)
{
    (void)state;
    world_expect(&world, FIRST, DONE);
    world_expect(&world, FIRST, LATE);
    world_expect(&world, "0 rotate version=2 " KEY("ticket_keys.0", "c"), LATE);
    expect_keys("ba");
}

/* Goal: no node gets keys that it could not use.
 * Method: one key at first, none, a short one, and a decoy secret later. */
static void test_unsound_ones_are_refused(void **state)
{
    (void)state;
    world_expect(&world, "0 rotate version=0 " KEY("ticket_keys.0", "a") DECOY, UNSOUND);
    assert_null(state_secrets(world.state, &world.arena));
    world_expect(&world, FIRST, DONE);
    world_expect(&world, "0 rotate version=1", UNSOUND);
    world_expect(&world, "0 rotate version=1 ticket_keys.0.name=a", UNSOUND);
    world_expect(&world, "0 rotate version=1 " KEY("ticket_keys.0", "c") DECOY, UNSOUND);
    expect_keys("ba");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_keys_move_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_of_two_leaders_rotates, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unsound_ones_are_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
