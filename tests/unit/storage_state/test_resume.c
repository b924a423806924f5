/* The rules of streams that survive their node (DESIGN 5). Each test fails when its rule is taken
 * out; the schedules are those of the exhaustive search that made the rules. */
#include "tests/unit/storage_state/check.h"
#include "tests/unit/storage_state/world.h"

#include <stdio.h>

#define WINDOW_MS 300000

static struct world world;
static char resume_id[64];

/* Alice (session 1, node 1) can resume and has two messages of bob (session 2, node 2): positions
 * first and second, numbered 1 and 2. */
static uint64_t first, second;

static int setup(void **state)
{
    (void)state;
    world_open(&world);
    world_settle(&world);
    world_run(&world, "0 start node=2 nonce=n2");
    world_login(&world, "alice", "a");
    world_run(&world, "1 enable from=1:1 resume=1 window_s=300");
    (void)snprintf(resume_id, sizeof(resume_id), "%s", world_resume_id(&world, 1));
    world_run(&world, "2 bind owner=2:0:2:1 user=bob@x resource=b credential_version=$");
    first = world.state->meta.next_position;
    world_run(&world, "2 message from=2:1 store=1 stanza.to=alice@x/a stanza.id=m1");
    second = world.state->meta.next_position;
    world_run(&world, "2 message from=2:1 store=1 stanza.to=alice@x/a stanza.id=m2");
    world_runf(&world, "1 notes runs.0=1:1:1:2:%u", (unsigned)first);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    check_invariants(world.state);
    world_close(&world);
    return 0;
}

static const char *resume(unsigned slot)
{
    return world_runf(&world,
                      "2 resume owner=2:0:%u:1 user=alice@x resume_id=%s "
                      "credential_version=$",
                      slot, resume_id);
}

static unsigned pending_count(void)
{
    return world_session(&world, 1)->pending_count;
}

/* Goal: a stanza of the old connection that enters the log after the resume is refused: the client
 * sends it again (schedule 4).
 * Method: resume, then a command of epoch 1 and one of epoch 2. */
static void test_an_old_epoch_is_refused(void **state)
{
    (void)state;
    world_run(&world, "1 message from=1:1:1:1 stanza.to=bob@x/b");
    world_expect(&world, "1 detach session=1 epoch=1", "outcome done\n");
    resume(7);
    world_expect(&world, "2 message from=1:1:2:1 stanza.to=bob@x/b", "outcome done: conflict\n");
    assert_int_equal(world_session(&world, 1)->count, 1);
    world_run(&world, "2 message from=1:2:2:1 stanza.to=bob@x/b");
    assert_int_equal(world_session(&world, 1)->count, 2);
}

/* Goal: only the node that owns the session speaks for it.
 * Method: node 2 sends with the right epoch and the next count while node 1 owns; node 1 may. */
static void test_another_node_is_refused(void **state)
{
    (void)state;
    world_expect(&world, "2 message from=1:1:1:1 stanza.to=bob@x/b", "outcome done: conflict\n");
    world_expect(&world, "2 presence from=1:1 stanza.kind=PRESENCE", "outcome done: conflict\n");
    world_expect(&world, "2 roster_set from=1:1 contact=carol@x", "outcome done: conflict\n");
    world_expect(&world, "2 close from=1:1", "outcome done: conflict\n");
    world_run(&world, "2 notes counts.0=1:1:1:1");
    assert_int_equal(world_session(&world, 1)->count, 0);
    world_expect(&world, "2 detach session=1 epoch=1", "outcome done: conflict\n");
    world_runf(&world, "2 notes acks.0=1:1:%u:0", (unsigned)second);
    assert_int_equal(pending_count(), 2);
    world_run(&world, "1 message from=1:1:1:1 stanza.to=bob@x/b");
    assert_int_equal(world_session(&world, 1)->count, 1);
}

/* Goal: the count of the last applied command is what <resumed h/> says.
 * Method: commands with counts, then a resume. */
static void test_resumed_tells_the_count(void **state)
{
    (void)state;
    world_run(&world, "1 message from=1:1:1:1 stanza.to=bob@x/b");
    world_run(&world, "1 notes counts.0=1:1:2:1");
    world_run(&world, "0 node_down incarnation=1");
    assert_string_equal(resume(7), "outcome resumed session=1 epoch=2 alice@x/a h=2\n");
}

/* Goal: <resumed h/> never covers a stanza that was refused before it reached the state.
 * Method: the first stanza never comes, the second does. */
static void test_a_gap_in_the_count_is_refused(void **state)
{
    (void)state;
    world_expect(&world, "1 message from=1:1:2:1 stanza.to=bob@x/b", "outcome done: conflict\n");
    world_run(&world, "1 notes counts.0=1:1:2:1");
    assert_string_equal(resume(7), "dropped session=1 resumed owner=1:0:1:1\n"
                                   "outcome resumed session=1 epoch=2 alice@x/a h=0\n");
}

/* Goal: a resume completes and erases nothing; what the client has is known by CONFIRM alone.
 * Method: the list and its numbers are the same after the resume; h=1 of the confirm ends m1. */
static void test_confirm_completes_by_recorded_numbers(void **state)
{
    char before[1024];
    (void)state;

    (void)snprintf(before, sizeof(before), "%s", world_pending(&world, 1));
    world_run(&world, "0 node_down incarnation=1");
    resume(7);
    assert_string_equal(world_pending(&world, 1), before);
    world_run(&world, "2 confirm session=1 epoch=2 h=1");
    assert_int_equal(pending_count(), 1);
    assert_non_null(strstr(world_pending(&world, 1), "id=m2"));
    assert_null(strstr(world_pending(&world, 1), "#")); /* no number is left */
}

/* Goal: a record of the old connection that enters late is void (schedules 1 and 5).
 * Method: after a confirmed resume with h=0 a run of epoch 1 numbers nothing. */
static void test_a_late_record_is_void(void **state)
{
    (void)state;
    world_run(&world, "1 detach session=1 epoch=1");
    resume(7);
    world_run(&world, "2 confirm session=1 epoch=2 h=0");
    assert_string_equal(world_runf(&world, "2 notes runs.0=1:1:1:1:%u", (unsigned)first),
                        "outcome done\n");
    assert_null(strstr(world_pending(&world, 1), "#"));
    assert_int_equal(pending_count(), 2);
}

/* Goal: nothing is numbered or done on a connection that the client has not confirmed (schedule 2).
 * Method: runs and acks of the new epoch before its CONFIRM change nothing. */
static void test_nothing_counts_before_confirm(void **state)
{
    (void)state;
    world_run(&world, "0 node_down incarnation=1");
    resume(7);
    world_runf(&world, "2 notes runs.0=1:2:8:1:%u acks.0=1:2:%u:%u", (unsigned)first,
               (unsigned)second, (unsigned)second);
    assert_int_equal(pending_count(), 2);
    assert_int_equal(world_session(&world, 1)->presence_position, 0);
    assert_null(strstr(world_pending(&world, 1), "#8"));
    assert_null(strstr(buf_text(&world.text), "recorded"));
}

/* Goal: a resume over an unconfirmed one keeps the last confirmed numbers (schedule 2).
 * Method: two resumes; the second confirms h=1, a number of epoch 1. */
static void test_a_second_resume_keeps_confirmed_numbers(void **state)
{
    (void)state;
    world_run(&world, "0 node_down incarnation=1");
    resume(7);
    assert_string_equal(resume(8), "dropped session=1 resumed owner=2:0:7:1\n"
                                   "outcome resumed session=1 epoch=3 alice@x/a h=0\n");
    world_expect(&world, "2 confirm session=1 epoch=2 h=0", "outcome done: conflict\n");
    world_run(&world, "2 confirm session=1 epoch=3 h=1");
    assert_int_equal(pending_count(), 1);
    assert_non_null(strstr(world_pending(&world, 1), "id=m2"));
}

/* Goal: a confirm counts once.
 * Method: the second one is refused and ends nothing. */
static void test_confirm_only_once(void **state)
{
    (void)state;
    resume(7);
    world_run(&world, "2 confirm session=1 epoch=2 h=0");
    world_runf(&world, "2 notes runs.0=1:2:1:2:%u", (unsigned)first);
    world_expect(&world, "2 confirm session=1 epoch=2 h=2", "outcome done: conflict\n");
    assert_int_equal(pending_count(), 2);
}

/* Goal: numbers are compared in the arithmetic of a counter that wraps (XEP-0198 §4).
 * Method: number the entries 2^32-1 and 0, confirm each of three h. */
static void test_numbers_wrap(void **state)
{
    static const struct {
        const char *h;
        unsigned left;
    } cases[] = {{"4294967294", 2}, {"4294967295", 1}, {"0", 0}};
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        if (i > 0) {
            teardown(NULL);
            setup(NULL);
        }
        world_runf(&world, "1 notes runs.0=1:1:4294967295:2:%u", (unsigned)first);
        world_run(&world, "0 node_down incarnation=1");
        resume(7);
        world_runf(&world, "2 confirm session=1 epoch=2 h=%s", cases[i].h);
        assert_int_equal(pending_count(), cases[i].left);
    }
}

/* Goal: the write waits for its record, and the owner is told in order.
 * Method: a run yields RECORDED with its last number. */
static void test_a_record_is_announced(void **state)
{
    (void)state;
    assert_string_equal(world_runf(&world, "1 notes runs.0=1:1:5:2:%u", (unsigned)first),
                        "recorded session=1 number=6\noutcome done\n");
    assert_non_null(strstr(world_pending(&world, 1), "#6 message"));
}

/* Goal: what is added while a resume is not confirmed goes out by CONFIRMED, once.
 * Method: no pending effect before; CONFIRMED names the position behind it; effects again after. */
static void test_order_around_confirm(void **state)
{
    char expected[256];
    uint64_t third;
    (void)state;

    resume(7);
    third = world.state->meta.next_position;
    world_expect(&world, "2 message from=2:1 stanza.to=alice@x/a stanza.id=m3", "outcome done\n");
    (void)snprintf(expected, sizeof(expected),
                   "confirmed session=1 epoch=2 before=%u owner=2:0:7:1\noutcome done\n"
                   "pending session=1 @%u message bob@x/b->alice@x/a id=m4 stanza-id=%u\n"
                   "outcome done\n",
                   (unsigned)third + 1, (unsigned)third + 1, (unsigned)third + 1);
    world_expect(&world,
                 "2 confirm session=1 epoch=2 h=0\n"
                 "2 message from=2:1 stanza.to=alice@x/a stanza.id=m4",
                 expected);
}

/* Goal: an ack costs what it takes off, not what the list holds: a client may ack each stanza of a
 * list of thousands.
 * Method: the entry behind the acked one has bytes that no reader could decode. */
static void test_an_ack_reads_no_further(void **state)
{
    struct key key = key_u64_u64(1, second);
    struct slice value;
    struct buf kept = BUF_EMPTY;

    (void)state;
    assert_true(kv_get(world.kv, TABLE_PENDING, key_slice(&key), &value));
    buf_append(&kept, value);
    kv_put(world.kv, TABLE_PENDING, key_slice(&key), slice_str("\xff"));
    world_runf(&world, "1 notes acks.0=1:1:%u", (unsigned)first);
    assert_int_equal(pending_count(), 1);
    kv_put(world.kv, TABLE_PENDING, key_slice(&key), buf_slice(&kept));
    buf_deinit(&kept);
}

/* Goal: a request stays open until its answer is acked, whatever node dies (schedule 3).
 * Method: a get, its number recorded, a resume that does not cover it: still there to be answered
 * again; covered, it is gone. */
static void test_requests_stay_open(void **state)
{
    (void)state;
    world_run(&world, "1 ask from=1:1:1:1 request.kind=IQ request.type=get request.id=q1");
    world_runf(&world, "1 notes runs.0=1:1:3:1:%u", (unsigned)second + 1);
    world_run(&world, "0 node_down incarnation=1");
    assert_string_equal(resume(7), "outcome resumed session=1 epoch=2 alice@x/a h=1\n");
    world_run(&world, "2 confirm session=1 epoch=2 h=2");
    assert_non_null(strstr(world_pending(&world, 1), "ask iq get"));
    resume(8);
    world_run(&world, "2 confirm session=1 epoch=3 h=2"); /* no number is valid any more */
    assert_non_null(strstr(world_pending(&world, 1), "ask iq get"));
    world_runf(&world, "2 notes acks.0=1:3:%u:0", (unsigned)second + 1);
    assert_int_equal(pending_count(), 0);
}

/* ---- deadlines */

/* Goal: a resume stamped after the deadline is refused, with the count; one at the deadline is not.
 * Method: detach, and try around now + window. */
static void test_a_resume_after_the_deadline_is_refused(void **state)
{
    (void)state;
    world_run(&world, "1 notes counts.0=1:1:1:1");
    world_run(&world, "1 detach session=1 epoch=1");
    world.now_ms += WINDOW_MS + 1;
    assert_string_equal(resume(7), "outcome resume-failed: not found h=1\n");
    assert_int_equal(world_session(&world, 1)->epoch, 1);
}

static void test_a_resume_at_the_deadline_is_taken(void **state)
{
    (void)state;
    world_run(&world, "0 node_down incarnation=1");
    world.now_ms += WINDOW_MS;
    assert_non_null(strstr(resume(7), "outcome resumed"));
}

/* Goal: RESUME extends the deadline to 30 s at least, never shortens it; CONFIRM alone clears it.
 * Method: look at the deadline after resumes early and late in the window. */
static void test_only_confirm_clears_the_deadline(void **state)
{
    uint64_t deadline_ms;
    (void)state;

    world_run(&world, "1 detach session=1 epoch=1");
    deadline_ms = world_session(&world, 1)->deadline_ms;
    assert_int_equal(deadline_ms, world.now_ms + WINDOW_MS);
    world.now_ms += 1000;
    resume(7);
    assert_int_equal(world_session(&world, 1)->deadline_ms, deadline_ms);
    world.now_ms = deadline_ms - 10;
    resume(8);
    assert_int_equal(world_session(&world, 1)->deadline_ms, world.now_ms + STATE_RESUME_EXTEND_MS);
    world_run(&world, "2 confirm session=1 epoch=3 h=0");
    assert_int_equal(world_session(&world, 1)->deadline_ms, 0);
}

/* Goal: expiry names the epoch that it ends; a resume committed earlier wins.
 * Method: take what is due, let a resume enter first, apply the expiry. */
static void test_expiry_names_the_epoch(void **state)
{
    (void)state;
    world_run(&world, "1 detach session=1 epoch=1");
    world.now_ms += WINDOW_MS;
    resume(7);
    world_runf(&world, "0 expire items.0=1:1:%u", (unsigned)world.now_ms);
    assert_non_null(world_session(&world, 1));
    world.now_ms += STATE_RESUME_EXTEND_MS;
    world_runf(&world, "0 expire items.0=1:1:%u", (unsigned)world.now_ms); /* an old epoch */
    assert_non_null(world_session(&world, 1));
    world_runf(&world, "0 expire items.0=1:2:%u", (unsigned)world.now_ms);
    assert_non_null(strstr(buf_text(&world.text), "dropped session=1 expired owner=2:0:7:1"));
    assert_null(world_session(&world, 1));
}

/* Goal: a confirm committed before an expiry wins, and so does a later deadline of the same epoch.
 * Method: confirm at the deadline, then let the leader's expiry come; detach, let it come again. */
static void test_expiry_names_the_deadline(void **state)
{
    uint64_t deadline_ms;
    (void)state;

    resume(7);
    deadline_ms = world_session(&world, 1)->deadline_ms;
    world.now_ms = deadline_ms;
    world_run(&world, "2 confirm session=1 epoch=2 h=0");
    world_runf(&world, "0 expire items.0=1:2:%u", (unsigned)deadline_ms);
    assert_non_null(world_session(&world, 1));
    world_run(&world, "2 detach session=1 epoch=2");
    world_runf(&world, "0 expire items.0=1:2:%u", (unsigned)deadline_ms);
    assert_non_null(world_session(&world, 1));
    deadline_ms = world_session(&world, 1)->deadline_ms;
    world.now_ms = deadline_ms - 1;
    world_runf(&world, "0 expire items.0=1:2:%u", (unsigned)deadline_ms); /* early */
    assert_non_null(world_session(&world, 1));
    world.now_ms = deadline_ms;
    world_runf(&world, "0 expire items.0=1:2:%u", (unsigned)deadline_ms);
    assert_null(world_session(&world, 1));
}

/* Goal: what a connection still had on its way when it was detached is refused, not applied behind
 * the count that a resume will be told.
 * Method: detach, then send, number and ack with the same epoch. */
static void test_a_detached_connection_is_refused(void **state)
{
    (void)state;
    world_run(&world, "1 detach session=1 epoch=1");
    world_expect(&world, "1 message from=1:1:3:1 stanza.to=bob@x/b", "outcome done: conflict\n");
    world_expect(&world, "1 detach session=1 epoch=1", "outcome done: conflict\n");
    world_runf(&world, "1 notes acks.0=1:1:%u:0", (unsigned)second);
    assert_int_equal(world_session(&world, 1)->count, 0);
    assert_int_equal(pending_count(), 2);
}

/* Goal: counting starts with <enable/>, and a presence ack is remembered for the next resume. */
static void test_counts_and_acks_are_kept(void **state)
{
    uint64_t session = world_bind(&world, "carol", "c");
    (void)state;

    world_runf(&world, "1 notes counts.0=%u:1:7:1", (unsigned)session);
    world_runf(&world, "1 enable from=%u:1:8:1 resume=1 window_s=60", (unsigned)session);
    assert_int_equal(world_session(&world, session)->count, 0);
    world_runf(&world, "1 notes counts.0=%u:1:1:1 acks.0=%u:1:0:9", (unsigned)session,
               (unsigned)session);
    assert_int_equal(world_session(&world, session)->count, 1);
    assert_int_equal(world_session(&world, session)->presence_position, 9);
    world_runf(&world, "1 notes acks.0=%u:1:0:8", (unsigned)session);
    assert_int_equal(world_session(&world, session)->presence_position, 9);
}

/* Goal: who becomes available anew is shown everything, and a resume before that was acked shows
 * everything again.
 * Method: ack presence, leave, come back; the old ack is gone, and a late one is not taken. */
static void test_initial_presence_starts_over(void **state)
{
    uint64_t position;
    (void)state;

    position = world.state->meta.next_position - 1;
    world_runf(&world, "1 notes acks.0=1:1:0:%u", (unsigned)position);
    assert_int_equal(world_session(&world, 1)->presence_position, position);
    world_run(&world, "1 presence from=1:1 stanza.kind=PRESENCE stanza.type=unavailable");
    world_run(&world, "1 presence from=1:1 stanza.kind=PRESENCE");
    assert_int_equal(world_session(&world, 1)->presence_position, 0);
    world_runf(&world, "1 notes acks.0=1:1:0:%u", (unsigned)position);
    assert_int_equal(world_session(&world, 1)->presence_position, 0);
    position = world.state->meta.next_position - 1;
    world_runf(&world, "1 notes acks.0=1:1:0:%u", (unsigned)position);
    assert_int_equal(world_session(&world, 1)->presence_position, position);
}

/* Goal: a connection that is cut before it confirmed leaves the old deadline running.
 * Method: detach an unconfirmed epoch later. */
static void test_a_cut_before_confirm_keeps_the_deadline(void **state)
{
    uint64_t deadline_ms;
    (void)state;

    resume(7);
    deadline_ms = world_session(&world, 1)->deadline_ms;
    world.now_ms += 20000;
    world_run(&world, "2 detach session=1 epoch=2");
    assert_int_equal(world_session(&world, 1)->deadline_ms, deadline_ms);
    assert_true(world_session(&world, 1)->detached);
}

/* Goal: one function knows whether a session is live; no row is touched when a node dies.
 * Method: ask before and after NodeDown, and look at the row. */
static void test_life(void **state)
{
    uint64_t deadline_ms;
    const Pb__SessionRow *row;
    (void)state;

    row = world_session(&world, 1);
    assert_int_equal(state_session_life(world.state, row, &deadline_ms), SESSION_LIVE);
    assert_int_equal(deadline_ms, 0);
    world_run(&world, "0 node_down incarnation=1");
    row = world_session(&world, 1);
    assert_int_equal(state_session_life(world.state, row, &deadline_ms), SESSION_DETACHED);
    assert_int_equal(deadline_ms, world.now_ms + WINDOW_MS);
    assert_false(row->detached);
    assert_int_equal(row->deadline_ms, 0);
    assert_int_equal(state_session_life(world.state, NULL, &deadline_ms), SESSION_GONE);
}

/* Goal: an incarnation is remembered until no session names it.
 * Method: resume the last session of a dead one elsewhere. */
static void test_a_dead_incarnation_is_forgotten_at_last(void **state)
{
    (void)state;
    world_run(&world, "0 node_down incarnation=1");
    assert_non_null(state_incarnation(world.state, &world.arena, 1));
    assert_true(state_has_deadlines(world.state));
    resume(7);
    assert_null(state_incarnation(world.state, &world.arena, 1));
}

/* ---- who may resume */

static void test_another_user_learns_nothing(void **state)
{
    char line[256];
    (void)state;

    (void)snprintf(line, sizeof(line),
                   "2 resume owner=2:0:7:1 user=bob@x resume_id=%s credential_version=$",
                   resume_id);
    world_expect(&world, line, "outcome resume-failed: not found\n");
    assert_int_equal(world_session(&world, 1)->epoch, 1);
    world_run(&world, "1 close from=1:1");
    world_expect(&world, line, "outcome resume-failed: not found\n"); /* nor from the tombstone */
}

/* Goal: a login against changed credentials is refused at apply. */
static void test_changed_credentials_are_refused(void **state)
{
    char line[256];
    const Pb__AccountRow *account = state_account(world.state, &world.arena, "alice@x");
    (void)state;

    (void)snprintf(line, sizeof(line),
                   "2 resume owner=2:0:7:1 user=alice@x resume_id=%s credential_version=%u",
                   resume_id, (unsigned)account->version);
    world_run(&world, "1 user_set user=alice@x");
    world_expect(&world, line, "outcome resume-failed: not authorized\n");
}

/* Goal: <failed h/> tells the count for a day after the end.
 * Method: close, resume; let the tombstone's deadline pass, resume again. */
static void test_a_tombstone_keeps_the_count(void **state)
{
    Pb__Expire due;
    (void)state;

    world_run(&world, "1 close from=1:1:1:1");
    assert_string_equal(resume(7), "outcome resume-failed: not found h=1\n");
    world.now_ms += STATE_TOMBSTONE_MS;
    assert_int_equal(state_due(world.state, &world.arena, world.now_ms, 10, &due), 2);
    world_runf(&world, "0 expire items.0=1:0:%u:SESSION_TOMBSTONE", (unsigned)world.now_ms);
    assert_string_equal(resume(7), "outcome resume-failed: not found\n");
    world_runf(&world, "0 expire items.0=1:0:%u:PRESENCE_TOMBSTONE",
               (unsigned)(1000 + STATE_PRESENCE_TOMBSTONE_MS));
    assert_false(state_has_deadlines(world.state));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_old_epoch_is_refused),
        TEST(test_another_node_is_refused),
        TEST(test_resumed_tells_the_count),
        TEST(test_a_gap_in_the_count_is_refused),
        TEST(test_confirm_completes_by_recorded_numbers),
        TEST(test_a_late_record_is_void),
        TEST(test_nothing_counts_before_confirm),
        TEST(test_a_second_resume_keeps_confirmed_numbers),
        TEST(test_confirm_only_once),
        TEST(test_numbers_wrap),
        TEST(test_a_record_is_announced),
        TEST(test_order_around_confirm),
        TEST(test_an_ack_reads_no_further),
        TEST(test_requests_stay_open),
        TEST(test_a_resume_after_the_deadline_is_refused),
        TEST(test_a_resume_at_the_deadline_is_taken),
        TEST(test_only_confirm_clears_the_deadline),
        TEST(test_expiry_names_the_epoch),
        TEST(test_expiry_names_the_deadline),
        TEST(test_a_detached_connection_is_refused),
        TEST(test_counts_and_acks_are_kept),
        TEST(test_initial_presence_starts_over),
        TEST(test_a_cut_before_confirm_keeps_the_deadline),
        TEST(test_life),
        TEST(test_a_dead_incarnation_is_forgotten_at_last),
        TEST(test_another_user_learns_nothing),
        TEST(test_changed_credentials_are_refused),
        TEST(test_a_tombstone_keeps_the_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
