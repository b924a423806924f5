/* Which membership a node goes by after a restart, a cut of its log, the install of a snapshot: the
 * newest change in its log, else that of its snapshot. Four voters. */
#define LAB_NODES 4
#include "tests/unit/raft/lab.h"

struct lab_append lab_unfinished[LAB_UNFINISHED_MAX];

/* Let a node stand for election; everyone that is not cut off hears of it and may vote. */
static void elect(struct lab *lab, int number)
{
    lab->now += 5 * LAB_ELECTION_MS;
    for (int i = 1; i <= LAB_NODES; i++) {
        if (lab->nodes[i].raft.state == RAFT_FOLLOWER) {
            lab->nodes[i].raft.follower_state.current_leader.id = 0;
        }
    }
    lab_tick(lab, number);
    for (int i = 1; i <= LAB_NODES; i++) {
        (void)lab_deliver(lab, i, RAFT_IO_REQUEST_VOTE, LAB_ALL);
    }
    (void)lab_deliver(lab, number, RAFT_IO_REQUEST_VOTE_RESULT, LAB_ALL);
    lab_turn(lab);
}

static void cut_off(struct lab *lab, int a, int b)
{
    lab_drop_all(lab);
    for (int i = 1; i <= LAB_NODES; i++) {
        lab->cut[i] = i == a || i == b;
    }
}

static void propose_and_run(struct lab *lab, int leader, struct raft_apply *proposal)
{
    lab_run(lab, leader, 5);
    if (shim_leads(lab->nodes[leader].shim)) {
        assert_int_equal(lab_propose(lab, leader, proposal, 8), 0);
    }
    lab_run(lab, leader, 5);
}

/* Goal: defect 28, split brain: a change that was never committed stays in force after a restart.
 * Method: node 1 led, wrote "remove 4" to its own disk alone, and starts again. Leader 3, with the
 * votes of 2 and 4, overwrites that, then removes node 1 with 4. Nodes 1 and 2 are two of three by
 * the change that is no more, but two of four by what 1 has in its log. Returns whether two sides
 * committed different entries. */
static bool run_split_brain(unsigned guards_off)
{
    struct lab *lab = lab_new();
    struct raft_change removal = {0};
    struct raft_apply proposals[2];
    bool diverged;

    lab_put_members(&lab->nodes[1], 2, 3);
    lab_start(lab, guards_off);
    cut_off(lab, 1, 0);
    elect(lab, 3);
    cut_off(lab, 2, 0);
    lab_run(lab, 3, 5);
    assert_true(shim_leads(lab->nodes[3].shim));
    assert_int_equal(lab->nodes[1].log_count, 2);
    assert_int_equal(lab->nodes[1].log[1].type, RAFT_BARRIER);
    cut_off(lab, 1, 2);
    assert_int_equal(raft_remove(&lab->nodes[3].raft, &removal, lab_id(1), NULL), 0);
    lab_run(lab, 3, 4);
    assert_int_equal(lab->nodes[3].raft.configuration_uncommitted_index, 0);
    propose_and_run(lab, 3, &proposals[0]);
    cut_off(lab, 3, 4);
    elect(lab, 1);
    propose_and_run(lab, 1, &proposals[1]);
    diverged = lab->diverged;
    lab_free(&lab);
    return diverged;
}

static void test_uncommitted_change_is_taken_back_after_restart(void **state)
{
    (void)state;
    assert_true(run_split_brain(SHIM_GUARD_CONFIGURATION));
    assert_false(run_split_brain(0));
}

/* Goal: defects 9 and 28: no snapshot says that an uncommitted configuration is committed.
 * Method: a restart with one; it must be known as uncommitted until a leader commits it. */
static void test_no_snapshot_of_an_uncommitted_change(void **state)
{
    struct lab *lab = lab_new();
    (void)state;

    for (int i = 1; i <= LAB_NODES; i++) {
        lab_put_members(&lab->nodes[i], 2, 3);
    }
    lab_start(lab, SHIM_GUARD_CONFIGURATION);
    assert_true(shim_snapshot_allowed(lab->nodes[1].shim));
    lab_free(&lab);

    lab = lab_new();
    for (int i = 1; i <= LAB_NODES; i++) {
        lab_put_members(&lab->nodes[i], 2, 3);
    }
    lab_start(lab, 0);
    assert_int_equal(lab->nodes[1].raft.configuration_index, 1);
    assert_int_equal(lab->nodes[1].raft.configuration_uncommitted_index, 2);
    assert_int_equal(lab->nodes[1].raft.configuration.n, 3);
    assert_false(shim_snapshot_allowed(lab->nodes[1].shim));
    elect(lab, 1);
    lab_run(lab, 1, 5);
    assert_int_equal(lab->nodes[2].raft.configuration_index, 2);
    assert_true(shim_snapshot_allowed(lab->nodes[1].shim));
    assert_true(shim_snapshot_allowed(lab->nodes[2].shim));
    lab_free(&lab);
}

/* Goal: the same for a snapshot that libraft takes while it handles entries, when it is not told of
 * the change. Method: a heartbeat commits the entry before the change. */
static void test_no_snapshot_while_a_change_is_hidden(void **state)
{
    struct lab *lab = lab_new();
    struct lab_node *node = &lab->nodes[2];
    struct raft_message heartbeat = {
        .type = RAFT_IO_APPEND_ENTRIES,
        .server_id = node->id,
        .append_entries = {.term = 3, .prev_log_index = 2, .prev_log_term = 2, .leader_commit = 2},
    };
    (void)state;

    lab_put_command(lab, 2, 2);
    lab_put_members(node, 2, 3);
    lab_start(lab, 0);
    raft_set_snapshot_threshold(&node->raft, 1);
    lab_receive(lab, 1, &heartbeat);
    assert_int_equal(node->raft.last_applied, 2);
    assert_int_equal(node->raft.configuration_uncommitted_index, 3);
    assert_int_equal(node->snapshot.index, 0);
    lab_free(&lab);
}

/* Goal: a cut goes back to the change before it, not to the last that is known to be committed.
 * Method: node 2 has two changes, of which leader 1 has the first alone and node 2 knows neither to
 * be committed. Returns how many members node 2 counts after the cut. */
static unsigned run_two_changes(unsigned guards_off)
{
    struct lab *lab = lab_new();
    unsigned count;

    for (int i = 1; i <= LAB_NODES; i++) {
        lab_put_members(&lab->nodes[i], 2, 3);
    }
    lab_put_members(&lab->nodes[2], 2, 2);
    lab_start(lab, guards_off);
    cut_off(lab, 2, 0);
    elect(lab, 1);
    lab->cut[2] = false;
    for (int k = 0; k < 3; k++) { /* a heartbeat, its refusal, then from entry 3 on */
        lab_tick(lab, 1);
        (void)lab_deliver(lab, 2, RAFT_IO_APPEND_ENTRIES, LAB_ALL);
        (void)lab_deliver(lab, 1, RAFT_IO_APPEND_ENTRIES_RESULT, LAB_ALL);
        lab->now += 2 * LAB_HEARTBEAT_MS;
    }
    assert_int_equal(lab->nodes[2].truncate_count, 1);
    assert_int_equal(lab->nodes[2].raft.commit_index, 1);
    count = lab->nodes[2].raft.configuration.n;
    lab_free(&lab);
    return count;
}

static void test_cut_goes_back_to_the_change_before(void **state)
{
    (void)state;
    assert_int_equal(run_two_changes(SHIM_GUARD_CONFIGURATION), 2);
    assert_int_equal(run_two_changes(0), 3);
}

/* Goal: defect 9: the change to go back to is in a snapshot alone; libraft reads through NULL
 * there. Method: node 1 leads and takes a snapshot, and, in the second case, starts again from it;
 * it writes a change that reaches nobody; node 2 overwrites it. */
static void run_compacted(bool restarts)
{
    struct lab *lab = lab_new();
    struct raft_change removal = {0};
    struct lab_node *node = &lab->nodes[1];

    lab_start(lab, 0);
    raft_set_snapshot_threshold(&node->raft, 1);
    raft_set_snapshot_trailing(&node->raft, 1);
    elect(lab, 1);
    lab_run(lab, 1, 5);
    assert_int_equal(node->snapshot.index, 2);
    assert_int_equal(node->raft.log.offset, 1); /* the change at index 1 is gone */
    if (restarts) {
        lab_stop_node(lab, 1);
        lab_start_node(lab, 1);
        elect(lab, 1);
        lab_run(lab, 1, 5);
    }
    cut_off(lab, 1, 0);
    assert_int_equal(raft_remove(&node->raft, &removal, lab_id(4), NULL), 0);
    lab_write(lab, 1, 0);
    assert_int_equal(node->raft.configuration.n, 3);
    elect(lab, 2);
    cut_off(lab, 0, 0);
    lab_run(lab, 2, 6);
    assert_int_equal(node->truncate_count, 1);
    assert_int_equal(node->raft.configuration.n, 4);
    assert_int_equal(node->raft.configuration_index, 1);
    assert_int_equal(node->raft.configuration_uncommitted_index, 0);
    assert_int_equal(node->raft.commit_index, lab->nodes[2].raft.commit_index);
    lab_free(&lab);
}

static void test_cut_goes_back_to_a_snapshot(void **state)
{
    (void)state;
    run_compacted(false);
    run_compacted(true);
}

/* Goal: after the install of a snapshot no change is under way; libraft keeps the index of one that
 * went with the log, and then neither changes nor snapshots are possible for ever.
 * Method: node 2 gets a change, then a snapshot. Returns whether it may take one itself. */
static bool run_install(unsigned guards_off)
{
    struct lab *lab = lab_new();
    struct lab_node *node = &lab->nodes[2];
    struct raft_entry change = {.term = 3, .type = RAFT_CHANGE};
    char manifest[8] = "manifest";
    struct raft_message append = {
        .type = RAFT_IO_APPEND_ENTRIES,
        .server_id = node->id,
        .append_entries = {.term = 3, .prev_log_index = 1, .prev_log_term = 1, .n_entries = 1},
    };
    struct raft_message install = {
        .type = RAFT_IO_INSTALL_SNAPSHOT,
        .server_id = node->id,
        .install_snapshot = {.term = 3,
                             .last_index = 10,
                             .last_term = 3,
                             .conf_index = 5,
                             .data = {manifest, sizeof(manifest)}},
    };
    bool allowed;

    lab_start(lab, guards_off);
    node->raft.configuration.servers[3].role = RAFT_STANDBY;
    assert_int_equal(raft_configuration_encode(&node->raft.configuration, &change.buf), 0);
    append.append_entries.entries = &change;
    lab_receive(lab, 1, &append);
    lab_write(lab, 2, 0);
    assert_int_equal(node->raft.configuration_uncommitted_index, 2);
    assert_int_equal(node->raft.configuration.servers[3].role, RAFT_STANDBY);
    lab_copy_members(&lab->nodes[1].raft.configuration, &install.install_snapshot.conf);
    lab_receive(lab, 1, &install);
    assert_int_equal(node->offered, 10);
    assert_true(shim_install_snapshot(node->shim));
    lab_write(lab, 2, 0);
    assert_int_equal(node->raft.last_applied, 10);
    assert_int_equal(node->raft.configuration_index, 5);
    assert_int_equal(node->raft.configuration.servers[3].role, RAFT_VOTER);
    allowed = shim_snapshot_allowed(node->shim);
    raft_free(change.buf.base);
    raft_configuration_close(&install.install_snapshot.conf);
    lab_free(&lab);
    return allowed;
}

static void test_install_ends_a_change(void **state)
{
    (void)state;
    assert_false(run_install(SHIM_GUARD_CONFIGURATION));
    assert_true(run_install(0));
}

/* ---- a member that catches up before it gets a vote */

struct told {
    struct raft_change change;
    struct raft_transfer transfer;
    int change_count;
    int change_status;
    int transfer_count;
};

static void on_changed(struct raft_change *change, int status)
{
    struct told *told = CONTAINER_OF(change, struct told, change);

    told->change_count++;
    told->change_status = status;
}

static void on_transferred(struct raft_transfer *transfer)
{
    CONTAINER_OF(transfer, struct told, transfer)->transfer_count++;
}

/* Four nodes, three of them voters, led by 1: node 4 is a spare that is cut off, and 1 begins to
 * give it a vote. */
static struct lab *begin_promotion(struct told *told)
{
    struct lab *lab = lab_new();
    struct raft *raft = &lab->nodes[1].raft;
    struct raft_change change;

    lab_start(lab, 0);
    elect(lab, 1);
    lab_run(lab, 1, 5);
    assert_true(shim_leads(lab->nodes[1].shim));
    assert_int_equal(raft_remove(raft, &change, lab_id(4), NULL), 0);
    lab_run(lab, 1, 5);
    assert_int_equal(raft_add(raft, &change, lab_id(4), lab->nodes[4].address, NULL), 0);
    lab_run(lab, 1, 5);
    cut_off(lab, 4, 0);
    assert_int_equal(raft_assign(raft, &told->change, lab_id(4), RAFT_VOTER, on_changed), 0);
    lab_run(lab, 1, 5);
    assert_int_equal(raft->leader_state.promotee_id, lab_id(4));
    assert_int_equal(told->change_count, 0);
    return lab;
}

/* Node 4 is back, and gets its vote. */
static void expect_promotion(struct lab *lab, int leader)
{
    struct told told = {.change_count = 0};

    cut_off(lab, 0, 0);
    assert_int_equal(
        raft_assign(&lab->nodes[leader].raft, &told.change, lab_id(4), RAFT_VOTER, on_changed), 0);
    lab_run(lab, leader, 10);
    assert_int_equal(told.change_count, 1);
    assert_int_equal(told.change_status, 0);
    for (int i = 1; i <= LAB_NODES; i++) {
        const struct raft *raft = &lab->nodes[i].raft;
        int at = shim_member_index(raft, lab_id(4));

        assert_true(at >= 0);
        assert_int_equal(raft->configuration.servers[at].role, RAFT_VOTER);
        assert_int_equal(raft->configuration_uncommitted_index, 0);
    }
    assert_false(lab->diverged);
}

/* Goal: a member that dies while it catches up gets no vote, and keeps no other change waiting for
 * the whole time that a round may take. Method: the loss of another node, then of that one. */
static void test_promotion_ends_with_the_link(void **state)
{
    struct told told = {.change_count = 0};
    struct lab *lab = begin_promotion(&told);
    (void)state;

    shim_peer_lost(lab->nodes[1].shim, lab_id(3));
    lab_run(lab, 1, 2);
    assert_int_equal(told.change_count, 0);
    shim_peer_lost(lab->nodes[1].shim, lab_id(4));
    lab_run(lab, 1, 1);
    assert_int_equal(told.change_count, 1);
    assert_int_equal(told.change_status, RAFT_NOCONNECTION);
    assert_int_equal(lab->nodes[1].raft.leader_state.promotee_id, 0);
    expect_promotion(lab, 1);
    assert_int_equal(told.change_count, 1);
    lab_free(&lab);
}

/* Goal: 0.15 hands leadership on while a member catches up: the promotion ends with the leadership,
 * once, and the next leader is free to promote. Method: a transfer, then the same again there. */
static void test_transfer_during_a_promotion(void **state)
{
    struct told told = {.change_count = 0};
    struct lab *lab = begin_promotion(&told);
    (void)state;

    assert_int_equal(raft_transfer(&lab->nodes[1].raft, &told.transfer, lab_id(2), on_transferred),
                     0);
    lab_run(lab, 1, 1);
    lab_run(lab, 2, 5);
    assert_true(shim_leads(lab->nodes[2].shim));
    assert_int_equal(lab->nodes[1].raft.state, RAFT_FOLLOWER);
    assert_int_equal(told.change_count, 1);
    assert_int_equal(told.change_status, RAFT_LEADERSHIPLOST);
    assert_int_equal(told.transfer_count, 1);
    expect_promotion(lab, 2);
    assert_int_equal(told.change_count, 1);
    assert_int_equal(told.transfer_count, 1);
    lab_free(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uncommitted_change_is_taken_back_after_restart),
        cmocka_unit_test(test_no_snapshot_of_an_uncommitted_change),
        cmocka_unit_test(test_no_snapshot_while_a_change_is_hidden),
        cmocka_unit_test(test_cut_goes_back_to_the_change_before),
        cmocka_unit_test(test_cut_goes_back_to_a_snapshot),
        cmocka_unit_test(test_install_ends_a_change),
        cmocka_unit_test(test_promotion_ends_with_the_link),
        cmocka_unit_test(test_transfer_during_a_promotion),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
