/* The way of commands to whoever leads, and into its log: between rlogs made by hand (hand.h). What
 * is lost on the way goes again (exactly once is the business of their numbers), and nothing goes
 * to a leader that it is not meant for. */
#include "tests/unit/raft/hand.h"

#include "raft/member/codec.h"
#include "raft/member/member.h"

#define TERM 5

int __wrap_raft_apply(struct raft *r, struct raft_apply *request, const struct raft_buffer bufs[],
                      unsigned n, raft_apply_cb cb);
int __wrap_raft_transfer(struct raft *r, struct raft_transfer *request, raft_id id,
                         raft_transfer_cb cb);

static unsigned proposed_count;
static unsigned transfer_count;
static struct raft_transfer *transfer; /* the last one, and its callback */
static raft_transfer_cb transfer_cb;

int __wrap_raft_apply(struct raft *r, struct raft_apply *request, const struct raft_buffer bufs[],
                      unsigned n, raft_apply_cb cb)
{
    (void)r;
    (void)request;
    (void)cb;
    assert_int_equal(n, 1);
    raft_free(bufs[0].base);
    proposed_count++;
    return 0;
}

int __wrap_raft_transfer(struct raft *r, struct raft_transfer *request, raft_id id,
                         raft_transfer_cb cb)
{
    (void)r;
    (void)id;
    transfer = request;
    transfer_cb = cb;
    transfer_count++;
    return 0;
}

/* Node 1 leads, and node 2 knows it. */
static void lead(void)
{
    hand_init();
    hand_follow(1, 1, TERM);
    hand_follow(2, 1, TERM);
}

static void submit(uint32_t node_id, const char *text)
{
    origin_add_take(&hand_rlog(node_id)->origin, own_command_new(slice_str(text)));
}

static void send_commands(uint32_t node_id)
{
    hand->at_work = &hand->nodes[node_id];
    rlog_send_commands(hand_rlog(node_id));
    hand->at_work = NULL;
}

static unsigned forward_count(void)
{
    send_commands(2);
    return hand_count(2, 1, FRAME_FORWARD);
}

static void forward(uint64_t term)
{
    const struct forward_command command = {
        .incarnation = hand_incarnation(2), .seq = 1, .bytes = slice_str("x")};
    struct buf frame = BUF_EMPTY;

    forward_begin(term, &frame);
    forward_add(&command, &frame);
    hand_give_take(2, 1, FRAME_FORWARD, &frame);
}

/* Goal: what was meant for the leader of another term is left to its origin, which sends everything
 * to this one from its first command on. Method: frames of three terms, and one more to a node that
 * leads no more. */
static void test_frames_of_another_term_are_dropped(void **state)
{
    (void)state;
    lead();
    forward(TERM - 1);
    forward(TERM + 1);
    assert_int_equal(hand_rlog(1)->intake.count, 0);
    forward(TERM);
    assert_int_equal(hand_rlog(1)->intake.count, 1);
    hand_follow(1, 0, TERM); /* it stepped down */
    forward(TERM);
    assert_int_equal(hand_rlog(1)->intake.count, 0);
    hand_deinit();
}

/* Goal: what waited for an earlier term of ours does not go into the log of this one, beside what
 * its origins send again; what came for this one stays. Method: a command before an election, and
 * one that arrives when libraft has won it and the turn has not noticed yet. */
static void test_elected_leader_begins_with_nothing(void **state)
{
    struct rlog *rlog;
    (void)state;

    lead();
    rlog = hand_rlog(1);
    forward(TERM);
    hand_follow(1, 1, TERM + 1);
    assert_int_equal(rlog->intake.count, 0);
    rlog->raft.current_term = TERM + 2;
    hand->nodes[1].shim.ready_term = TERM + 2;
    forward(TERM + 2);
    hand_follow(1, 1, TERM + 2);
    assert_int_equal(rlog->intake.count, 1);
    hand_deinit();
}

/* Goal: a new leader, and the same in a new term, gets everything that is not known to be applied.
 * Method: one command, three leaders. */
static void test_new_leader_gets_all_again(void **state)
{
    (void)state;
    lead();
    submit(2, "x");
    assert_int_equal(forward_count(), 1);
    assert_int_equal(forward_count(), 1);
    hand_follow(2, 3, TERM + 1);
    (void)forward_count();
    assert_int_equal(hand_count(2, 3, FRAME_FORWARD), 1);
    hand_follow(2, 1, TERM + 2);
    assert_int_equal(forward_count(), 2);
    hand_follow(2, 1, TERM + 3);
    assert_int_equal(forward_count(), 3);
    hand_deinit();
}

/* The first command in the last frame that node 2 sent. */
static void assert_forwarded(uint64_t seq, const char *text)
{
    const struct hand_mail *mail = &hand->mail[hand->mail_count - 1];
    struct slice bytes = slice_make(mail->bytes, mail->len);
    struct forward_command command;
    uint64_t term;

    assert_int_equal(mail->type, FRAME_FORWARD);
    assert_int_equal(forward_open(&bytes, &term), 0);
    assert_int_equal(forward_next(&bytes, &command), 1);
    assert_int_equal(command.seq, seq);
    assert_true(slice_eq_str(command.bytes, text));
}

/* Goal: a command that lost its sense on its way goes to no further leader; what stands for it
 * does, and what is outstanding is counted right. Method: one that is replaced when the leader has
 * got it: nothing goes until there is another leader. */
static void test_what_was_replaced_goes_to_no_further_leader(void **state)
{
    struct rlog *rlog;
    (void)state;

    lead();
    rlog = hand_rlog(2);
    rlog->incarnation = hand_incarnation(2);
    assert_int_equal(rlog_submit(rlog, slice_str("bind")), 0);
    rlog_execute_orders(rlog);
    assert_int_equal(forward_count(), 1);
    assert_forwarded(1, "bind");
    rlog_replace(rlog, slice_str("bind"), slice_str("nothing"));
    rlog_execute_orders(rlog);
    assert_int_equal(forward_count(), 1);
    assert_int_equal(rlog->outstanding_count, 1);
    assert_int_equal(rlog->outstanding_bytes, strlen("nothing"));
    hand_follow(2, 1, TERM + 1);
    assert_int_equal(forward_count(), 2);
    assert_forwarded(1, "nothing");
    hand_deinit();
}

/* Goal: a command that a leader lost, or had no room for, goes again after a while, and not all the
 * time. Method: time passes while nothing is applied; then a later one is the oldest. */
static void test_lost_command_goes_again(void **state)
{
    uint64_t sent_ms;
    uint64_t again_ms;
    (void)state;

    lead();
    submit(2, "x");
    sent_ms = hand->now_ms;
    assert_int_equal(forward_count(), 1);
    while (forward_count() == 1 && hand->now_ms < sent_ms + 60000) {
        hand->now_ms += 100;
    }
    assert_int_equal(forward_count(), 2);
    again_ms = hand->now_ms - sent_ms;
    assert_true(again_ms >= 1000);

    submit(2, "y");
    assert_int_equal(forward_count(), 3);
    hand->now_ms += again_ms - 100;
    origin_applied(&hand_rlog(2)->origin, 1);
    assert_int_equal(forward_count(), 3);
    hand->now_ms += 100;
    assert_int_equal(forward_count(), 3); /* it waits its own time */
    hand_deinit();
}

/* Goal: START goes again until its node lives. Method: as before. */
static void test_lost_start_goes_again(void **state)
{
    uint64_t sent_ms;
    (void)state;

    lead();
    origin_set_start_take(&hand_rlog(2)->origin, own_command_new(slice_str("start")));
    sent_ms = hand->now_ms;
    assert_int_equal(forward_count(), 1);
    while (forward_count() == 1 && hand->now_ms < sent_ms + 60000) {
        hand->now_ms += 100;
    }
    assert_int_equal(forward_count(), 2);
    assert_true(hand->now_ms >= sent_ms + 500);
    origin_begin(&hand_rlog(2)->origin, 22);
    hand->now_ms += 60000;
    assert_int_equal(forward_count(), 2);
    hand_deinit();
}

/* Goal: what was under way on a link that broke goes again on the next one, without waiting.
 * Method: the link to the leader comes back, and that to another node. */
static void test_new_link_to_the_leader_gets_all_again(void **state)
{
    struct rlog *rlog;
    (void)state;

    lead();
    rlog = hand_rlog(2);
    assert_int_equal(rlog_open_links(rlog), 0);
    submit(2, "x");
    assert_int_equal(forward_count(), 1);
    hand->link_events.on_up(rlog, 3);
    assert_int_equal(forward_count(), 1);
    hand->link_events.on_up(rlog, 1);
    assert_int_equal(forward_count(), 2);
    hand_deinit();
}

static bool answers(void *ctx, raft_id id)
{
    (void)ctx;
    (void)id;
    return true;
}

static void on_transferred(void *ctx, int status)
{
    *(int *)ctx = status;
}

static uint32_t asked_node; /* the last one that was asked for something; 0: none */

static bool send_ask(void *ctx, uint32_t node_id, bool is_ask, struct slice bytes)
{
    (void)ctx;
    (void)bytes;
    assert_true(is_ask);
    asked_node = node_id;
    return true;
}

/* Node 1 of two that share five entries, of which node 2 acknowledged three, is asked to hand on.
 */
static void begin_transfer(struct raft_progress progress[2], raft_id to, raft_term term,
                           int *status)
{
    const struct member_request request = {.kind = MEMBER_TRANSFER, .id = to, .term = term};
    struct rlog *rlog = hand_rlog(1);
    struct raft *raft = &rlog->raft;

    raft->log.offset = 5;
    progress[1].match_index = 3;
    raft->leader_state.progress = progress;
    for (uint32_t i = 1; i <= 2; i++) {
        assert_int_equal(raft_configuration_add(&raft->configuration, hand_rlog(i)->raft.id,
                                                i == 1 ? "a" : "b", RAFT_VOTER),
                         0);
    }
    asked_node = 0;
    rlog->members = member_new(&(struct member_config){
        .raft = raft, .shim = rlog->shim, .send = send_ask, .answers = answers});
    member_change(rlog->members, &request, on_transferred, status, hand->now_ms);
    member_turn(rlog->members, 1, hand->now_ms);
}

static void turn(void)
{
    struct rlog *rlog = hand_rlog(1);

    member_turn(rlog->members, rlog->role.leader_node, hand->now_ms);
    rlog_propose(rlog);
}

static void end_transfer(void)
{
    member_free(&hand_rlog(1)->members);
    raft_configuration_close(&hand_rlog(1)->raft.configuration);
    hand_deinit();
}

/* Goal: defect 11: nobody is asked to take over with entries that it has not written: from the
 * request on none are added, and who takes over has them all. Method: a command waits while node 2
 * lags behind, and has caught up. */
static void test_nothing_is_proposed_during_a_transfer(void **state)
{
    struct raft_progress progress[2] = {0};
    int status = 1;
    (void)state;

    proposed_count = transfer_count = 0;
    lead();
    begin_transfer(progress, 0, 0, &status);
    forward(TERM);
    turn();
    assert_int_equal(transfer_count, 0);
    progress[1].match_index = 5;
    turn();
    turn();
    assert_int_equal(transfer_count, 1);
    assert_int_equal(proposed_count, 0);
    end_transfer();
    assert_int_equal(status, ERR_CLOSED);
}

/* Goal: a node that never catches up does not hold the log for ever. Method: its time passes. */
static void test_a_transfer_in_vain_ends(void **state)
{
    struct raft_progress progress[2] = {0};
    int status = 1;
    (void)state;

    proposed_count = transfer_count = 0;
    lead();
    begin_transfer(progress, 0, 0, &status);
    forward(TERM);
    hand->now_ms += MEMBER_TRANSFER_MS - 1;
    turn();
    assert_int_equal(proposed_count, 0);
    hand->now_ms++;
    turn();
    assert_int_equal(status, ERR_TIMEOUT);
    assert_int_equal(transfer_count, 0);
    assert_int_equal(proposed_count, 1);
    end_transfer();
}

/* Node 1 is asked to hand on to node 2, by its own decision in this term (0: by anybody), and leads
 * no more, before or after it asked node 2 to take over. Nobody leads yet. */
static void lose_leadership(raft_term term, bool is_under_way, int *status)
{
    struct raft_progress progress[2] = {0};

    lead();
    begin_transfer(progress, hand_rlog(2)->raft.id, term, status);
    if (is_under_way) {
        progress[1].match_index = 5;
        turn();
    }
    hand_follow(1, 0, TERM + 1);
    if (is_under_way) {
        transfer_cb(transfer);
    }
    turn();
    assert_int_equal(*status, 1);
}

/* Goal: a transfer is done when the node leads that was to, and not when any other one does.
 * Method: leadership that is lost before and after libraft is at it, to either. */
static void test_a_transfer_to_another_one(void **state)
{
    int status;
    (void)state;

    for (unsigned is_under_way = 0; is_under_way < 2; is_under_way++) {
        for (uint32_t heir = 2; heir <= 3; heir++) {
            status = 1;
            lose_leadership(TERM, is_under_way, &status);
            hand_follow(1, heir, TERM + 1);
            turn();
            assert_int_equal(status, heir == 2 ? 0 : ERR_NOT_LEADER);
            end_transfer();
        }
    }
}

/* Goal: what an operator asked for is asked of whoever leads then, within its time.
 * Method: node 3 leads, and has node 2 lead; in the second run nobody ever does. */
static void test_a_transfer_is_asked_for_again(void **state)
{
    const struct member_answer done = {.number = 1, .status = 0};
    struct buf bytes = BUF_EMPTY;
    int status = 1;
    (void)state;

    lose_leadership(0, true, &status);
    hand_follow(1, 3, TERM + 1);
    turn();
    assert_int_equal(status, 1);
    assert_int_equal(asked_node, 3);
    member_answer_encode(&done, &bytes);
    assert_int_equal(member_on_frame(hand_rlog(1)->members, 3, false, buf_slice(&bytes)), 0);
    assert_int_equal(status, 0);
    buf_deinit(&bytes);
    end_transfer();

    status = 1;
    lose_leadership(0, true, &status);
    hand->now_ms += MEMBER_TIME_MS - 1;
    turn();
    assert_int_equal(status, 1);
    hand->now_ms++;
    turn();
    assert_int_equal(status, ERR_TIMEOUT);
    assert_int_equal(asked_node, 0);
    end_transfer();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_of_another_term_are_dropped),
        cmocka_unit_test(test_elected_leader_begins_with_nothing),
        cmocka_unit_test(test_new_leader_gets_all_again),
        cmocka_unit_test(test_what_was_replaced_goes_to_no_further_leader),
        cmocka_unit_test(test_lost_command_goes_again),
        cmocka_unit_test(test_lost_start_goes_again),
        cmocka_unit_test(test_new_link_to_the_leader_gets_all_again),
        cmocka_unit_test(test_nothing_is_proposed_during_a_transfer),
        cmocka_unit_test(test_a_transfer_in_vain_ends),
        cmocka_unit_test(test_a_transfer_to_another_one),
        cmocka_unit_test(test_a_transfer_is_asked_for_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
