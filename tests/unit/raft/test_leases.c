/* Who may serve, and until when (P6, DESIGN 7): the frames around leases between rlogs made by hand
 * (hand.h), and one schedule of an old leader beside a new one. */
#include "tests/unit/raft/hand.h"

#define TERM 5

static void send_probe(uint32_t from, uint32_t to, uint64_t term, uint64_t lease_ms)
{
    const struct lease_probe probe = {.term = term, .sent_ms = hand->now_ms, .lease_ms = lease_ms};
    struct buf bytes = BUF_EMPTY;

    lease_probe_encode(&probe, LINK_VERSION, &bytes);
    hand_give_take(from, to, FRAME_LEASE_PROBE, &bytes);
}

/* An answer to the probe that the asked node sends just now, or ask.probe_ms later. */
static void send_ask(uint32_t from, uint32_t to, struct lease_ask ask)
{
    struct buf bytes = BUF_EMPTY;

    ask.probe_ms += hand->now_ms + hand->nodes[to].clock_ahead_ms;
    ask.sent_ms = hand->now_ms + hand->nodes[from].clock_ahead_ms;
    ask.incarnation = ask.incarnation == 0 ? hand_incarnation(from) : ask.incarnation;
    lease_ask_encode(&ask, LINK_VERSION, &bytes);
    hand_give_take(from, to, FRAME_LEASE_ASK, &bytes);
}

/* Node 1 leads, and all others know it. */
static void lead_all(void)
{
    hand_init();
    for (uint32_t i = 1; i <= HAND_NODES; i++) {
        hand_follow(i, 1, TERM);
    }
}

/* Everyone but node 2 answers node 1, which then looks who is silent. */
static void answer_all(void)
{
    for (uint32_t i = 3; i <= HAND_NODES; i++) {
        send_ask(i, 1, (struct lease_ask){.term = TERM});
    }
    hand_beat(1);
}

/* Goal: who has seen a later term may have voted, and answers the old leader no more; nor does who
 * has not heard yet that the one that asks was elected. Method: probes of three terms. */
static void test_only_the_own_term_is_answered(void **state)
{
    (void)state;
    hand_init();
    hand_follow(3, 0, TERM);
    send_probe(1, 3, TERM - 1, HAND_LEASE_MS);
    send_probe(2, 3, TERM + 1, HAND_LEASE_MS);
    assert_int_equal(hand->mail_count, 0);
    send_probe(2, 3, TERM, HAND_LEASE_MS);
    assert_int_equal(hand_count(3, 2, FRAME_LEASE_ASK), 1);
    hand_deinit();
}

/* Goal: a leader counts no answer of a node that has seen another term, and grants it nothing.
 * Method: a majority that answers in the terms before and after; then in its own. */
static void test_only_the_own_term_counts(void **state)
{
    (void)state;
    hand_init();
    hand_follow(1, 1, TERM);
    for (uint32_t i = 2; i <= HAND_NODES; i++) {
        send_ask(i, 1, (struct lease_ask){.term = TERM + 1});
        send_ask(i, 1, (struct lease_ask){.term = TERM - 1});
    }
    assert_false(hand_holds(1));
    hand_beat(1);
    assert_false(hand_holds(1));
    send_ask(2, 1, (struct lease_ask){.term = TERM});
    assert_int_equal(hand_count(1, 2, FRAME_LEASE_GRANT), 0); /* two of five */
    send_ask(3, 1, (struct lease_ask){.term = TERM});
    assert_true(hand_holds(1));
    assert_int_equal(hand_count(1, 3, FRAME_LEASE_GRANT), 1);
    hand_deinit();
}

/* Goal: no node makes a leader's lease longer than it is by an answer to what was not asked yet.
 * Method: a majority that answers the probe of the next millisecond. */
static void test_no_answer_before_the_probe(void **state)
{
    (void)state;
    hand_init();
    hand_follow(1, 1, TERM);
    send_ask(2, 1, (struct lease_ask){.term = TERM, .probe_ms = 1});
    send_ask(3, 1, (struct lease_ask){.term = TERM, .probe_ms = 1});
    assert_false(hand_holds(1));
    hand_deinit();
}

/* Goal: a leader that is elected again has no lease by answers of before: others led meanwhile.
 * Method: a lease, an election of another node, one of its own, all within the lease. */
static void test_elected_again_holds_nothing(void **state)
{
    (void)state;
    lead_all();
    hand_beat(1);
    hand_deliver(0);
    assert_true(hand_holds(1));
    atomic_store(&hand_rlog(1)->lease_end_ms, 0);
    hand_follow(1, 2, TERM + 1);
    hand->now_ms += HAND_LEASE_MS / 4;
    hand_follow(1, 1, TERM + 2);
    hand_beat(1);
    assert_false(hand_holds(1));
    hand_deinit();
}

/* Goal: the only voter of a cluster goes on serving while a second one joins it, which is asked at
 * once; but not if that does not answer until the next beat: it may mean something else by a lease.
 * Method: a second voter in the book that answers nothing, or not as asked; then the probe. */
static void test_a_voter_that_joins_takes_no_lease(void **state)
{
    struct lease_book *book;
    unsigned before;
    (void)state;

    hand_init();
    hand_follow(1, 1, TERM);
    book = &hand_rlog(1)->leases;
    lease_clear_members(book, true);
    hand_beat(1);
    assert_true(hand_holds(1));
    lease_add_member(book, 2, true, hand->now_ms);
    before = hand_count(1, 2, FRAME_LEASE_PROBE);
    rlog_lease_members(hand_rlog(1));
    assert_int_equal(hand_count(1, 2, FRAME_LEASE_PROBE), before + 1);
    send_ask(2, 1, (struct lease_ask){.term = TERM, .probe_ms = 1});
    assert_true(hand_holds(1));
    hand->now_ms += HAND_BEAT_MS;
    hand_beat(1);
    assert_false(hand_holds(1));
    send_ask(2, 1, (struct lease_ask){.term = TERM});
    assert_true(hand_holds(1));
    hand_deinit();
}

/* Goal: a new leader saw nobody before its election: it presumes nobody dead for a lease and the
 * drift from there on. Method: an election after a long time without news. */
static void test_elected_presumes_nobody_dead(void **state)
{
    (void)state;
    hand_init();
    hand->now_ms += 100 * HAND_LEASE_MS;
    hand_follow(1, 1, TERM);
    answer_all();
    assert_int_equal(hand->nodes[1].told_count, 0);
    hand->now_ms += HAND_LEASE_MS + HAND_DRIFT_MS;
    answer_all();
    assert_int_equal(hand->nodes[1].told_count, 0);
    hand->now_ms++;
    hand_beat(1);
    assert_int_equal(hand->nodes[1].told_count, 1);
    assert_int_equal(hand->nodes[1].presumed_dead[2], hand_incarnation(2));
    hand_deinit();
}

/* Goal: a leader that hung presumes nobody dead for the silence that it did not listen to.
 * Method: a gap of many leases between two beats, and a silence that begins with its end. */
static void test_hung_leader_presumes_nobody_dead(void **state)
{
    (void)state;
    lead_all();
    hand_beat(1);
    hand_deliver(0);
    hand->now_ms += 10 * HAND_LEASE_MS;
    hand_beat(1);
    assert_int_equal(hand->nodes[1].told_count, 0);
    hand->now_ms += HAND_LEASE_MS + HAND_DRIFT_MS;
    answer_all();
    assert_int_equal(hand->nodes[1].told_count, 0);
    hand->now_ms++;
    answer_all();
    assert_int_equal(hand->nodes[1].told_count, 1);
    assert_int_equal(hand->nodes[1].presumed_dead[2], hand_incarnation(2));
    hand_deinit();
}

/* Goal: a node that was away for long is not presumed dead for the silence before its new life,
 * which has a lease and the drift of its own; nor does it count as one that answered. Method: node
 * 2 is silent until it is presumed dead, and lives again much later, without a word yet. */
static void test_a_new_life_is_not_judged_by_the_old(void **state)
{
    struct lease_book *book;
    (void)state;

    lead_all();
    book = &hand_rlog(1)->leases;
    answer_all();
    hand->now_ms += HAND_LEASE_MS + HAND_DRIFT_MS + 1;
    answer_all();
    assert_int_equal(hand->nodes[1].presumed_dead[2], hand_incarnation(2));
    lease_set_incarnation(book, 2, 0);
    for (int k = 0; k < 60; k++) {
        hand->now_ms += HAND_BEAT_MS;
        answer_all();
    }
    lease_set_incarnation(book, 2, 22);
    answer_all();
    assert_int_equal(hand->nodes[1].told_count, 1);
    assert_false(lease_answers(book, 2, hand->now_ms));
    hand->now_ms += HAND_LEASE_MS + HAND_DRIFT_MS;
    lease_set_incarnation(book, 2, 22); /* told again: the same life */
    answer_all();
    assert_int_equal(hand->nodes[1].told_count, 1);
    hand->now_ms++;
    answer_all();
    assert_int_equal(hand->nodes[1].told_count, 2);
    assert_int_equal(hand->nodes[1].presumed_dead[2], 22);
    hand_deinit();
}

/* Goal: a leader that has not applied what earlier terms left knows neither who is up nor whose
 * death is decided: it serves nobody, grants nothing, presumes nobody dead. Method: a majority
 * answers while the state thread is one entry behind the no-op, while the no-op is not committed,
 * and while libraft has stepped down behind our back; node 2 is silent. */
static void test_no_lease_before_all_is_applied(void **state)
{
    struct rlog *rlog;
    (void)state;

    hand_init();
    rlog = hand_rlog(1);
    rlog->raft.last_applied = 8;
    rlog->store_index = 7;
    hand_follow(1, 1, TERM);
    answer_all();
    hand->now_ms += HAND_LEASE_MS + HAND_DRIFT_MS + 1;
    answer_all();
    assert_false(hand_holds(1));
    assert_int_equal(hand_count(1, 3, FRAME_LEASE_GRANT), 0);
    assert_int_equal(hand->nodes[1].told_count, 0);

    rlog->store_index = 8;
    rlog->raft.state = RAFT_FOLLOWER;
    answer_all();
    assert_false(hand_holds(1));
    assert_int_equal(hand_count(1, 3, FRAME_LEASE_GRANT), 0);
    assert_int_equal(hand->nodes[1].told_count, 0);

    rlog->raft.state = RAFT_LEADER;
    hand->nodes[1].shim.ready_term = TERM - 1;
    answer_all();
    assert_false(hand_holds(1));
    assert_int_equal(hand_count(1, 3, FRAME_LEASE_GRANT), 0);

    hand->nodes[1].shim.ready_term = TERM;
    answer_all();
    assert_true(hand_holds(1));
    assert_int_equal(hand_count(1, 3, FRAME_LEASE_GRANT), 1);
    assert_int_equal(hand->nodes[1].presumed_dead[2], hand_incarnation(2));
    hand_deinit();
}

/* Goal: a lease goes to the incarnation that is up, and never to one that was presumed dead, even
 * if it is heard again. Method: node 2 is silent and comes back; node 3 asks for another life. */
static void test_no_grant_to_the_dead(void **state)
{
    (void)state;
    lead_all();
    hand->now_ms += HAND_LEASE_MS + HAND_DRIFT_MS + 1;
    answer_all();
    assert_int_equal(hand->nodes[1].presumed_dead[2], hand_incarnation(2));
    send_ask(2, 1, (struct lease_ask){.term = TERM});
    assert_int_equal(hand_count(1, 2, FRAME_LEASE_GRANT), 0);
    assert_int_equal(hand_count(1, 5, FRAME_LEASE_GRANT), 1);
    send_ask(5, 1, (struct lease_ask){.term = TERM, .incarnation = 50});
    assert_int_equal(hand_count(1, 5, FRAME_LEASE_GRANT), 1);
    lease_set_incarnation(&hand_rlog(1)->leases, 2, 22); /* its next life is applied */
    send_ask(2, 1, (struct lease_ask){.term = TERM, .incarnation = 22});
    assert_int_equal(hand_count(1, 2, FRAME_LEASE_GRANT), 1);
    hand_deinit();
}

static void send_grant(struct lease_grant grant)
{
    struct buf bytes = BUF_EMPTY;

    lease_grant_encode(&grant, &bytes);
    hand_give_take(1, 2, FRAME_LEASE_GRANT, &bytes);
}

/* What node 2 would get for an ask that it sends now. */
static struct lease_grant good_grant(void)
{
    return (struct lease_grant){.term = TERM,
                                .ask_ms = hand->now_ms + hand->nodes[2].clock_ahead_ms,
                                .incarnation = hand_rlog(2)->origin.incarnation,
                                .remaining_ms = HAND_LEASE_MS};
}

/* Goal: a life that its node gave up is over at once: the node says so, the leader has it ended
 * without waiting for silence and grants it nothing; grants that are under way come too late.
 * Method: node 2 leaves; a grant arrives before its raft thread knows, and one after. */
static void test_a_life_given_up(void **state)
{
    (void)state;
    lead_all();
    hand_beat(1);
    hand_deliver(0);
    assert_true(hand_holds(2));
    rlog_leave(hand_rlog(2));
    assert_false(hand_holds(2));
    send_grant(good_grant());
    hand_execute_orders(2);
    assert_false(hand_holds(2));
    send_grant(good_grant());
    assert_false(hand_holds(2));
    hand_deliver(0); /* its ask */
    assert_int_equal(hand->nodes[1].told_count, 1);
    assert_int_equal(hand->nodes[1].presumed_dead[2], hand_incarnation(2));
    assert_int_equal(hand_count(1, 2, FRAME_LEASE_GRANT), 1);
    hand_deinit();
}

/* Goal: a new life has no lease of the one before it, gets its own without waiting for a probe, and
 * is not held for given up because that one was. Method: node 2 leaves and lives again. */
static void test_a_new_life(void **state)
{
    (void)state;
    lead_all();
    rlog_leave(hand_rlog(2));
    hand_execute_orders(2);
    for (uint64_t incarnation = 22; incarnation <= 23; incarnation++) {
        rlog_set_incarnation(hand_rlog(2), incarnation);
        assert_false(hand_holds(2));
        lease_set_incarnation(&hand_rlog(1)->leases, 2, incarnation);
        hand_beat(1);
        hand_deliver(0); /* so that node 1 has a lease to grant from */
        assert_false(hand_holds(2));
        hand_execute_orders(2);
        hand_deliver(0);
        assert_true(hand_holds(2));
    }
    hand_deinit();
}

/* Goal: a grant counts for the life that asked for it alone, from when it asked, and not for longer
 * than a lease. Method: one that is good, and each lie. */
static void test_grants_that_can_not_be(void **state)
{
    struct lease_grant good;
    struct lease_grant bad[4];
    (void)state;

    lead_all();
    good = good_grant();
    for (size_t i = 0; i < 4; i++) {
        bad[i] = good;
    }
    bad[0].term--;
    bad[1].ask_ms++;
    bad[2].incarnation--;
    bad[3].remaining_ms++;
    for (size_t i = 0; i < 4; i++) {
        send_grant(bad[i]);
        assert_false(hand_holds(2));
    }
    hand->now_ms += HAND_LEASE_MS - 1;
    send_grant(good);
    assert_true(hand_holds(2));
    hand->now_ms++;
    assert_false(hand_holds(2));
    hand_deinit();
}

/* Goal: who counts on another length of a lease than the leader promises it nothing: its successor
 * would not wait for it. Method: a probe with each length; what says none is answered. */
static void test_no_promise_to_another_length(void **state)
{
    const struct {
        uint64_t lease_ms;
        bool is_promised;
    } cases[] = {{HAND_LEASE_MS, true}, {HAND_LEASE_MS + 1, false}, {0, true}};
    struct lease_ask ask;
    (void)state;

    hand_init();
    hand_follow(2, 1, TERM);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        send_probe(1, 2, TERM, cases[i].lease_ms);
        assert_int_equal(hand->mail_count, i + 1);
        assert_int_equal(lease_ask_decode(slice_make(hand->mail[i].bytes, hand->mail[i].len), &ask),
                         0);
        assert_int_equal(ask.probe_ms != 0, cases[i].is_promised);
        assert_int_equal(hand_rlog(2)->lease_differs, !cases[i].is_promised);
    }
    hand_deinit();
}

/* The schedule of two leaders: 1 leads all five, and is then cut off from Raft's messages, not from
 * those of leases; node 4 is cut off with it. Nodes 3 and 5 vote for 2, which leads from then on.
 */
struct schedule {
    uint64_t delay_ms;    /* of every frame */
    uint64_t election_ms; /* after the beginning */
};

static void run_for(uint64_t span_ms, uint64_t delay_ms)
{
    const uint64_t ends_ms = hand->now_ms + span_ms;

    while (hand->now_ms < ends_ms) {
        hand->now_ms++;
        hand_deliver(delay_ms);
        for (uint32_t i = 1; i <= HAND_NODES; i++) {
            if ((hand->now_ms + i * 50) % HAND_BEAT_MS == 0) {
                hand_beat(i);
            }
        }
        /* The promise: whom the new leader presumes dead does not serve. */
        for (uint32_t i = 1; i <= HAND_NODES; i++) {
            assert_false(hand->nodes[2].presumed_dead[i] != 0 && hand_holds(i));
        }
    }
}

static void run_two_leaders(const struct schedule *schedule)
{
    lead_all();
    run_for(schedule->election_ms, schedule->delay_ms);
    for (uint32_t i = 1; i <= HAND_NODES; i++) {
        assert_true(hand_holds(i));
    }
    for (uint32_t i = 2; i <= HAND_NODES; i++) {
        if (i != 4) {
            hand_follow(i, 2, TERM + 1);
        }
    }
    run_for(HAND_LEASE_MS, schedule->delay_ms);
    assert_false(hand_holds(1));
    assert_false(hand_holds(4));
    assert_true(hand_holds(2));
    assert_true(hand_holds(3));
    assert_int_equal(hand->nodes[2].told_count, 0);
    run_for(HAND_LEASE_MS, schedule->delay_ms);
    assert_int_equal(hand->nodes[2].presumed_dead[1], hand_incarnation(1));
    assert_int_equal(hand->nodes[2].presumed_dead[4], hand_incarnation(4));
    assert_int_equal(hand->nodes[2].presumed_dead[3], 0);
    assert_int_equal(hand->nodes[2].presumed_dead[5], 0);
    hand_deinit();
}

/* Goal: the lease of an old leader, and each that it granted, ends before the new leader may
 * presume anyone dead (P6), though those that voted on still hear the old one, and it them.
 * Method: two leaders side by side, every millisecond looked at; frames that are fast and slow, an
 * election in each part of a beat. */
static void test_old_leader_ends_before_it_is_presumed_dead(void **state)
{
    (void)state;
    for (uint64_t delay_ms = 0; delay_ms <= 60; delay_ms += 30) {
        for (uint64_t beat_ms = 0; beat_ms < HAND_BEAT_MS; beat_ms += HAND_BEAT_MS / 3) {
            run_two_leaders(&(struct schedule){.delay_ms = delay_ms,
                                               .election_ms = 2 * HAND_LEASE_MS + beat_ms});
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_own_term_is_answered),
        cmocka_unit_test(test_only_the_own_term_counts),
        cmocka_unit_test(test_no_answer_before_the_probe),
        cmocka_unit_test(test_elected_again_holds_nothing),
        cmocka_unit_test(test_a_voter_that_joins_takes_no_lease),
        cmocka_unit_test(test_elected_presumes_nobody_dead),
        cmocka_unit_test(test_hung_leader_presumes_nobody_dead),
        cmocka_unit_test(test_a_new_life_is_not_judged_by_the_old),
        cmocka_unit_test(test_no_lease_before_all_is_applied),
        cmocka_unit_test(test_no_grant_to_the_dead),
        cmocka_unit_test(test_a_life_given_up),
        cmocka_unit_test(test_a_new_life),
        cmocka_unit_test(test_grants_that_can_not_be),
        cmocka_unit_test(test_no_promise_to_another_length),
        cmocka_unit_test(test_old_leader_ends_before_it_is_presumed_dead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
