/* Where messages go (RFC 6121 §8.5, table 1) and what the limits do. */
#include "tests/unit/storage_state/check.h"
#include "tests/unit/storage_state/world.h"

#include <stdio.h>

static struct world world;

static int setup(void **state)
{
    (void)state;
    world_open(&world);
    world_settle(&world);
    world_bind(&world, "alice", "a"); /* session 1 */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    check_invariants(world.state);
    world_close(&world);
    return 0;
}

/* What became of the last message, in the letters of table 1: D delivered to one, A to all, O
 * offline, E error, S silence. */
static char verdict(unsigned offline_before)
{
    const char *text = buf_text(&world.text);
    unsigned delivered = 0;
    const Pb__OfflineTotalRow *total =
        row_get(world.state, &world.arena, TABLE_OFFLINE_TOTAL, key_user("bob@x"));

    if (strstr(text, "message error bob@x") != NULL || strstr(text, "message error no") != NULL) {
        return 'E';
    }
    if ((total == NULL ? 0 : total->count) > offline_before) {
        return 'O';
    }
    while ((text = strstr(text, " alice@x/a->")) != NULL) {
        delivered++;
        text++;
    }
    return delivered == 0 ? 'S' : delivered == 1 ? 'D' : 'A';
}

/* Bob's sessions by priority; 99 ends the list. */
static void login_bob(const int *priorities)
{
    for (unsigned i = 0; priorities[i] != 99; i++) {
        char resource[8];
        uint64_t session;

        (void)snprintf(resource, sizeof(resource), "r%u", i);
        session = world_bind(&world, "bob", resource);
        world_runf(&world, "1 presence from=%u:1 priority=%d stanza.kind=PRESENCE",
                   (unsigned)session, priorities[i]);
    }
}

/* Goal: table 1 of RFC 6121 §8.5.4.
 * Method: its rows and columns; of each choice that it leaves, the one taken. */
static void test_table_1(void **state)
{
    static const char *const types[] = {"normal", "chat", "groupchat", "headline", "error"};
    static const struct {
        const char *to;
        int priorities[4];
        const char *expected; /* one letter a type */
    } rows[] = {
        {"nobody@x", {99}, "EEESS"},
        {"nobody@x/r0", {99}, "EEEES"},
        {"bob@x", {99}, "OOESS"},
        {"bob@x/gone", {99}, "EOESS"},
        {"bob@x", {-1, 99}, "OOESS"},
        {"bob@x/r0", {-1, 99}, "DDDDD"},
        {"bob@x/gone", {-1, 99}, "EOESS"},
        {"bob@x", {0, 99}, "DDEDS"},
        {"bob@x/r0", {0, 99}, "DDDDD"},
        {"bob@x/gone", {0, 99}, "EDESS"},
        {"bob@x", {0, 5, -1, 99}, "AAEAS"},
        {"bob@x/r0", {0, 5, -1, 99}, "DDDDD"},
        {"bob@x/gone", {0, 5, -1, 99}, "EAESS"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        teardown(NULL);
        setup(NULL);
        login_bob(rows[i].priorities);
        for (size_t t = 0; t < ARRAY_COUNT(types); t++) {
            const Pb__OfflineTotalRow *total =
                row_get(world.state, &world.arena, TABLE_OFFLINE_TOTAL, key_user("bob@x"));
            unsigned before = total == NULL ? 0 : total->count;

            world_runf(&world, "1 message from=1:1 store=1 stanza.to=%s stanza.type=%s", rows[i].to,
                       types[t]);
            if (verdict(before) != rows[i].expected[t]) {
                fail_msg("%s to %s (row %zu): %c\n%s", types[t], rows[i].to, i, verdict(before),
                         buf_text(&world.text));
            }
        }
    }
}

/* Goal: a detached session counts as present, so its messages wait for the resume.
 * Method: end its node, send to bare and full address. */
static void test_detached_is_present(void **state)
{
    (void)state;
    world_run(&world, "0 start node=2 nonce=n2");
    world_run(&world, "2 bind owner=2:0:1:1 user=bob@x resource=b credential_version=$");
    world_run(&world, "2 enable from=2:1 resume=1 window_s=60");
    world_run(&world, "2 presence from=2:1 stanza.kind=PRESENCE");
    world_run(&world, "0 node_down incarnation=2");
    world_run(&world, "1 message from=1:1 stanza.to=bob@x stanza.type=chat");
    world_run(&world, "1 message from=1:1 stanza.to=bob@x/b stanza.type=headline");
    world_run(&world, "1 iq from=1:1 stanza.kind=IQ stanza.type=get stanza.to=bob@x/b");
    assert_int_equal(world_session(&world, 2)->pending_count, 3);
    assert_int_equal(world_session(&world, 1)->pending_count, 0);
}

/* Goal: order between two sessions is kept through offline storage.
 * Method: three messages while away; they come in order, in front of the fourth. */
static void test_offline_keeps_order(void **state)
{
    const char *text, *at[4];
    (void)state;

    for (unsigned i = 0; i < 3; i++) {
        world_runf(&world, "1 message from=1:1 store=1 stanza.to=bob@x stanza.id=m%u", i);
    }
    login_bob((const int[]){0, 99});
    world_run(&world, "1 message from=1:1 store=1 stanza.to=bob@x stanza.id=m3");
    text = world_pending(&world, 2);
    for (unsigned i = 0; i < 4; i++) {
        char id[8];

        (void)snprintf(id, sizeof(id), "id=m%u", i);
        at[i] = strstr(text, id);
        assert_non_null(at[i]);
        assert_true(i == 0 || at[i - 1] < at[i]);
    }
    assert_non_null(strstr(at[0], " delayed\n")); /* XEP-0203: those that waited, not the fourth */
    assert_null(strstr(at[3], "delayed"));
    assert_null(row_get(world.state, &world.arena, TABLE_OFFLINE_TOTAL, key_user("bob@x")));
}

/* Goal: lists are bounded and the sender knows.
 * Method: fill bob's list, then his offline storage; the next one comes back. */
static void test_limits(void **state)
{
    (void)state;
    world_bind(&world, "bob", "b");
    for (unsigned i = 0; i < STATE_PENDING_MAX; i++) {
        world_run(&world, "1 message from=1:1 stanza.to=bob@x/b");
    }
    world_run(&world, "1 message from=1:1 stanza.to=bob@x/b");
    assert_non_null(strstr(buf_text(&world.text), "<resource-constraint"));
    world_run(&world, "1 iq from=1:1 stanza.kind=IQ stanza.type=set stanza.to=bob@x/b");
    assert_non_null(strstr(buf_text(&world.text), "<resource-constraint"));
    assert_int_equal(world_session(&world, 2)->pending_count, STATE_PENDING_MAX);

    for (unsigned i = 0; i < STATE_OFFLINE_MAX; i++) {
        world_run(&world, "1 message from=1:1 store=1 stanza.to=carol@x");
        assert_null(strstr(buf_text(&world.text), "error"));
    }
    world_run(&world, "1 message from=1:1 store=1 stanza.to=carol@x");
    assert_non_null(strstr(buf_text(&world.text), "<service-unavailable"));
}

static void fill_list_of_bob(void)
{
    for (unsigned i = 0; i < STATE_PENDING_MAX; i++) {
        world_run(&world, "1 message from=1:1 stanza.to=bob@x/b");
    }
}

/* Goal: messages that fill a list do not take the place of what was promised.
 * Method: bob asks alice, sees her directed presence and is subscribed to her; his list fills; she
 * answers, ends the subscription and leaves. */
static void test_a_full_list_takes_what_is_owed(void **state)
{
    const char *text;
    (void)state;

    world_run(&world, "1 presence from=1:1 stanza.kind=PRESENCE");
    world_login(&world, "bob", "b");
    world_run(&world, "1 ask from=2:1 roster=1 request.kind=IQ request.type=get");
    world_run(&world, "1 presence from=2:1 stanza.kind=PRESENCE stanza.type=subscribe "
                      "stanza.to=alice@x\n"
                      "1 presence from=1:1 stanza.kind=PRESENCE stanza.type=subscribed "
                      "stanza.to=bob@x\n"
                      "1 iq from=2:1 stanza.kind=IQ stanza.type=get stanza.id=q "
                      "stanza.to=alice@x/a\n"
                      "1 presence from=1:1 stanza.kind=PRESENCE stanza.to=bob@x/b\n"
                      "1 notes acks.0=2:1:1000:0");
    fill_list_of_bob();
    world_run(&world, "1 iq from=1:1 stanza.kind=IQ stanza.type=result stanza.id=q "
                      "stanza.to=bob@x/b");
    world_run(&world, "1 presence from=1:1 stanza.kind=PRESENCE stanza.type=unsubscribed "
                      "stanza.to=bob@x");
    world_run(&world, "1 close from=1:1");
    text = world_pending(&world, 2);
    assert_non_null(strstr(text, "iq result alice@x/a->bob@x/b id=q"));
    assert_non_null(strstr(text, "presence unsubscribed alice@x->bob@x"));
    assert_non_null(strstr(text, "presence unavailable alice@x/a->bob@x"));
    text = strstr(text, "presence unsubscribed");
    assert_non_null(strstr(text, "presence unavailable alice@x/a->bob@x/b")); /* directed_end() */
}

/* Goal: nobody ends another's session by what that did not ask for.
 * Method: alice sends answers, and requests to subscribe that she takes back, beyond all limits. */
static void test_unasked_answers_end_nobody(void **state)
{
    (void)state;
    world_login(&world, "bob", "b");
    world_run(&world, "1 ask from=2:1 roster=1 request.kind=IQ request.type=get");
    for (unsigned i = 0; i < STATE_PENDING_SELF_MAX; i++) {
        world_run(&world, "1 iq from=1:1 stanza.kind=IQ stanza.type=result stanza.to=bob@x/b");
    }
    assert_int_equal(world_session(&world, 2)->pending_count, STATE_PENDING_ANSWERS_MAX);
    for (unsigned i = 0; i < STATE_PENDING_SELF_MAX; i++) {
        world_run(&world, "1 presence from=1:1 stanza.kind=PRESENCE stanza.type=subscribe "
                          "stanza.to=bob@x\n"
                          "1 presence from=1:1 stanza.kind=PRESENCE stanza.type=unsubscribe "
                          "stanza.to=bob@x\n"
                          "1 notes acks.0=1:1:1000000:0");
    }
    assert_non_null(world_session(&world, 2));
}

/* Goal: nor by presence that comes and goes; what was shown is told to end all the same.
 * Method: bob is away; alice shows herself to him; beyond all limits she sends him directed
 * presence and becomes unavailable, by both his addresses. */
static void test_directed_presence_ends_nobody(void **state)
{
    (void)state;
    world_login(&world, "bob", "b");
    world_run(&world, "1 enable from=2:1 resume=1 window_s=60\n1 detach session=2 epoch=1");
    for (unsigned i = 0; i < 2 * STATE_PENDING_SELF_MAX; i++) {
        world_runf(&world,
                   "1 presence from=1:1 stanza.kind=PRESENCE stanza.to=bob@x%s\n"
                   "1 presence from=1:1 stanza.kind=PRESENCE stanza.type=unavailable\n"
                   "1 notes acks.0=1:1:1000000:0",
                   i % 2 == 0 ? "/b" : "");
    }
    assert_non_null(world_session(&world, 2));
}

/* Goal: an end that the client says itself is as good as one that follows from its absence.
 * Method: bob sees directed presence, his list fills, alice takes it back with content. */
static void test_a_full_list_takes_an_end(void **state)
{
    (void)state;
    world_login(&world, "bob", "b");
    world_run(&world, "1 presence from=1:1 stanza.kind=PRESENCE stanza.to=bob@x/b");
    fill_list_of_bob();
    world_run(&world, "1 presence from=1:1 stanza.kind=PRESENCE stanza.type=unavailable "
                      "stanza.to=bob@x/b");
    assert_non_null(strstr(world_pending(&world, 2), "presence unavailable alice@x/a->bob@x/b"));
}

/* Send messages with content of half the largest stanza until one is refused; how many were not. */
static unsigned send_large(const char *to)
{
    static char inner[128 * 1024];
    struct buf line = BUF_EMPTY;
    unsigned count = 0;

    memset(inner, 'x', sizeof(inner) - 1);
    buf_printf(&line, "1 message from=1:1 store=1 stanza.to=%s stanza.inner=%s", to, inner);
    while (strstr(world_run(&world, buf_text(&line)), "message error") == NULL) {
        count++;
        assert_in_range(count, 0, STATE_PENDING_MAX);
    }
    buf_deinit(&line);
    return count;
}

/* Goal: lists are bounded by bytes too: a thousand large stanzas a session would fill the store.
 * Method: fill bob's list and carol's offline storage; end bob: his list moves as a whole; when all
 * is acked there is room again. */
static void test_limits_of_bytes(void **state)
{
    unsigned accepted;
    (void)state;

    world_bind(&world, "bob", "b");
    accepted = send_large("bob@x/b");
    assert_in_range(accepted, 30, 32);
    assert_in_range(send_large("carol@x"), 30, 32);
    check_invariants(world.state);
    world_run(&world, "1 kill user=bob@x");
    check_invariants(world.state);
    world_login(&world, "bob", "b");
    assert_int_equal(world_session(&world, 3)->pending_count, accepted);
    world_run(&world, "1 notes acks.0=3:1:1000:0");
    assert_int_equal(world_session(&world, 3)->pending_bytes, 0);
    assert_int_equal(send_large("bob@x/b"), accepted);
}

/* Goal: a list that was accepted outlives its session whole (P1), and its user can still log in.
 * Method: fill bob's list, end his session; a new one gets all of it, asks and is not ended. */
static void test_a_full_list_fits_offline(void **state)
{
    uint64_t bob = world_login(&world, "bob", "b");
    (void)state;

    for (unsigned i = 0; i < STATE_PENDING_MAX; i++) {
        world_run(&world, "1 message from=1:1 store=1 stanza.to=bob@x/b");
    }
    world_run(&world, "1 kill user=bob@x");
    world_run(&world, "1 message from=1:1 store=1 stanza.to=bob@x");
    assert_non_null(strstr(buf_text(&world.text), "<service-unavailable"));
    bob = world_login(&world, "bob", "b");
    assert_int_equal(world_session(&world, bob)->pending_count, STATE_PENDING_MAX);
    world_runf(&world, "1 ask from=%u:1 request.kind=IQ request.type=get", (unsigned)bob);
    assert_non_null(world_session(&world, bob));
    check_invariants(world.state);
}

/* Goal: a message that finds no room at one device of several is not missing in the middle of what
 * that device gets (P2): its session ends, so that it can not be resumed as if all were there.
 * Method: bob's phone is away and its list full, his desk has room; before and after the version
 * from which this is so. */
static void test_a_full_list_beside_another_ends(void **state)
{
    uint64_t desk;
    (void)state;

    world_run(&world, "0 cluster_set log_version=1");
    world_login(&world, "bob", "b");
    fill_list_of_bob();
    desk = world_login(&world, "bob", "desk");
    world_run(&world, "1 message from=1:1 stanza.to=bob@x stanza.id=skipped");
    assert_non_null(world_session(&world, 2));
    world_run(&world, "0 cluster_set log_version=2");
    world_run(&world, "1 message from=1:1 stanza.to=bob@x/b stanza.id=refused");
    assert_non_null(strstr(buf_text(&world.text), "<resource-constraint"));
    assert_non_null(world_session(&world, 2));
    world_run(&world, "1 message from=1:1 stanza.to=bob@x stanza.id=last");
    assert_null(world_session(&world, 2));
    assert_non_null(strstr(world_pending(&world, desk), "id=last"));
    check_invariants(world.state);
}

/* Goal: nobody answers for a domain that is not served here (RFC 6120 §8.3.3.16).
 * Method: ask a foreign server, and its user; the error is queued at once. */
static void test_a_foreign_server_is_not_asked(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        world_runf(&world, "1 ask from=1:1 request.kind=IQ request.type=get request.to=%s",
                   i == 0 ? "elsewhere" : "bob@elsewhere");
        assert_non_null(strstr(buf_text(&world.text), "<remote-server-not-found"));
    }
    world_run(&world, "1 ask from=1:1 request.kind=IQ request.type=get request.to=x");
    assert_null(strstr(buf_text(&world.text), "<remote-server-not-found"));
}

/* Goal: a client that asks and never acks is cut, not remembered without bound.
 * Method: let it ask until its list overflows. */
static void test_an_overflow_ends_the_session(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STATE_PENDING_SELF_MAX; i++) {
        world_run(&world, "1 ask from=1:1 request.kind=IQ request.type=get");
    }
    assert_non_null(world_session(&world, 1));
    world_run(&world, "1 ask from=1:1 request.kind=IQ request.type=get");
    assert_non_null(strstr(buf_text(&world.text), "dropped session=1 killed"));
    assert_null(world_session(&world, 1));
}

/* Goal: nobody speaks in another's name.
 * Method: a forged from is replaced by the session's own address. */
static void test_from_is_the_sessions_own(void **state)
{
    (void)state;
    world_run(&world, "1 message from=1:1 stanza.from=bob@x/b stanza.to=alice@x/a");
    assert_non_null(strstr(buf_text(&world.text), "message alice@x/a->alice@x/a"));
    world_run(&world, "1 iq from=1:1 stanza.from=bob@x/b stanza.kind=IQ stanza.type=get "
                      "stanza.to=alice@x/a");
    assert_non_null(strstr(buf_text(&world.text), "iq get alice@x/a->alice@x/a"));
}

/* ---- what becomes of the list of a session that ends (DESIGN 5, "Detached") */

/* Goal: a message that another session had is not delivered again; one that nobody had goes on.
 * Method: fork two messages; one session acks the first; both end, one after the other. */
static void test_settle_knows_what_others_had(void **state)
{
    (void)state;
    login_bob((const int[]){0, 0, 99}); /* sessions 2 and 3 */
    world_run(&world, "1 message from=1:1 store=1 stanza.to=bob@x stanza.id=m1");
    world_runf(&world, "1 notes acks.0=3:1:%u:0", (unsigned)world.state->meta.next_position - 1);
    world_run(&world, "1 message from=1:1 store=1 stanza.to=bob@x stanza.id=m2");
    world_run(&world, "1 close from=2:1"); /* 3 had m1 and has m2 */
    assert_int_equal(world_session(&world, 3)->pending_count, 1);
    check_invariants(world.state);
    world_run(&world, "1 close from=3:1"); /* nobody had m2 */
    login_bob((const int[]){0, 99});
    assert_null(strstr(world_pending(&world, 4), "id=m1"));
    assert_non_null(strstr(world_pending(&world, 4), "id=m2"));
    assert_non_null(strstr(world_pending(&world, 4), "delayed"));
}

/* Goal: the rest by its kind: messages to the other sessions, IQs answered, headlines, errors,
 * groupchat, presence, answers dropped. */
static void test_settle_by_kind(void **state)
{
    const char *list;
    (void)state;

    login_bob((const int[]){0, 0, 99});
    world_run(&world, "1 message from=1:1 stanza.to=bob@x/r0 stanza.type=chat stanza.id=m1");
    world_run(&world, "1 message from=1:1 stanza.to=bob@x/r0 stanza.type=headline stanza.id=m2");
    world_run(&world, "1 message from=1:1 stanza.to=bob@x/r0 stanza.type=error stanza.id=m3");
    world_run(&world, "1 message from=1:1 stanza.to=bob@x/r0 stanza.type=groupchat stanza.id=m4");
    world_run(&world,
              "1 iq from=1:1 stanza.kind=IQ stanza.type=set stanza.to=bob@x/r0 stanza.id=q1");
    world_run(&world, "1 iq from=1:1 stanza.kind=IQ stanza.type=result stanza.to=bob@x/r0");
    world_run(&world, "1 presence from=1:1 stanza.kind=PRESENCE stanza.to=bob@x/r0");
    world_run(&world, "1 ask from=2:1 request.kind=IQ request.type=get");
    world_run(&world, "1 close from=2:1");
    list = world_pending(&world, 3);
    assert_non_null(strstr(list, "id=m1"));
    assert_int_equal(world_session(&world, 3)->pending_count, 1);
    list = world_pending(&world, 1);
    assert_non_null(strstr(list, "iq error bob@x/r0->alice@x/a id=q1"));
    assert_int_equal(world_session(&world, 1)->pending_count, 1);
}

/* Goal: what was accepted and cannot be kept does not vanish in silence.
 * Method: a message that may not be stored waits at bob's only session, which ends; likewise one at
 * an account that is removed. */
static void test_settle_tells_what_is_forgotten(void **state)
{
    static const char *const ends[] = {"1 close from=2:1", "1 user_remove user=bob@x"};

    for (size_t i = 0; i < ARRAY_COUNT(ends); i++) {
        teardown(state);
        setup(state);
        world_login(&world, "bob", "b");
        world_run(&world,
                  "1 message from=1:1 store=0 stanza.type=chat stanza.id=m1 stanza.to=bob@x/b\n"
                  "1 message from=1:1 store=0 stanza.type=headline stanza.id=m2 stanza.to=bob@x/b");
        world_run(&world, ends[i]);
        assert_non_null(strstr(world_pending(&world, 1), "message error bob@x/b->alice@x/a id=m1"));
        assert_int_equal(world_session(&world, 1)->pending_count, 1);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_table_1),
        TEST(test_detached_is_present),
        TEST(test_offline_keeps_order),
        TEST(test_limits),
        TEST(test_a_full_list_takes_what_is_owed),
        TEST(test_unasked_answers_end_nobody),
        TEST(test_directed_presence_ends_nobody),
        TEST(test_a_full_list_takes_an_end),
        TEST(test_limits_of_bytes),
        TEST(test_a_full_list_fits_offline),
        TEST(test_a_full_list_beside_another_ends),
        TEST(test_a_foreign_server_is_not_asked),
        TEST(test_an_overflow_ends_the_session),
        TEST(test_from_is_the_sessions_own),
        TEST(test_settle_knows_what_others_had),
        TEST(test_settle_by_kind),
        TEST(test_settle_tells_what_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
