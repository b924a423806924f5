/* Copies of messages for the other sessions of both users (XEP-0280). */
#include "tests/unit/storage_state/check.h"
#include "tests/unit/storage_state/world.h"

#define ALICE_DESK  1
#define ALICE_PHONE 2 /* wants copies */
#define BOB_DESK    3
#define BOB_PHONE   4 /* wants copies */
#define BOB_WATCH   5 /* is not available, and wants copies */

static struct world world;

static int setup(void **state)
{
    (void)state;
    world_open(&world);
    world_settle(&world);
    world_run(&world, "0 cluster_set log_version=3");
    world_login(&world, "alice", "desk");
    world_login(&world, "alice", "phone");
    world_login(&world, "bob", "desk");
    world_login(&world, "bob", "phone");
    world_bind(&world, "bob", "watch");
    for (unsigned session = ALICE_PHONE; session <= BOB_WATCH; session++) {
        if (session != BOB_DESK) {
            world_runf(&world, "1 copies_set from=%u:1 iq_id=c enable=1", session);
            world_runf(&world, "1 notes acks.0=%u:1:1000000:0", session);
        }
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    check_invariants(world.state);
    world_close(&world);
    return 0;
}

static void send_to(const char *to)
{
    world_runf(&world,
               "1 message from=1:1 store=1 copy=1 stanza.type=chat stanza.to=%s "
               "stanza.id=m",
               to);
}

/* What a session has of the last message: "message", "received", "sent", or "" for nothing. */
static const char *seen_by(uint64_t session)
{
    const char *text = world_pending(&world, session);

    if (strstr(text, "message chat alice@x/desk->") == NULL) {
        return "";
    }
    return strstr(text, "sent message") != NULL       ? "sent"
           : strstr(text, "received message") != NULL ? "received"
                                                      : "message";
}

/* Who has it: both of alice, then the three of bob. */
static void expect_seen(const char *alice_desk, const char *alice_phone, const char *bob_desk,
                        const char *bob_phone, const char *bob_watch)
{
    assert_string_equal(seen_by(ALICE_DESK), alice_desk);
    assert_string_equal(seen_by(ALICE_PHONE), alice_phone);
    assert_string_equal(seen_by(BOB_DESK), bob_desk);
    assert_string_equal(seen_by(BOB_PHONE), bob_phone);
    assert_string_equal(seen_by(BOB_WATCH), bob_watch);
}

/* Goal: whoever wants copies, and neither sent nor got the message, gets one (XEP-0280 §7, §8).
 * Method: messages to each kind of address. */
static void test_full_address(void **state)
{
    (void)state;
    send_to("bob@x/desk");
    expect_seen("", "sent", "message", "received", "received");
}

static void test_bare_address(void **state)
{
    (void)state;
    send_to("bob@x");
    expect_seen("", "sent", "message", "message", "received");
}

static void test_gone_resource(void **state)
{
    (void)state;
    send_to("bob@x/gone");
    expect_seen("", "sent", "message", "message", "received");
}

/* What one sends to oneself is copied once. */
static void test_oneself(void **state)
{
    (void)state;
    world_login(&world, "alice", "watch");
    world_run(&world, "1 copies_set from=6:1 iq_id=c enable=1");
    send_to("alice@x/phone");
    expect_seen("", "message", "", "", "");
    assert_string_equal(seen_by(6), "sent");
}

/* Goal: no copies without the sender's consent, nor of what was refused; what waits offline is seen
 * by the sender's other sessions. */
static void test_no_copies(void **state)
{
    (void)state;
    world_run(&world, "1 message from=1:1 stanza.type=chat stanza.to=bob@x/desk stanza.id=m");
    expect_seen("", "", "message", "", "");
    send_to("nobody@x");
    assert_string_equal(seen_by(ALICE_PHONE), "");
    send_to("carol@x");
    assert_string_equal(seen_by(ALICE_PHONE), "sent");
}

/* Goal: copies are switched on and off, with an answer each time, as often as the client likes; a
 * resume keeps them, another session of the same address has none. */
static void test_switch(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        world_run(&world, "1 copies_set from=4:1 iq_id=off");
        assert_non_null(strstr(buf_text(&world.text), "iq result bob@x->bob@x/phone id=off"));
    }
    send_to("bob@x/desk");
    assert_string_equal(seen_by(BOB_PHONE), "");
    world_run(&world, "1 copies_set from=4:1 iq_id=on enable=1");
    world_run(&world, "1 enable from=4:1 resume=1 window_s=60");
    world_runf(&world, "1 resume owner=1:0:44:1 user=bob@x resume_id=%s credential_version=$",
               world_resume_id(&world, BOB_PHONE));
    world_refuse(&world, "1 copies_set from=4:1 iq_id=old", ERR_CONFLICT);
    send_to("bob@x/desk");
    assert_string_equal(seen_by(BOB_PHONE), "received");
    world_bind(&world, "bob", "phone"); /* session 6 */
    send_to("bob@x/desk");
    assert_string_equal(seen_by(6), "");
}

static size_t count_rows(enum table table)
{
    return rows_all(world.state, &world.arena, table, (struct key){.len = 0}).count;
}

static void ack(unsigned session)
{
    world_runf(&world, "1 notes acks.0=%u:1:1000000:0", session);
}

/* Bob's sessions but the given one end. */
static void end(unsigned session)
{
    static const char *const resources[] = {
        [BOB_DESK] = "desk", [BOB_PHONE] = "phone", [BOB_WATCH] = "watch"};

    world_runf(&world, "1 kill user=bob@x resource=%s", resources[session]);
}

/* Goal: who shows a copy has the message: it is not kept for the user beside that, whoever ends.
 * Method: the phone acks its copy; then the desk, which has the message, ends. */
static void test_a_copy_is_enough(void **state)
{
    (void)state;
    send_to("bob@x/desk");
    ack(BOB_PHONE);
    end(BOB_WATCH);
    end(BOB_DESK);
    assert_string_equal(seen_by(BOB_PHONE), "");
    assert_int_equal(count_rows(TABLE_OFFLINE), 0);
    assert_int_equal(count_rows(TABLE_STANZA), 0);
}

/* Goal: a message that nobody has acked is kept, though all who had it or a copy are gone (P1).
 * Method: they end one after the other, in both orders; the sender's copy, acked or not, does not
 * count. */
static void test_unseen_waits(void **state)
{
    (void)state;
    send_to("bob@x/desk");
    ack(ALICE_PHONE);
    end(BOB_DESK);
    assert_string_equal(seen_by(BOB_PHONE), "received");
    assert_int_equal(count_rows(TABLE_OFFLINE), 0);
    end(BOB_PHONE);
    end(BOB_WATCH);
    assert_int_equal(count_rows(TABLE_OFFLINE), 1);
}

static void test_unseen_waits_in_the_other_order(void **state)
{
    (void)state;
    send_to("bob@x/desk");
    end(BOB_PHONE);
    end(BOB_WATCH);
    world_run(&world, "1 kill user=alice@x resource=phone");
    assert_string_equal(seen_by(BOB_DESK), "message");
    end(BOB_DESK);
    assert_int_equal(count_rows(TABLE_OFFLINE), 1);
    assert_int_equal(count_rows(TABLE_STANZA), 1);
}

/* Goal: what is acked leaves nothing behind, and what the sender's sessions leave is dropped. */
static void test_nothing_is_left(void **state)
{
    (void)state;
    send_to("bob@x/desk");
    for (unsigned session = ALICE_PHONE; session <= BOB_WATCH; session++) {
        ack(session);
    }
    assert_int_equal(count_rows(TABLE_STANZA), 0);
    assert_int_equal(count_rows(TABLE_STANZA_REFS), 0);
    send_to("bob@x/desk");
    world_run(&world, "1 kill user=alice@x resource=phone");
    ack(BOB_DESK);
    ack(BOB_PHONE);
    ack(BOB_WATCH);
    assert_int_equal(count_rows(TABLE_STANZA), 0);
    assert_int_equal(count_rows(TABLE_PENDING), 0);
}

/* Goal: a session that has no room for a copy ends: it would go on with a gap (P2). Who gets the
 * message, and the sender, notice nothing.
 * Method: the phones take nothing for as many messages as a list holds, and one more. */
static void test_full_lists(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STATE_PENDING_MAX; i++) {
        send_to("bob@x/desk");
        ack(BOB_DESK);
        ack(BOB_WATCH);
    }
    assert_non_null(world_session(&world, BOB_PHONE));
    assert_non_null(world_session(&world, ALICE_PHONE));
    send_to("bob@x/desk");
    assert_null(strstr(buf_text(&world.text), "error"));
    assert_null(world_session(&world, BOB_PHONE));
    assert_null(world_session(&world, ALICE_PHONE));
    expect_seen("", "", "message", "", "received");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_full_address),
        TEST(test_bare_address),
        TEST(test_gone_resource),
        TEST(test_oneself),
        TEST(test_no_copies),
        TEST(test_switch),
        TEST(test_a_copy_is_enough),
        TEST(test_unseen_waits),
        TEST(test_unseen_waits_in_the_other_order),
        TEST(test_nothing_is_left),
        TEST(test_full_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
