/* Goal: presence subscriptions follow RFC 6121 appendix A, every state with every stanza.
 * Method: each table of the appendix is written down below, one row a state; alice's roster is put
 * into that state, bob's into one that shows whether something reached him. */
#include "tests/unit/storage_state/check.h"
#include "tests/unit/storage_state/world.h"

#include <stdio.h>

enum { NONE, OUT, IN, OUT_IN, TO, TO_IN, FROM, FROM_OUT, BOTH, STATES };

static const struct {
    const char *name;
    Pb__RosterItem__Subscription subscription;
    bool ask;
    bool pending_in;
} states[STATES] = {
    [NONE] = {"None", PB__ROSTER_ITEM__SUBSCRIPTION__NONE, false, false},
    [OUT] = {"None + Pending Out", PB__ROSTER_ITEM__SUBSCRIPTION__NONE, true, false},
    [IN] = {"None + Pending In", PB__ROSTER_ITEM__SUBSCRIPTION__NONE, false, true},
    [OUT_IN] = {"None + Pending Out+In", PB__ROSTER_ITEM__SUBSCRIPTION__NONE, true, true},
    [TO] = {"To", PB__ROSTER_ITEM__SUBSCRIPTION__TO, false, false},
    [TO_IN] = {"To + Pending In", PB__ROSTER_ITEM__SUBSCRIPTION__TO, false, true},
    [FROM] = {"From", PB__ROSTER_ITEM__SUBSCRIPTION__FROM, false, false},
    [FROM_OUT] = {"From + Pending Out", PB__ROSTER_ITEM__SUBSCRIPTION__FROM, true, false},
    [BOTH] = {"Both", PB__ROSTER_ITEM__SUBSCRIPTION__BOTH, false, false},
};

/* passed: routed on (A.2), or delivered to the user (A.3). */
struct row {
    bool passed;
    int next;
};

struct rules {
    const char *type;
    struct row rows[STATES];
};

static const struct rules outbound[] = {
    {"subscribe",
     {[NONE] = {true, OUT},
      [OUT] = {true, OUT},
      [IN] = {true, OUT_IN},
      [OUT_IN] = {true, OUT_IN},
      [TO] = {true, TO},
      [TO_IN] = {true, TO_IN},
      [FROM] = {true, FROM_OUT},
      [FROM_OUT] = {true, FROM_OUT},
      [BOTH] = {true, BOTH}}},
    {"unsubscribe",
     {[NONE] = {true, NONE},
      [OUT] = {true, NONE},
      [IN] = {true, IN},
      [OUT_IN] = {true, IN},
      [TO] = {true, NONE},
      [TO_IN] = {true, IN},
      [FROM] = {true, FROM},
      [FROM_OUT] = {true, FROM},
      [BOTH] = {true, FROM}}},
    {"subscribed",
     {[NONE] = {false, NONE},
      [OUT] = {false, OUT},
      [IN] = {true, FROM},
      [OUT_IN] = {true, FROM_OUT},
      [TO] = {false, TO},
      [TO_IN] = {true, BOTH},
      [FROM] = {false, FROM},
      [FROM_OUT] = {false, FROM_OUT},
      [BOTH] = {false, BOTH}}},
    {"unsubscribed",
     {[NONE] = {false, NONE},
      [OUT] = {false, OUT},
      [IN] = {true, NONE},
      [OUT_IN] = {true, OUT},
      [TO] = {false, TO},
      [TO_IN] = {true, TO},
      [FROM] = {true, NONE},
      [FROM_OUT] = {true, OUT},
      [BOTH] = {true, TO}}},
};

static const struct rules inbound[] = {
    {"subscribe",
     {[NONE] = {true, IN},
      [OUT] = {true, OUT_IN},
      [IN] = {false, IN},
      [OUT_IN] = {false, OUT_IN},
      [TO] = {true, TO_IN},
      [TO_IN] = {false, TO_IN},
      [FROM] = {false, FROM},
      [FROM_OUT] = {false, FROM_OUT},
      [BOTH] = {false, BOTH}}},
    {"unsubscribe",
     {[NONE] = {false, NONE},
      [OUT] = {false, OUT},
      [IN] = {true, NONE},
      [OUT_IN] = {true, OUT},
      [TO] = {false, TO},
      [TO_IN] = {true, TO},
      [FROM] = {true, NONE},
      [FROM_OUT] = {true, OUT},
      [BOTH] = {true, TO}}},
    {"subscribed",
     {[NONE] = {false, NONE},
      [OUT] = {true, TO},
      [IN] = {false, IN},
      [OUT_IN] = {true, TO_IN},
      [TO] = {false, TO},
      [TO_IN] = {false, TO_IN},
      [FROM] = {false, FROM},
      [FROM_OUT] = {true, BOTH},
      [BOTH] = {false, BOTH}}},
    {"unsubscribed",
     {[NONE] = {false, NONE},
      [OUT] = {true, NONE},
      [IN] = {false, IN},
      [OUT_IN] = {true, IN},
      [TO] = {true, NONE},
      [TO_IN] = {true, IN},
      [FROM] = {false, FROM},
      [FROM_OUT] = {true, FROM},
      [BOTH] = {true, FROM}}},
};

static struct world world;
static uint64_t alice, bob;

static int setup(void **state)
{
    (void)state;
    world_open(&world);
    world_settle(&world);
    alice = world_login(&world, "alice", "a");
    bob = world_login(&world, "bob", "b");
    world_run(&world, "1 ask from=1:1 roster=1 request.kind=IQ request.type=get");
    world_run(&world, "1 ask from=2:1 roster=1 request.kind=IQ request.type=get");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(&world);
    return 0;
}

/* Put user's roster into a state towards contact, and nothing else. */
static void put_state(const char *user, const char *contact, int which, bool approved)
{
    Pb__RosterRow roster = PB__ROSTER_ROW__INIT;
    Pb__RosterItem item = PB__ROSTER_ITEM__INIT;
    Pb__Stanza request = PB__STANZA__INIT;

    request.kind = PB__STANZA__KIND__PRESENCE;
    request.type = (char *)"subscribe";
    request.from = (char *)contact;
    request.to = (char *)user;
    item.contact = (char *)contact;
    item.subscription = states[which].subscription;
    item.ask = states[which].ask;
    item.pending_in = states[which].pending_in;
    item.request = item.pending_in ? &request : NULL;
    item.approved = approved;
    item.approved_account =
        approved ? state_account(world.state, &world.arena, contact)->created : 0;
    item.listed = which != NONE && which != IN;
    item.listed = item.listed || approved;
    row_delete(world.state, TABLE_ROSTER_ITEM, key_user_digest(user, contact));
    if (item.listed || item.pending_in) {
        row_put(world.state, TABLE_ROSTER_ITEM, key_user_digest(user, contact), &item);
        roster.count = 1;
        roster.requests = item.pending_in ? 1 : 0;
        roster.bytes = pb__roster_item__get_packed_size(&item);
    }
    row_put(world.state, TABLE_ROSTER, key_user(user), &roster);
}

static const Pb__RosterItem *get_item(const char *user)
{
    struct row_list list = world_roster(&world, user);

    return list.count == 0 ? NULL : list.items[0].row;
}

static int get_state(const char *user)
{
    const Pb__RosterItem *item = get_item(user);

    for (int i = 0; item != NULL && i < STATES; i++) {
        if (states[i].subscription == item->subscription && states[i].ask == item->ask &&
            states[i].pending_in == item->pending_in) {
            return i;
        }
    }
    return NONE;
}

static bool saw(const char *session, const char *type, const char *from, const char *to)
{
    char text[256];
    const char *at;

    (void)snprintf(text, sizeof(text), " presence%s%s %s->%s", type[0] == '\0' ? "" : " ", type,
                   from, to);
    for (at = buf_text(&world.text); (at = strstr(at, session)) != NULL; at++) {
        const char *end = strchr(at, '\n');
        const char *found = strstr(at, text);

        if (found != NULL && found < end) {
            return true;
        }
    }
    return false;
}

static void send_move(uint64_t from, const char *type, const char *to)
{
    world_runf(&world, "1 presence from=%u:1 stanza.kind=PRESENCE stanza.type=%s stanza.to=%s",
               (unsigned)from, type, to);
}

/* Bob is in the state in which each outbound stanza of alice reaches him. */
static int receptive(const char *type)
{
    if (strcmp(type, "subscribe") == 0) {
        return NONE;
    }
    return strcmp(type, "unsubscribe") == 0 ? FROM : strcmp(type, "subscribed") == 0 ? OUT : TO;
}

static void test_outbound(void **state)
{
    (void)state;
    for (size_t t = 0; t < ARRAY_COUNT(outbound); t++) {
        for (int i = 0; i < STATES; i++) {
            const struct rules *rules = &outbound[t];

            put_state("alice@x", "bob@x", i, false);
            put_state("bob@x", "alice@x", receptive(rules->type), false);
            send_move(alice, rules->type, "bob@x");
            if (get_state("alice@x") != rules->rows[i].next ||
                saw("session=2", rules->type, "alice@x", "bob@x") != rules->rows[i].passed) {
                fail_msg("outbound %s in '%s': now '%s'\n%s", rules->type, states[i].name,
                         states[get_state("alice@x")].name, buf_text(&world.text));
            }
            check_invariants(world.state);
        }
    }
}

/* Bob is in a state from which each stanza of his is routed. */
static int eager(const char *type)
{
    return strcmp(type, "subscribed") == 0 || strcmp(type, "unsubscribed") == 0 ? IN : NONE;
}

static void test_inbound(void **state)
{
    (void)state;
    for (size_t t = 0; t < ARRAY_COUNT(inbound); t++) {
        for (int i = 0; i < STATES; i++) {
            const struct rules *rules = &inbound[t];

            put_state("alice@x", "bob@x", i, false);
            put_state("bob@x", "alice@x", eager(rules->type), false);
            send_move(bob, rules->type, "alice@x");
            if (get_state("alice@x") != rules->rows[i].next ||
                saw("session=1", rules->type, "bob@x", "alice@x") != rules->rows[i].passed) {
                fail_msg("inbound %s in '%s': now '%s'\n%s", rules->type, states[i].name,
                         states[get_state("alice@x")].name, buf_text(&world.text));
            }
            check_invariants(world.state);
        }
    }
}

/* Goal: who has the subscription already, or was approved in advance, is answered by the server
 * (table 6, notes 1 and 2).
 * Method: bob subscribes; he must see "subscribed" and end in "To". */
static void test_auto_reply(void **state)
{
    (void)state;
    for (int i = 0; i < STATES; i++) {
        bool has_from = (states[i].subscription & PB__ROSTER_ITEM__SUBSCRIPTION__FROM) != 0;

        if (states[i].pending_in) {
            continue; /* cannot be approved in advance */
        }
        put_state("alice@x", "bob@x", i, !has_from);
        put_state("bob@x", "alice@x", NONE, false);
        send_move(bob, "subscribe", "alice@x");
        assert_true(saw("session=2", "subscribed", "alice@x", "bob@x"));
        assert_false(saw("session=1", "subscribe", "bob@x", "alice@x"));
        assert_int_equal(get_state("bob@x"), TO);
        assert_true((get_item("alice@x")->subscription & PB__ROSTER_ITEM__SUBSCRIPTION__FROM) != 0);
        assert_true(saw("session=2", "", "alice@x/a", "bob@x"));
    }
}

/* Goal: pre-approval (RFC 6121 §3.4): noted and pushed, not routed, cancelled by unsubscribed. */
static void test_pre_approval(void **state)
{
    static const int from_states[] = {NONE, OUT, TO};
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(from_states); i++) {
        put_state("alice@x", "bob@x", from_states[i], false);
        put_state("bob@x", "alice@x", NONE, false);
        send_move(alice, "subscribed", "bob@x");
        assert_true(get_item("alice@x")->approved);
        assert_true(get_item("alice@x")->listed);
        assert_non_null(strstr(buf_text(&world.text), " approved\n"));
        send_move(alice, "unsubscribed", "bob@x");
        assert_false(get_item("alice@x")->approved);
        assert_false(saw("session=2", "unsubscribed", "alice@x", "bob@x"));
    }
}

/* Goal: a name that is used again inherits neither what its former owner was allowed nor a version
 * that a client may still hold of another roster.
 * Method: alice approves bob in advance and both have a roster; bob is removed and made again. */
static void test_a_name_used_again(void **state)
{
    uint64_t version;
    (void)state;

    send_move(alice, "subscribed", "bob@x");
    world_runf(&world, "1 roster_set from=%u:1 iq_id=i contact=carol@x name=c", (unsigned)bob);
    version = state_roster(world.state, &world.arena, "bob@x")->version;
    world_run(&world, "1 user_remove user=bob@x");
    world_runf(&world, "0 expire items.0=%llu:0:0:ERASURE",
               (unsigned long long)world.state->meta.next_erasure - 1);
    world_expect(&world, "1 user_set user=bob@x create=1", "outcome done\n");
    bob = world_login(&world, "bob", "b");
    send_move(bob, "subscribe", "alice@x");
    assert_int_equal(get_state("bob@x"), OUT);
    assert_true(get_item("alice@x")->pending_in);
    assert_true(state_roster(world.state, &world.arena, "bob@x")->version > version);
}

/* Goal: whoever loses a subscription sees the presence end, before the stanza that ends it
 * (RFC 6121 §3.2.1, §3.3.3).
 * Method: both are subscribed; end it from either side, and by a roster removal. */
static void test_presence_is_hidden(void **state)
{
    static const struct {
        uint64_t sender;
        const char *line;
        const char *first, *then;
    } cases[] = {
        {1, "1 presence from=1:1 stanza.kind=PRESENCE stanza.type=unsubscribed stanza.to=bob@x",
         "presence unavailable alice@x/a->bob@x", "presence unsubscribed alice@x->bob@x"},
        {2, "1 presence from=2:1 stanza.kind=PRESENCE stanza.type=unsubscribe stanza.to=alice@x",
         "presence unavailable alice@x/a->bob@x", "presence unsubscribe bob@x->alice@x"},
        {1, "1 roster_set from=1:1 contact=bob@x remove=1", "presence unavailable alice@x/a->bob@x",
         "presence unsubscribed alice@x->bob@x"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const char *first, *then;

        put_state("alice@x", "bob@x", BOTH, false);
        put_state("bob@x", "alice@x", BOTH, false);
        world_run(&world, cases[i].line);
        first = strstr(buf_text(&world.text), cases[i].first);
        then = strstr(buf_text(&world.text), cases[i].then);
        assert_non_null(first);
        assert_non_null(then);
        assert_true(first < then);
    }
}

/* Goal: a new subscription shows the presence even to a session that waits for its resume: no
 * position moved, so the repair after the resume could not know. Method: bob's connection goes;
 * alice, who is available since before, approves. */
static void test_presence_is_shown_to_the_detached(void **state)
{
    (void)state;
    put_state("alice@x", "bob@x", IN, false);
    put_state("bob@x", "alice@x", OUT, false);
    world_run(&world, "1 detach session=2 epoch=1");
    send_move(alice, "subscribed", "bob@x");
    assert_non_null(strstr(world_pending(&world, bob), " presence alice@x/a->bob@x"));
}

/* Goal: who has not acked that a contact went away hears of it when the subscription ends: from
 * then on no fan-out and no repair after a resume would tell. One who has acked it hears nothing
 * more. Method: alice leaves, then ends the subscription; bob has not acked her leave, or has. */
static void test_an_end_that_was_missed_is_told(void **state)
{
    (void)state;
    for (int acked = 0; acked < 2; acked++) {
        put_state("alice@x", "bob@x", BOTH, false);
        put_state("bob@x", "alice@x", BOTH, false);
        world_run(&world, "1 presence from=1:1 stanza.kind=PRESENCE\n"
                          "1 presence from=1:1 stanza.kind=PRESENCE stanza.type=unavailable");
        if (acked) {
            world_runf(&world, "1 notes acks.0=2:1:%u:%u",
                       (unsigned)world.state->meta.next_position - 1,
                       (unsigned)world.state->meta.next_position - 1);
        } else {
            world_run(&world, "1 notes acks.0=2:1:99999:0");
        }
        send_move(alice, "unsubscribed", "bob@x");
        assert_int_equal(
            strstr(world_pending(&world, bob), " presence unavailable alice@x/a->bob@x") != NULL,
            !acked);
        check_invariants(world.state);
    }
}

/* Goal: the same when more ends happened than are remembered, though somebody is there.
 * Method: bob has not acked that more resources of alice came and went than are kept; one of hers
 * stays; she ends the subscription. */
static void test_a_forgotten_end_that_was_missed_is_told(void **state)
{
    (void)state;
    put_state("alice@x", "bob@x", BOTH, false);
    put_state("bob@x", "alice@x", BOTH, false);
    for (unsigned i = 0; i < STATE_PRESENCE_TOMBSTONES_MAX + 2; i++) {
        char resource[8];

        (void)snprintf(resource, sizeof(resource), "r%u", i);
        world_runf(&world, "1 close from=%u:1", (unsigned)world_login(&world, "alice", resource));
    }
    send_move(alice, "unsubscribed", "bob@x");
    assert_non_null(strstr(world_pending(&world, bob), " presence unavailable alice@x->bob@x"));
    assert_non_null(strstr(world_pending(&world, bob), " presence unavailable alice@x/a->bob@x"));
    assert_null(strstr(world_pending(&world, bob), " presence unavailable alice@x/r0->bob@x"));
}

/* Goal: a request is shown at each login until it is answered, and asked once only.
 * Method: subscribe twice to somebody away; log in twice; deny; log in again. */
static void test_requests_are_shown_until_answered(void **state)
{
    (void)state;
    send_move(bob, "subscribe", "carol@x");
    send_move(bob, "subscribe", "carol@x");
    for (unsigned i = 0; i < 2; i++) {
        uint64_t carol = world_login(&world, "carol", "c");
        const char *text = buf_text(&world.text);

        assert_non_null(strstr(text, "presence subscribe bob@x->carol@x"));
        assert_int_equal(world_session(&world, carol)->pending_count, 1);
        world_runf(&world, "1 close from=%u:1", (unsigned)carol);
    }
    send_move(world_login(&world, "carol", "c"), "unsubscribed", "bob@x");
    assert_int_equal(get_state("carol@x"), NONE);
    assert_null(get_item("carol@x"));
    assert_int_equal(get_state("bob@x"), NONE);
    assert_int_equal(world_session(&world, world_login(&world, "carol", "d"))->pending_count, 0);
}

/* Goal: strangers' requests leave the roster to its user.
 * Method: more of them than are kept, each as large as presence may be; then a contact is added. */
static void test_requests_do_not_fill_the_roster(void **state)
{
    static char inner[STATE_PRESENCE_BYTES_MAX - sizeof("subscribe") + 2];
    struct row_list list;
    size_t kept = 0;
    (void)state;

    memset(inner, 'x', sizeof(inner) - 1);
    for (unsigned i = 0; i <= STATE_REQUESTS_MAX; i++) {
        struct buf line = BUF_EMPTY;
        char name[16];

        (void)snprintf(name, sizeof(name), "s%u", i);
        world_runf(&world, "1 user_set user=%s@x create=1", name);
        buf_printf(&line,
                   "1 presence from=%u:1 stanza.kind=PRESENCE stanza.type=subscribe "
                   "stanza.to=carol@x stanza.inner=%s",
                   (unsigned)world_bind(&world, name, "r"), inner);
        world_run(&world, buf_text(&line));
        buf_deinit(&line);
    }
    list = world_roster(&world, "carol@x");
    for (size_t i = 0; i < list.count; i++) {
        const Pb__RosterItem *item = list.items[i].row;

        assert_int_equal(item->request->inner.len, 0);
        kept += item->pending_in ? 1 : 0;
    }
    assert_int_equal(kept, STATE_REQUESTS_MAX);
    world_runf(&world, "1 roster_set from=%u:1 iq_id=i contact=friend@x name=f",
               (unsigned)world_bind(&world, "carol", "c"));
    assert_non_null(strstr(buf_text(&world.text), "iq result"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_outbound),
        TEST(test_inbound),
        TEST(test_auto_reply),
        TEST(test_pre_approval),
        TEST(test_presence_is_hidden),
        TEST(test_presence_is_shown_to_the_detached),
        TEST(test_an_end_that_was_missed_is_told),
        TEST(test_a_forgotten_end_that_was_missed_is_told),
        TEST(test_a_name_used_again),
        TEST(test_requests_are_shown_until_answered),
        TEST(test_requests_do_not_fill_the_roster),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
