/* Sessions that lose their node, their place or their user: deadlines, the presence that contacts
 * see, erasure (DESIGN 5 "Detached" and "Bind of a detached full JID", promises P4 and P5). */
#include "tests/unit/storage_state/check.h"
#include "tests/unit/storage_state/world.h"

#include <stdio.h>

#define WINDOW_S 60

static struct world world;
static unsigned unavailable_count; /* broadcasts of "unavailable" for alice@x/a since setup */

static int setup(void **state)
{
    (void)state;
    world_open(&world);
    world_settle(&world);
    world_run(&world, "0 start node=2 nonce=n2");
    world_login(&world, "alice", "a"); /* session 1 */
    world_run(&world, "1 enable from=1:1 resume=1 window_s=60");
    unavailable_count = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    check_invariants(world.state);
    world_close(&world);
    return 0;
}

static const char *run(const char *line)
{
    const char *text = world_run(&world, line);

    for (const char *at = text; (at = strstr(at, "presence unavailable alice@x/a->")) != NULL;
         at++) {
        unavailable_count++;
    }
    return text;
}

/* What a leader does each tick. */
static size_t expire_due(size_t max)
{
    struct arena arena;
    Pb__Expire due;
    struct buf line = BUF_EMPTY;

    arena_init(&arena);
    (void)state_due(world.state, &arena, world.now_ms, max, &due);
    if (due.n_items > 0) {
        buf_append_str(&line, "0 expire");
        for (size_t i = 0; i < due.n_items; i++) {
            static const char *const kinds[] = {"SESSION", "STANDING_PRESENCE",
                                                "PRESENCE_TOMBSTONE", "SESSION_TOMBSTONE",
                                                "ERASURE"};

            buf_printf(&line, " items.%zu=%llu:%u:%llu:%s", i,
                       (unsigned long long)due.items[i]->session, due.items[i]->epoch,
                       (unsigned long long)due.items[i]->deadline_ms, kinds[due.items[i]->kind]);
        }
        run(buf_text(&line));
    }
    buf_deinit(&line);
    arena_deinit(&arena);
    return due.n_items;
}

static void rebind(unsigned slot)
{
    world_runf(&world, "2 bind owner=2:0:%u:1 user=alice@x resource=a credential_version=$", slot);
}

/* Goal: when a node died, contacts see exactly one unavailable, at the deadline and not before.
 * Method: run the leader's expiry around it. */
static void test_one_unavailable_at_the_deadline(void **state)
{
    (void)state;
    run("0 node_down incarnation=1");
    world.now_ms += WINDOW_S * 1000 - 1;
    assert_int_equal(expire_due(10), 0);
    world.now_ms += 1;
    assert_int_equal(expire_due(10), 1);
    assert_int_equal(unavailable_count, 1);
    assert_int_equal(expire_due(10), 0);
    assert_int_equal(unavailable_count, 1);
    assert_null(state_incarnation(world.state, &world.arena, 1));
}

/* Goal: a resume within the window shows contacts nothing at all. */
static void test_a_resume_shows_nothing(void **state)
{
    (void)state;
    run("0 node_down incarnation=1");
    world.now_ms += 1000;
    run("2 resume owner=2:0:7:1 user=alice@x resume_id=$1 credential_version=$");
    run("2 confirm session=1 epoch=2 h=0");
    world.now_ms += 2 * WINDOW_S * 1000;
    assert_int_equal(expire_due(10), 0);
    assert_int_equal(unavailable_count, 0);
}

/* Goal: a new bind of the same address and its initial presence show no leave; the old session ends
 * at the bind.
 * Method: bind at another node after the death, become available, let all deadlines pass. */
static void test_a_rebind_takes_the_presence_over(void **state)
{
    (void)state;
    run("0 node_down incarnation=1");
    rebind(7);
    assert_null(world_session(&world, 1));
    check_invariants(world.state);
    run("2 presence from=2:1 stanza.kind=PRESENCE");
    world.now_ms += 2 * WINDOW_S * 1000;
    expire_due(10);
    assert_int_equal(unavailable_count, 0);
    assert_int_equal(rows_all(world.state, &world.arena, TABLE_PRESENCE, key_user("alice@x")).count,
                     1);
}

/* Goal: without initial presence what stands ends at the old deadline, once.
 * Method: bind and stay silent. */
static void test_a_silent_rebind_ends_it_at_the_deadline(void **state)
{
    (void)state;
    run("0 node_down incarnation=1");
    world.now_ms += 1000;
    rebind(7);
    world.now_ms += WINDOW_S * 1000 - 1001;
    assert_int_equal(expire_due(10), 0);
    assert_int_equal(unavailable_count, 0);
    world.now_ms += 1;
    assert_int_equal(expire_due(10), 1);
    assert_int_equal(unavailable_count, 1);
    assert_non_null(world_session(&world, 2));
    run("2 presence from=2:1 stanza.kind=PRESENCE");
    run("2 close from=2:1");
    assert_int_equal(unavailable_count, 2); /* of the second session, its own */
}

/* Goal: as with contacts, so with those who got directed presence: a first bind that was lost again
 * shows them no leave, the deadline one.
 * Method: bind, break, bind again, become available; and with nobody who comes again. */
static void test_a_lost_rebind_shows_no_leave(void **state)
{
    for (unsigned comes_again = 0; comes_again < 2; comes_again++) {
        teardown(state);
        setup(state);
        run("2 bind owner=2:0:8:1 user=bob@x resource=b credential_version=$"); /* session 2 */
        run("1 presence from=1:1 stanza.kind=PRESENCE stanza.to=bob@x/b");
        run("0 node_down incarnation=1");
        rebind(7); /* session 3 */
        run("2 close from=3:1");
        assert_int_equal(unavailable_count, 0);
        if (comes_again == 1) {
            rebind(9);
            run("2 presence from=4:1 stanza.kind=PRESENCE");
            assert_null(strstr(world_pending(&world, 2), "unavailable"));
            run("2 close from=4:1");
        } else {
            world.now_ms += WINDOW_S * 1000;
            expire_due(10);
        }
        assert_non_null(
            strstr(world_pending(&world, 2), "presence unavailable alice@x/a->bob@x/b"));
        check_invariants(world.state);
    }
}

/* Goal: a presence that stands receives nothing.
 * Method: a message to the bare address goes to offline storage, and reaches the new session when
 * it becomes available. */
static void test_a_standing_presence_gets_nothing(void **state)
{
    (void)state;
    run("0 node_down incarnation=1");
    rebind(7);
    run("2 bind owner=2:0:8:1 user=bob@x resource=b credential_version=$");
    run("2 message from=3:1 store=1 stanza.to=alice@x stanza.type=chat stanza.id=m1");
    assert_int_equal(world_session(&world, 2)->pending_count, 0);
    run("2 presence from=2:1 stanza.kind=PRESENCE");
    assert_non_null(strstr(world_pending(&world, 2), "id=m1"));
}

/* Goal: what was pending at the bind goes to the session that has the address now, in front of what
 * comes later, even before its initial presence (P2).
 * Method: two messages for the detached session, one for the new one; another session of the user
 * is there and gets none of them. */
static void test_a_rebind_inherits_the_list(void **state)
{
    const char *list, *at[3];
    (void)state;

    run("2 bind owner=2:0:8:1 user=bob@x resource=b credential_version=$");
    run("0 node_down incarnation=1");
    run("2 message from=2:1 store=1 stanza.to=alice@x stanza.type=chat stanza.id=m0");
    run("2 message from=2:1 store=1 stanza.to=alice@x/a stanza.type=chat stanza.id=m1");
    run("2 message from=2:1 store=1 stanza.to=alice@x/a stanza.type=headline stanza.id=no");
    run("2 bind owner=2:0:9:1 user=alice@x resource=phone credential_version=$");
    run("2 presence from=3:1 stanza.kind=PRESENCE");
    rebind(7);
    run("2 message from=2:1 store=1 stanza.to=alice@x/a stanza.type=chat stanza.id=m2");
    run("2 presence from=4:1 stanza.kind=PRESENCE");
    list = world_pending(&world, 4);
    for (unsigned i = 0; i < ARRAY_COUNT(at); i++) {
        char id[8];

        (void)snprintf(id, sizeof(id), "id=m%u", i);
        at[i] = strstr(list, id);
        assert_non_null(at[i]);
        assert_true(i == 0 || at[i - 1] < at[i]);
    }
    assert_null(strstr(list, "id=no"));
    assert_int_equal(world_session(&world, 3)->pending_count, 0);
}

/* Goal: an heir takes a list that is longer than what it would accept: the rest would come later,
 * by way of offline storage, behind what is newer. Method: offline messages and messages of its own
 * fill a list beyond the limit; rebind. */
static void test_an_heir_takes_it_all(void **state)
{
    uint64_t bob = world_bind(&world, "bob", "b"); /* session 2 */
    (void)state;

    for (unsigned i = 0; i < STATE_OFFLINE_MAX; i++) {
        run("1 message from=1:1 store=1 stanza.to=bob@x");
    }
    for (unsigned i = 0; i < STATE_PENDING_MAX; i++) {
        run("1 message from=1:1 store=1 stanza.to=bob@x/b");
    }
    run("1 presence from=2:1 stanza.kind=PRESENCE");
    assert_int_equal(world_session(&world, bob)->pending_count,
                     STATE_OFFLINE_MAX + STATE_PENDING_MAX);
    bob = world_bind(&world, "bob", "b");
    assert_int_equal(world_session(&world, bob)->pending_count,
                     STATE_OFFLINE_MAX + STATE_PENDING_MAX);
}

/* Goal: nor does a user gather a list without end by binding its address over and over: an heir
 * takes no more than a session may hold of what it caused itself; the rest waits offline. Method:
 * each round fills the offline storage, and the next session takes it. */
static void test_an_heir_takes_no_more_than_a_list(void **state)
{
    const unsigned rounds = STATE_PENDING_SELF_MAX / STATE_OFFLINE_MAX + 2;
    uint64_t bob = 0;
    (void)state;

    for (unsigned round = 0; round < rounds; round++) {
        uint32_t inherited;

        bob = world_bind(&world, "bob", "b");
        inherited = world_session(&world, bob)->pending_count;
        assert_true(inherited <= STATE_PENDING_SELF_MAX);
        assert_true(inherited >= round * STATE_OFFLINE_MAX || inherited == STATE_PENDING_SELF_MAX);
        for (unsigned i = 0; i < STATE_OFFLINE_MAX; i++) {
            run("1 message from=1:1 store=1 stanza.to=bob@x");
        }
        world_runf(&world, "1 presence from=%u:1 stanza.kind=PRESENCE", (unsigned)bob);
    }
    assert_true(world_session(&world, bob)->pending_count > STATE_PENDING_SELF_MAX);
}

/* Goal: those who got directed presence hear of the end, by whoever has the address then.
 * Method: directed presence, death, rebind and presence, close. */
static void test_directed_presence_ends_with_the_address(void **state)
{
    (void)state;
    run("2 bind owner=2:0:8:1 user=bob@x resource=b credential_version=$");
    run("1 presence from=1:1 stanza.kind=PRESENCE stanza.to=bob@x/b");
    run("0 node_down incarnation=1");
    rebind(7);
    run("2 presence from=3:1 stanza.kind=PRESENCE");
    assert_int_equal(world_session(&world, 2)->pending_count, 1);
    run("2 close from=3:1");
    assert_non_null(strstr(world_pending(&world, 2), "presence unavailable alice@x/a->bob@x/b"));
}

/* Goal: the oldest deadlines first, whatever index they stand in, no more than asked for.
 * Method: a detached session, two of a dead node, and a tombstone; take them one at a time. */
static void test_due_in_order(void **state)
{
    static const uint64_t expected[] = {11000, 21000, 61000};
    struct arena arena;
    Pb__Expire due;
    (void)state;

    world_login(&world, "bob", "b"); /* 2: grace of 10 s after the death */
    run("2 bind owner=2:0:8:1 user=carol@x resource=c credential_version=$");
    run("2 enable from=3:1 resume=1 window_s=20");
    run("2 detach session=3 epoch=1");
    run("0 node_down incarnation=1");
    world.now_ms += 100000;
    arena_init(&arena);
    for (size_t i = 0; i < ARRAY_COUNT(expected); i++) {
        assert_int_equal(state_due(world.state, &arena, world.now_ms, 1, &due), 1);
        assert_int_equal(due.items[0]->deadline_ms, expected[i]);
        assert_int_equal(state_due(world.state, &arena, world.now_ms, 10, &due), 3 - i);
        assert_int_equal(expire_due(1), 1);
    }
    assert_int_equal(state_due(world.state, &arena, world.now_ms, 10, &due), 0);
    arena_deinit(&arena);
    assert_int_equal(
        rows_all(world.state, &world.arena, TABLE_SESSION, (struct key){.len = 0}).count, 0);
}

/* ---- what is remembered of ended sessions */

/* Goal: it is bounded for a user who begins and ends sessions over and over: the oldest is
 * forgotten, and what is kept expires.
 * Method: more resumable sessions than are kept come and go; resume the first and the last. */
static void test_ended_sessions_are_bounded(void **state)
{
    char first_id[64] = "";
    char last_id[64] = "";
    (void)state;

    for (unsigned i = 0; i < STATE_SESSION_TOMBSTONES_MAX + 1; i++) {
        unsigned session = (unsigned)world_bind(&world, "bob", "b");

        world_runf(&world, "1 enable from=%u:1 resume=1 window_s=60", session);
        (void)snprintf(i == 0 ? first_id : last_id, sizeof(first_id), "%s",
                       world_resume_id(&world, session));
        world_runf(&world, "1 close from=%u:1", session);
        world.now_ms += 1;
    }
    check_invariants(world.state);
    assert_int_equal(rows_all(world.state, &world.arena, TABLE_ENDED_OF, key_user("bob@x")).count,
                     STATE_SESSION_TOMBSTONES_MAX);
    world_runf(&world, "1 resume owner=1:0:7:1 user=bob@x resume_id=%s credential_version=$",
               first_id);
    assert_string_equal(buf_text(&world.text), "outcome resume-failed: not found\n");
    world_runf(&world, "1 resume owner=1:0:7:1 user=bob@x resume_id=%s credential_version=$",
               last_id);
    assert_string_equal(buf_text(&world.text), "outcome resume-failed: not found h=0\n");
    world.now_ms += STATE_TOMBSTONE_MS;
    while (expire_due(10) > 0) {
    }
    assert_false(rows_any(world.state, TABLE_ENDED_OF, key_user("bob@x")));
}

/* ---- tombstones of presence */

struct tombstones {
    unsigned count;
    uint64_t position;
};

static bool count_tombstone(void *ctx, const Pb__TombstoneRow *row)
{
    struct tombstones *seen = ctx;

    seen->count++;
    seen->position = row->position;
    return true;
}

static struct tombstones tombstones_since(uint64_t position)
{
    struct tombstones seen = {.count = 0};

    state_each_tombstone(world.state, &world.arena, "alice@x", position, count_tombstone, &seen);
    return seen;
}

/* Goal: one expiry settles a bounded number of rows, so that no entry stalls a node.
 * Method: sessions with full lists end together; the leader takes them a few at a time, all in the
 * end. */
static void test_due_is_bounded_by_rows(void **state)
{
    const unsigned sessions = STATE_EXPIRE_ROWS_MAX / STATE_PENDING_MAX + 1;
    unsigned count, total = 0;
    (void)state;

    for (unsigned i = 0; i < sessions; i++) {
        char resource[8];

        (void)snprintf(resource, sizeof(resource), "r%u", i);
        (void)world_bind(&world, "bob", resource);
        for (unsigned n = 0; n < STATE_PENDING_MAX; n++) {
            world_runf(&world, "1 message from=1:1 stanza.type=headline stanza.to=bob@x/%s",
                       resource);
        }
    }
    run("0 node_down incarnation=1");
    world.now_ms += WINDOW_S * 1000;
    while ((count = (unsigned)expire_due(60)) > 0) {
        assert_in_range(count, 1, sessions);
        total += count;
    }
    assert_int_equal(total, sessions + 1); /* and session 1 of the setup */
}

static void make_users(unsigned count, unsigned contacts)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t session;
        char name[8];

        (void)snprintf(name, sizeof(name), "u%u", i);
        world_runf(&world, "1 user_set user=%s@x create=1", name);
        session = world_bind(&world, name, "r");
        for (unsigned n = 0; n < contacts; n++) {
            world_runf(&world, "1 roster_set from=%u:1 contact=c%u@x", (unsigned)session, n);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        world_runf(&world, "1 user_remove user=u%u@x", i);
    }
}

/* Goal: the same when users are erased: each step may change the rosters of many contacts.
 * Method: users with more contacts than a step takes, then users without any, are removed; the
 * first go a few at a time, the others together. */
static void test_due_is_bounded_by_erasures(void **state)
{
    const unsigned users = 5;
    unsigned count, steps = 0;
    (void)state;

    make_users(users, 25);
    while ((count = (unsigned)expire_due(60)) > 0) {
        assert_true(count <= 2); /* a last step, which is a short one, and a first */
        check_invariants(world.state);
        steps++;
    }
    assert_in_range(steps, users, 2 * users);
    assert_int_equal(
        rows_all(world.state, &world.arena, TABLE_ROSTER, (struct key){.len = 0}).count, 0);
    make_users(users, 0);
    assert_int_equal(expire_due(60), users);
    assert_int_equal(
        rows_all(world.state, &world.arena, TABLE_ERASURE, (struct key){.len = 0}).count, 0);
}

/* Goal: erasures, of which there may be many and each in many steps, put off the end of nothing.
 * Method: many users are removed before a node dies; when its session is due, that comes first. */
static void test_erasures_come_last(void **state)
{
    Pb__Expire due;
    (void)state;

    make_users(300, 25);
    run("0 node_down incarnation=1");
    world.now_ms += WINDOW_S * 1000;
    assert_true(state_due(world.state, &world.arena, world.now_ms, 60, &due) > 1);
    assert_int_equal(due.items[0]->kind, PB__DEADLINE_KIND__SESSION);
    assert_int_equal(due.items[1]->kind, PB__DEADLINE_KIND__ERASURE);
}

/* Goal: who resumes learns which presence ended meanwhile, and only that (DESIGN 5).
 * Method: an end leaves one tombstone, seen from positions before it; availability takes it away;
 * its deadline too. */
static void test_ended_presence_leaves_a_tombstone(void **state)
{
    uint64_t before = world.state->meta.next_position - 1;
    (void)state;

    assert_int_equal(tombstones_since(0).count, 0);
    run("1 presence from=1:1 stanza.kind=PRESENCE stanza.type=unavailable");
    assert_int_equal(tombstones_since(before).count, 1);
    assert_int_equal(tombstones_since(tombstones_since(0).position).count, 0);
    run("1 presence from=1:1 stanza.kind=PRESENCE");
    assert_int_equal(tombstones_since(0).count, 0);
    run("1 close from=1:1");
    assert_int_equal(tombstones_since(before).count, 1);
    world.now_ms += STATE_PRESENCE_TOMBSTONE_MS;
    assert_int_equal(expire_due(10), 1);
    assert_int_equal(tombstones_since(0).count, 0);
}

/* Goal: what ended is remembered in bounded number, and what is forgotten is known as such.
 * Method: more resources than are kept come and go; the credentials change; the rest expires. */
static void test_tombstones_are_bounded(void **state)
{
    uint64_t forgotten, last;
    (void)state;

    for (unsigned i = 0; i < STATE_PRESENCE_TOMBSTONES_MAX + 10; i++) {
        char resource[8];

        (void)snprintf(resource, sizeof(resource), "r%u", i);
        world_runf(&world, "1 close from=%u:1", (unsigned)world_login(&world, "bob", resource));
        world.now_ms += 1;
    }
    last = world.state->meta.next_position - 1;
    assert_int_equal(rows_all(world.state, &world.arena, TABLE_TOMBSTONE, key_user("bob@x")).count,
                     STATE_PRESENCE_TOMBSTONES_MAX);
    forgotten = state_account(world.state, &world.arena, "bob@x")->forgotten_position;
    assert_in_range(forgotten, 1, last - 1);
    run("1 user_set user=bob@x");
    assert_int_equal(state_account(world.state, &world.arena, "bob@x")->forgotten_position,
                     forgotten);
    world.now_ms += STATE_PRESENCE_TOMBSTONE_MS;
    while (expire_due(10) > 0) {
    }
    assert_false(rows_any(world.state, TABLE_TOMBSTONE, key_user("bob@x")));
    assert_int_equal(state_account(world.state, &world.arena, "bob@x")->forgotten_position, last);
}

/* ---- binding and ending */

/* Goal: a user has a bounded number of sessions; a bind of an address in use does not add one. */
static void test_sessions_are_bounded(void **state)
{
    (void)state;
    for (unsigned i = 1; i < STATE_SESSIONS_MAX; i++) {
        char resource[8];

        (void)snprintf(resource, sizeof(resource), "r%u", i);
        world_bind(&world, "alice", resource);
    }
    world_expect(&world, "1 bind owner=1:0:1:1 user=alice@x resource=more credential_version=$",
                 "outcome done: limit exceeded\n");
    world_bind(&world, "alice", "r1");
}

/* Goal: sessions that only wait for a resume do not keep their user out; a live one is not ended.
 * Method: as many as there may be, one of them live; bind one more: the oldest detached ends as at
 * its deadline. */
static void test_a_waiting_session_makes_place(void **state)
{
    (void)state;
    for (unsigned i = 1; i < STATE_SESSIONS_MAX; i++) {
        char resource[8];
        uint64_t session;

        (void)snprintf(resource, sizeof(resource), "r%u", i);
        session = world_bind(&world, "alice", resource);
        world.now_ms += 1;
        world_runf(&world, "1 enable from=%u:1 resume=1 window_s=60", (unsigned)session);
        world_runf(&world, "1 detach session=%u epoch=1", (unsigned)session);
    }
    run("2 bind owner=2:0:9:1 user=alice@x resource=more credential_version=$");
    assert_non_null(strstr(buf_text(&world.text), "outcome bound session=33"));
    assert_non_null(world_session(&world, 1));
    assert_null(world_session(&world, 2));
    assert_non_null(world_session(&world, 3));
}

/* Goal: a live session loses its address to a newer bind, and its connection is told; contacts see
 * nothing as long as the newer one becomes available. */
static void test_conflict(void **state)
{
    (void)state;
    assert_non_null(strstr(run("1 bind owner=1:0:9:1 user=alice@x resource=a credential_version=$"),
                           "dropped session=1 conflict owner=1:0:1:1\n"));
    run("1 presence from=2:1 stanza.kind=PRESENCE");
    assert_int_equal(unavailable_count, 0);
    world_expect(&world, "1 message from=1:1 stanza.to=alice@x", "outcome done: conflict\n");
}

/* Goal: an operator's kill ends live and detached sessions alike, one or all. */
static void test_kill(void **state)
{
    (void)state;
    world_login(&world, "alice", "b");
    run("2 bind owner=2:0:3:1 user=alice@x resource=c credential_version=$");
    run("0 node_down incarnation=1");
    assert_string_equal(run("2 kill user=alice@x resource=a"),
                        "presence session=1 user=alice@x position=6 presence unavailable "
                        "alice@x/a->\noutcome done\n");
    run("2 kill user=alice@x");
    assert_non_null(strstr(buf_text(&world.text), "dropped session=3 killed"));
    assert_int_equal(
        rows_all(world.state, &world.arena, TABLE_SESSION, (struct key){.len = 0}).count, 0);
}

/* Goal: a removed account leaves nothing behind, in bounded steps, and its name is free only then.
 * Method: a user with a session, many contacts and offline messages; remove; count the steps. */
static void test_erasure(void **state)
{
    unsigned steps = 0;
    (void)state;

    world_login(&world, "carol", "c"); /* session 2 */
    run("1 presence from=1:1 stanza.kind=PRESENCE stanza.type=subscribe stanza.to=carol@x");
    run("1 presence from=2:1 stanza.kind=PRESENCE stanza.type=subscribed stanza.to=alice@x");
    for (unsigned i = 0; i < 50; i++) {
        world_runf(&world, "1 roster_set from=1:1 contact=c%u@x", i);
    }
    for (unsigned i = 0; i < 150; i++) {
        run("1 message from=2:1 store=1 stanza.to=bob@x stanza.type=chat");
    }
    run("1 user_remove user=bob@x");
    run("1 user_remove user=alice@x");
    assert_non_null(strstr(buf_text(&world.text), "dropped session=1 removed"));
    assert_int_equal(unavailable_count, 1);
    world_expect(&world, "1 user_set user=alice@x create=1", "outcome done: busy, try again\n");
    world_expect(&world, "1 domain_remove name=x", "outcome done: busy, try again\n");
    while (expire_due(10) > 0) {
        steps++;
        check_invariants(world.state);
    }
    assert_in_range(steps, 2, 10);
    assert_null(state_roster(world.state, &world.arena, "alice@x"));
    assert_int_equal(
        rows_all(world.state, &world.arena, TABLE_OFFLINE, (struct key){.len = 0}).count, 0);
    assert_int_equal(
        rows_all(world.state, &world.arena, TABLE_STANZA, (struct key){.len = 0}).count, 0);
    assert_int_equal(
        state_roster_item(world.state, &world.arena, "carol@x", "alice@x")->subscription,
        PB__ROSTER_ITEM__SUBSCRIPTION__NONE);
    assert_int_equal(world_roster(&world, "alice@x").count, 0);
    world_expect(&world, "1 user_set user=alice@x create=1", "outcome done\n");
}

/* Goal: a presence that was left standing ends with its user: it is not a successor's.
 * Method: rebind in silence, remove. */
static void test_a_removed_user_leaves_no_presence(void **state)
{
    (void)state;
    rebind(7);
    run("1 user_remove user=alice@x");
    assert_int_equal(unavailable_count, 1);
    assert_false(rows_any(world.state, TABLE_PRESENCE, key_user("alice@x")));
}

/* Goal: what one session or user makes the state remember is bounded.
 * Method: directed presence to ever new addresses; bind and become available with ever new
 * resources, each replaced by a silent bind of the same one. */
static void test_directed_presence_is_bounded(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STATE_DIRECTED_MAX; i++) {
        world_runf(&world, "1 presence from=1:1 stanza.kind=PRESENCE stanza.to=bob@x/r%u", i);
    }
    run("1 presence from=1:1 stanza.kind=PRESENCE stanza.to=bob@x/r0");
    assert_null(strstr(buf_text(&world.text), "error"));
    run("1 presence from=1:1 stanza.kind=PRESENCE stanza.to=bob@x/more");
    assert_non_null(strstr(buf_text(&world.text), "<resource-constraint"));
    run("1 presence from=1:1 stanza.kind=PRESENCE stanza.type=unavailable stanza.to=bob@x/r0");
    run("1 presence from=1:1 stanza.kind=PRESENCE stanza.to=bob@x/more");
    assert_null(strstr(buf_text(&world.text), "error"));
}

/* Goal: nor does a user gather more of it by binding the same address over and over. Who is not
 * remembered any more sees the end.
 * Method: bob gets directed presence; after a rebind as many others as fit get it, then the new
 * session takes the presence over. */
static void test_inherited_directed_presence_is_bounded(void **state)
{
    const uint64_t bob = world_login(&world, "bob", "b");
    uint64_t alice;
    (void)state;

    run("1 presence from=1:1 stanza.kind=PRESENCE stanza.to=bob@x/b");
    alice = world_bind(&world, "alice", "a");
    for (unsigned i = 0; i < STATE_DIRECTED_MAX; i++) {
        world_runf(&world, "1 presence from=%u:1 stanza.kind=PRESENCE stanza.to=carol@x/r%u",
                   (unsigned)alice, i);
    }
    assert_null(strstr(world_pending(&world, bob), "unavailable"));
    world_runf(&world, "1 presence from=%u:1 stanza.kind=PRESENCE", (unsigned)alice);
    assert_int_equal(rows_all(world.state, &world.arena, TABLE_DIRECTED, key_u64(alice)).count,
                     STATE_DIRECTED_MAX);
    assert_non_null(strstr(world_pending(&world, bob), "presence unavailable alice@x/a->bob@x/b"));
    assert_int_equal(unavailable_count, 0);
}

static void test_standing_presence_is_bounded(void **state)
{
    const unsigned max = 2 * STATE_SESSIONS_MAX;
    (void)state;

    for (unsigned i = 0; i < max + 10; i++) {
        char resource[8];
        uint64_t session;

        (void)snprintf(resource, sizeof(resource), "r%u", i);
        world_login(&world, "bob", resource);
        session = world_bind(&world, "bob", resource);
        world_runf(&world, "1 close from=%u:1", (unsigned)session);
    }
    assert_in_range(rows_all(world.state, &world.arena, TABLE_PRESENCE, key_user("bob@x")).count, 1,
                    max);
}

/* Goal: addresses that do not fit a key are refused, not cut. */
static void test_long_names(void **state)
{
    char name[STATE_USER_BYTES_MAX + 2];
    (void)state;

    memset(name, 'n', sizeof(name));
    (void)snprintf(name + STATE_USER_BYTES_MAX - 2, 3, "@x");
    assert_non_null(
        strstr(world_runf(&world, "1 user_set create=1 user=%s", name), "outcome done\n"));
    memset(name, 'n', sizeof(name));
    (void)snprintf(name + STATE_USER_BYTES_MAX - 1, 3, "@x");
    assert_string_equal(world_runf(&world, "1 user_set create=1 user=%s", name),
                        "outcome done: limit exceeded\n");
    assert_null(state_account(world.state, &world.arena, name));
    world_runf(&world, "1 message from=1:1 store=1 stanza.to=%s", name);
    assert_non_null(strstr(buf_text(&world.text), "<service-unavailable"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_unavailable_at_the_deadline),
        TEST(test_a_resume_shows_nothing),
        TEST(test_a_rebind_takes_the_presence_over),
        TEST(test_a_silent_rebind_ends_it_at_the_deadline),
        TEST(test_a_lost_rebind_shows_no_leave),
        TEST(test_a_standing_presence_gets_nothing),
        TEST(test_a_rebind_inherits_the_list),
        TEST(test_an_heir_takes_it_all),
        TEST(test_an_heir_takes_no_more_than_a_list),
        TEST(test_directed_presence_ends_with_the_address),
        TEST(test_due_in_order),
        TEST(test_due_is_bounded_by_rows),
        TEST(test_due_is_bounded_by_erasures),
        TEST(test_erasures_come_last),
        TEST(test_ended_presence_leaves_a_tombstone),
        TEST(test_tombstones_are_bounded),
        TEST(test_ended_sessions_are_bounded),
        TEST(test_sessions_are_bounded),
        TEST(test_a_waiting_session_makes_place),
        TEST(test_conflict),
        TEST(test_kill),
        TEST(test_erasure),
        TEST(test_a_removed_user_leaves_no_presence),
        TEST(test_directed_presence_is_bounded),
        TEST(test_inherited_directed_presence_is_bounded),
        TEST(test_standing_presence_is_bounded),
        TEST(test_long_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
