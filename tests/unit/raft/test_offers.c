/* From whom a node takes an offered snapshot (raft/shim/shim). */
#include "tests/unit/raft/lab.h"

struct lab_append lab_unfinished[LAB_UNFINISHED_MAX];

/* Goal: defect 29: who does not lead offers nothing, and what was offered before this node knew
 * better counts no more: it could keep the node from serving for ever. Method: an offer by node 1
 * before node 3 knows its leader 2, and after it; one by node 2, and then a later term. */
static void test_only_the_leader_offers(void **state)
{
    struct lab *lab = lab_new();
    struct lab_node *node = &lab->nodes[3];
    (void)state;

    lab_start(lab, 0);
    lab_offer(lab, 1, 3, 4, 1000, 4);
    assert_int_equal(node->offered, 1000);
    assert_true(shim_keeps_offer(node->shim));
    lab_elect(lab, 2, 1);
    lab_run(lab, 2, 2);
    assert_int_equal(node->raft.follower_state.current_leader.id, lab_id(2));
    assert_false(shim_keeps_offer(node->shim));
    assert_true(shim_install_snapshot(node->shim)); /* none */
    assert_null(node->snapshot.request);
    lab_offer(lab, 1, 3, 9, 2000, 9);
    assert_int_equal(node->offered, 1000);
    lab_offer(lab, 2, 3, node->raft.current_term, 10, node->raft.current_term);
    assert_int_equal(node->offered, 10);
    assert_true(shim_keeps_offer(node->shim));
    node->raft.current_term++;
    assert_false(shim_keeps_offer(node->shim));
    lab_free(&lab);
}

/* Goal: defect 39: who has all that a snapshot stands for says so, though it knows less to be
 * committed: the leader, which has no entries before it, would offer the same for ever. Method:
 * node 3 has three entries and knows of none that it is committed; a later leader offers a snapshot
 * that ends with the last of them, and then one that ends with an entry of another term. */
static void test_has_all_that_is_offered(void **state)
{
    struct lab *lab = lab_new();
    struct lab_node *node = &lab->nodes[3];
    const struct lab_mail *answer;
    struct wire_received received;
    (void)state;

    for (int k = 0; k < 3; k++) {
        lab_put_command(lab, 3, 2);
    }
    lab_start(lab, 0);
    assert_int_equal(node->raft.commit_index, 1);
    lab_offer(lab, 1, 3, 5, 4, 2);
    lab_drop_all(lab);
    assert_true(shim_install_snapshot(node->shim));
    lab_turn(lab);
    assert_null(node->snapshot.request);
    assert_int_equal(lab->mail_count, 1);
    answer = &lab->mail[0];
    assert_int_equal(answer->to, 1);
    assert_int_equal(wire_decode(slice_make(answer->bytes, answer->len), &received), 0);
    assert_int_equal(received.message.append_entries_result.rejected, 0);
    assert_int_equal(received.message.append_entries_result.last_log_index, 4);
    wire_release(&received.message);

    lab_offer(lab, 1, 3, 5, 4, 3);
    assert_true(shim_install_snapshot(node->shim));
    assert_non_null(node->snapshot.request);
    lab_free(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_leader_offers),
        cmocka_unit_test(test_has_all_that_is_offered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
