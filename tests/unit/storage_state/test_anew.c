/* A state that another cluster begins with: what of the old one is over, and what stays. */
#include "tests/unit/storage_state/world.h"

#include "storage/state/anew.h"

#include <stdio.h>

#define STEPS_MAX 1000

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

/* Begin anew; returns how many sessions that ended. */
static size_t begin_anew(void)
{
    static struct anew_secrets secrets;
    struct anew anew;
    size_t count;
    int rc = 1;

    memset(&secrets, 'n', sizeof(secrets));
    anew_init(&anew, world.state, &secrets, 5);
    for (int steps = 0; rc == 1; steps++) {
        assert_true(steps < STEPS_MAX);
        rc = anew_step(&anew, ++world.index, 3);
        kv_close_window(world.kv, world.index, 3);
    }
    assert_int_equal(rc, 0);
    count = anew.session_count;
    anew_deinit(&anew);
    return count;
}

static size_t count_rows(enum table table)
{
    return rows_all(world.state, &world.arena, table, (struct key){.len = 0}).count;
}

/* Goal: no session, deadline, tombstone or life of a node is left, and no message is lost: what
 * waited for a session waits for its user, with its position, and positions go on.
 * Method: one session without resume and one with it, to which a message was sent. */
static void test_sessions_end(void **state)
{
    static const enum table empty[] = {
        TABLE_INCARNATION, TABLE_SESSION,  TABLE_SESSION_OF, TABLE_OWNED,      TABLE_DEADLINE,
        TABLE_RESUME,      TABLE_ENDED,    TABLE_ENDED_OF,   TABLE_PENDING,    TABLE_PRESENCE,
        TABLE_SHOWN,       TABLE_DIRECTED, TABLE_TOMBSTONE,  TABLE_STANZA_REFS};
    uint64_t session = world_login(&world, "bob", "r");
    uint64_t position;

    (void)state;
    (void)world_login(&world, "alice", "a");
    (void)world_runf(&world, "1 enable from=%llu:1 resume=1 window_s=600",
                     (unsigned long long)session);
    (void)world_run(&world, "1 message from=2:1 store=1 stanza.to=bob@x stanza.type=chat");
    position = world.state->meta.next_position;
    assert_int_equal(count_rows(TABLE_STANZA), 1);
    assert_int_equal(begin_anew(), 2);
    for (size_t i = 0; i < ARRAY_COUNT(empty); i++) {
        if (count_rows(empty[i]) != 0) {
            fail_msg("table %s has %zu rows", state_tables[empty[i]], count_rows(empty[i]));
        }
    }
    assert_false(state_has_deadlines(world.state));
    assert_int_equal(count_rows(TABLE_OFFLINE), 1);
    assert_int_equal(count_rows(TABLE_STANZA), 1);
    assert_true(world.state->meta.next_position >= position);
    assert_non_null(state_account(world.state, &world.arena, "bob@x"));
}

/* Goal: a restored cluster seals no ticket with a key that is in the backup, its nodes have no
 * votes yet, and nothing is wrong with them; who reads the salts of logins sees no difference.
 * Method: give all of it to a state; twice, since a restored cluster is backed up, too. */
static void test_what_is_used_once(void **state)
{
    Pb__SecretsRow secrets = PB__SECRETS_ROW__INIT;
    Pb__NodeRow *node;
    Pb__AlarmRow alarm = PB__ALARM_ROW__INIT;
    uint8_t decoy[STATE_DECOY_SECRET_BYTES] = {'d'};
    struct key key = key_u32(1);

    (void)state;
    secrets.version = 7;
    secrets.decoy_secret = (ProtobufCBinaryData){.len = sizeof(decoy), .data = decoy};
    row_put(world.state, TABLE_SECRETS, key, &secrets);
    node = state_node(world.state, &world.arena, 1);
    node->voter_raft_id = (uint64_t)1 << 32 | 9;
    row_put(world.state, TABLE_NODE, key_u32(1), node);
    alarm.node = 1;
    row_put(world.state, TABLE_ALARM, key_u32(1), &alarm);

    for (unsigned round = 1; round <= 2; round++) {
        const Pb__SecretsRow *row;

        (void)begin_anew();
        row = state_secrets(world.state, &world.arena);
        assert_int_equal(row->version, 7 + round);
        assert_int_equal(row->n_ticket_keys, 2);
        assert_int_equal(row->ticket_keys[0]->aes_key.len, STATE_TICKET_KEY_BYTES);
        assert_int_equal(row->ticket_keys[1]->mac_key.data[STATE_TICKET_KEY_BYTES - 1], 'n');
        assert_int_equal(row->decoy_secret.data[0], 'd');
        assert_int_equal(state_node(world.state, &world.arena, 1)->voter_raft_id, 0);
        assert_int_equal(count_rows(TABLE_ALARM), 0);
    }
}

/* Goal: the erasure of a removed account comes to its end, so that nothing of it is restored.
 * Method: remove an account with offline messages, and begin anew at once. */
static void test_erasure(void **state)
{
    (void)state;
    (void)world_login(&world, "alice", "a");
    for (unsigned i = 0; i < 40; i++) {
        (void)world_run(&world, "1 message from=1:1 store=1 stanza.to=bob@x stanza.type=chat");
    }
    assert_int_equal(count_rows(TABLE_OFFLINE), 40);
    (void)world_run(&world, "1 user_remove user=bob@x");
    assert_int_equal(begin_anew(), 1);
    assert_int_equal(count_rows(TABLE_OFFLINE), 0);
    assert_int_equal(count_rows(TABLE_ERASURE), 0);
    assert_int_equal(count_rows(TABLE_STANZA), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sessions_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_used_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_erasure, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
