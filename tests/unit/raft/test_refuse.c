/* What a node of the cluster can say to the others without stopping them: messages of a peer whose
 * certificate is good and whose words are not. */
#include "tests/unit/raft/lab.h"

struct lab_append lab_unfinished[LAB_UNFINISHED_MAX];

#define STRANGER 9 /* a node that is in nobody's configuration */

static int receive(struct lab *lab, int from, struct raft_message message)
{
    int to = (int)shim_node_of(message.server_id);
    struct wire_frame frame = {0};
    int rc;

    wire_encode(&message, lab_id(from), &frame);
    rc = shim_receive(lab->nodes[to].shim, (uint32_t)from, frame.parts[0]);
    wire_frame_deinit(&frame);
    return rc;
}

static struct raft_message request_vote(int from, int to, raft_term term)
{
    return (struct raft_message){
        .type = RAFT_IO_REQUEST_VOTE,
        .server_id = lab_id(to),
        .request_vote = {.term = term,
                         .candidate_id = lab_id(from),
                         .last_log_index = 1000,
                         .last_log_term = 1,
                         .disrupt_leader = true},
    };
}

static struct lab *lab_with_leader_2(unsigned guards_off)
{
    struct lab *lab = lab_new();

    lab_start(lab, guards_off);
    lab_elect(lab, 2, 3);
    lab_run(lab, 2, 3);
    assert_true(shim_leads(lab->nodes[2].shim));
    return lab;
}

/* Goal: defect 29: one message with a term near the last one takes the leader away for ever, as
 * libraft stores the term. Method: such a request to the leader; without the guard its term is
 * gone. A term that a node may honestly be behind by is heard. */
static void test_far_terms_are_refused(void **state)
{
    struct lab *lab = lab_with_leader_2(SHIM_GUARD_NUMBERS);
    raft_term term;
    (void)state;

    assert_int_equal(receive(lab, 3, request_vote(3, 2, WIRE_POSITION_MAX)), 0);
    assert_int_equal(lab->nodes[2].raft.current_term, WIRE_POSITION_MAX);
    assert_int_not_equal(lab->nodes[2].raft.state, RAFT_LEADER);
    lab_free(&lab);

    lab = lab_with_leader_2(0);
    term = lab->nodes[2].raft.current_term;
    assert_int_equal(receive(lab, 3, request_vote(3, 2, UINT64_MAX)), ERR_MALFORMED);
    assert_int_equal(receive(lab, 3, request_vote(3, 2, WIRE_POSITION_MAX)), ERR_LIMIT);
    assert_int_equal(receive(lab, 3, request_vote(3, 2, term + SHIM_TERM_AHEAD_MAX + 1)),
                     ERR_LIMIT);
    assert_int_equal(lab->nodes[2].raft.current_term, term);
    assert_true(shim_leads(lab->nodes[2].shim));
    assert_int_equal(receive(lab, 3, request_vote(3, 2, term + SHIM_TERM_AHEAD_MAX)), 0);
    assert_int_equal(lab->nodes[2].raft.current_term, term + SHIM_TERM_AHEAD_MAX);
    lab_free(&lab);
}

/* Goal: the limit holds for messages of every type. Method: one of each that has a body of numbers
 * alone. */
static void test_every_type_is_bounded(void **state)
{
    const raft_term term = SHIM_TERM_AHEAD_MAX + 100;
    const struct raft_message messages[] = {
        {.type = RAFT_IO_APPEND_ENTRIES, .append_entries = {.term = term}},
        {.type = RAFT_IO_APPEND_ENTRIES_RESULT, .append_entries_result = {.term = term}},
        {.type = RAFT_IO_REQUEST_VOTE_RESULT, .request_vote_result = {.term = term}},
        {.type = RAFT_IO_TIMEOUT_NOW, .timeout_now = {.term = term}},
    };
    struct lab *lab = lab_with_leader_2(0);
    raft_term before = lab->nodes[2].raft.current_term;
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(messages); i++) {
        struct raft_message message = messages[i];

        message.server_id = lab_id(2);
        assert_int_equal(receive(lab, 3, message), ERR_LIMIT);
        assert_int_equal(lab->nodes[2].raft.current_term, before);
    }
    lab_free(&lab);
}

/* Goal: a leader hears no second leader of its term; libraft would write over its own state.
 * Method: a heartbeat and a takeover of node 3 in the term of leader 2. */
static void test_second_leader_is_refused(void **state)
{
    struct lab *lab = lab_with_leader_2(0);
    raft_term term = lab->nodes[2].raft.current_term;
    const struct raft_message heartbeat = {
        .type = RAFT_IO_APPEND_ENTRIES, .server_id = lab_id(2), .append_entries = {.term = term}};
    const struct raft_message takeover = {
        .type = RAFT_IO_TIMEOUT_NOW, .server_id = lab_id(2), .timeout_now = {.term = term}};
    (void)state;

    assert_int_equal(receive(lab, 3, heartbeat), ERR_MALFORMED);
    assert_int_equal(receive(lab, 3, takeover), ERR_MALFORMED);
    assert_true(shim_leads(lab->nodes[2].shim));
    lab_run(lab, 2, 2);
    lab_free(&lab);
}

/* Goal: a node outside of the membership does not take the leader away: neither by answers that
 * nobody asked for, nor by the election at a leader's request, which is for voters.
 * Method: both to the leader, of a higher term. The same request of a voter is heard. */
static bool keeps_leader(unsigned guards_off, int from)
{
    struct lab *lab = lab_with_leader_2(guards_off);
    raft_term term = lab->nodes[2].raft.current_term;
    const struct raft_message answer = {.type = RAFT_IO_APPEND_ENTRIES_RESULT,
                                        .server_id = lab_id(2),
                                        .append_entries_result = {.term = term + 1}};
    bool keeps;

    assert_int_equal(receive(lab, STRANGER, answer), 0);
    assert_true(shim_leads(lab->nodes[2].shim));
    assert_int_equal(receive(lab, from, request_vote(from, 2, term + 1)), 0);
    keeps = lab->nodes[2].raft.current_term == term && shim_leads(lab->nodes[2].shim);
    lab_free(&lab);
    return keeps;
}

static void test_strangers_depose_nobody(void **state)
{
    (void)state;
    assert_false(keeps_leader(SHIM_GUARD_NUMBERS, STRANGER));
    assert_true(keeps_leader(0, STRANGER));
    assert_false(keeps_leader(0, 3));
}

/* Goal: a candidate that joined by an entry that this voter lacks still gets its vote (Ongaro's
 * thesis, 4.1). Method: a stranger's request to a follower whose leader is silent. */
static void test_unknown_candidate_is_heard(void **state)
{
    struct lab *lab = lab_new();
    struct wire_received answer;
    (void)state;

    lab_start(lab, 0);
    assert_int_equal(receive(lab, STRANGER, request_vote(STRANGER, 1, 5)), 0);
    lab_turn(lab);
    assert_int_equal(lab->mail_count, 1);
    assert_int_equal(wire_decode(slice_make(lab->mail[0].bytes, lab->mail[0].len), &answer), 0);
    assert_true(answer.message.request_vote_result.vote_granted);
    lab->mail[0].to = 0; /* there is no such node in the lab */
    lab_free(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_far_terms_are_refused),
        cmocka_unit_test(test_every_type_is_bounded),
        cmocka_unit_test(test_second_leader_is_refused),
        cmocka_unit_test(test_strangers_depose_nobody),
        cmocka_unit_test(test_unknown_candidate_is_heard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
