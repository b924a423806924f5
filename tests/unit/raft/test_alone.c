/* The only voter leads without asking anyone, in a term that nobody else led in. */
#define LAB_NODES 2
#include "tests/unit/raft/lab.h"

struct lab_append lab_unfinished[LAB_UNFINISHED_MAX];

/* Goal: defect 30: a node that starts as the only voter leads in its old term, and may give the
 * place of an entry that a crash took, and that others hold, to another. Method: such a node; once
 * it leads its term stays. Returns how much later its term is. */
static raft_term run_start(unsigned guards_off)
{
    struct lab *lab = lab_new();
    struct lab_node *node = &lab->nodes[1];
    raft_term before = node->term;
    raft_term after;

    lab_put_members(node, 2, 1);
    lab_start(lab, guards_off);
    lab_turn(lab);
    lab_run(lab, 1, 5);
    assert_true(shim_leads(node->shim));
    assert_int_equal(node->term, node->raft.current_term);
    after = node->raft.current_term;
    lab_free(&lab);
    return after - before;
}

static void test_start_is_a_new_term(void **state)
{
    (void)state;
    assert_int_equal(run_start(SHIM_GUARD_ALONE), 0);
    assert_int_equal(run_start(0), 1);
}

/* Goal: the same while the node runs. Method: leader 2 of two removes itself; node 1 has that
 * entry, its answer is lost, and it leads when its time is up, while node 2 believes that it leads.
 * Returns how much later its term is than that of node 2. */
static raft_term run_removal(unsigned guards_off)
{
    struct lab *lab = lab_new();
    struct raft_change removal = {0};
    raft_term later;

    lab_start(lab, guards_off);
    lab_elect(lab, 2, 1);
    lab_run(lab, 2, 5);
    assert_int_equal(raft_remove(&lab->nodes[2].raft, &removal, lab_id(2), NULL), 0);
    (void)lab_deliver(lab, 1, RAFT_IO_APPEND_ENTRIES, LAB_ALL);
    lab_write(lab, 1, 0);
    lab_drop_all(lab);
    assert_int_equal(lab->nodes[1].raft.configuration.n, 1);
    lab_tick(lab, 1);
    assert_int_equal(lab->nodes[1].raft.current_term, lab->nodes[2].raft.current_term);
    lab->now += 5 * LAB_ELECTION_MS;
    lab_tick(lab, 1);
    assert_int_equal(lab->nodes[1].raft.state, RAFT_LEADER);
    assert_int_equal(lab->nodes[2].raft.state, RAFT_LEADER);
    later = lab->nodes[1].raft.current_term - lab->nodes[2].raft.current_term;
    lab_free(&lab);
    return later;
}

static void test_removal_of_the_leader_is_a_new_term(void **state)
{
    (void)state;
    assert_int_equal(run_removal(SHIM_GUARD_ALONE), 0);
    assert_int_equal(run_removal(0), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_is_a_new_term),
        cmocka_unit_test(test_removal_of_the_leader_is_a_new_term),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
