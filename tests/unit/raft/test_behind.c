/* What a leader says of entries that a follower's snapshot stands for (raft/shim/follow): it was
 * not told of the snapshot, or of another one before. As test_guards: with the guard off, and with
 * it on. */
#include "raft/shim/internal.h"
#include "tests/unit/raft/lab.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

struct lab_append lab_unfinished[LAB_UNFINISHED_MAX];

#define ENTRIES 12
#define STOOD   10 /* the snapshot of node 3 ends here */
#define MATCHED 5  /* what the leader knows of */

/* Leader 2 with ENTRIES, all but the first two in one term and committed by node 1; node 3 has
 * nothing of them yet. */
static struct lab *lab_with_entries(unsigned guards_off)
{
    static struct raft_apply proposals[ENTRIES];
    struct lab *lab = lab_new();

    lab_start(lab, guards_off);
    lab->cut[3] = true;
    lab_elect(lab, 2, 1);
    lab_run(lab, 2, 2);
    for (raft_index index = raft_last_index(&lab->nodes[2].raft); index < ENTRIES; index++) {
        assert_int_equal(lab_propose(lab, 2, &proposals[index], 8), 0);
        lab_run(lab, 2, 1);
    }
    assert_int_equal(lab->nodes[2].raft.commit_index, ENTRIES);
    lab_drop_all(lab);
    lab->cut[3] = false;
    return lab;
}

/* Node 3 gets a snapshot, and writes it. */
static void begin_install(struct lab *lab)
{
    const struct raft *leader = &lab->nodes[2].raft;

    lab_offer(lab, 2, 3, leader->current_term, STOOD, shim_term_of(leader, STOOD));
    assert_true(shim_install_snapshot(lab->nodes[3].shim));
}

/* Node 3 has it; its leader does not hear of that. */
static void install(struct lab *lab)
{
    begin_install(lab);
    lab_write(lab, 3, 0);
    lab_drop_all(lab);
    assert_int_equal(lab->nodes[3].raft.commit_index, STOOD);
}

/* What node 3 said before: that it has entries up to MATCHED. */
static void tell_of_a_match(struct lab *lab)
{
    const struct raft_message message = {
        .type = RAFT_IO_APPEND_ENTRIES_RESULT,
        .server_id = lab_id(2),
        .append_entries_result = {.term = lab->nodes[2].raft.current_term,
                                  .last_log_index = MATCHED},
    };

    lab_receive(lab, 3, &message);
}

/* Whether the leader ever goes below what it knows to match, until node 3 has all. */
static bool goes_back(unsigned guards_off)
{
    struct lab *lab = lab_with_entries(guards_off);
    struct raft *leader = &lab->nodes[2].raft;
    const struct raft_progress *progress =
        &leader->leader_state.progress[shim_member_index(leader, lab_id(3))];
    bool result = false;

    install(lab);
    tell_of_a_match(lab);
    for (int round = 0; round < 8 && !result; round++) {
        lab->now += 2 * LAB_HEARTBEAT_MS;
        lab_tick(lab, 2);
        for (int step = 0; step < 2 * ENTRIES && !result; step++) {
            (void)lab_deliver(lab, 3, 0, 1);
            lab_write(lab, 3, 0);
            (void)lab_deliver(lab, 2, 0, 1);
            result = result || progress->match_index >= progress->next_index;
            lab_turn(lab);
        }
    }
    if (guards_off == 0) {
        assert_int_equal(raft_last_index(&lab->nodes[3].raft), ENTRIES);
        assert_int_equal(lab->nodes[3].raft.commit_index, ENTRIES);
        assert_int_equal(progress->match_index, ENTRIES);
        assert_false(lab->diverged);
    }
    lab_free(&lab);
    return result;
}

/* Goal: defect 37: a leader that was told of an earlier snapshot alone, as the answer about the
 * later one was lost with the link, goes back below what it knows to match. Method: node 3 installs
 * a snapshot, its answer is lost, the leader has one of before. */
static void test_a_leader_does_not_go_back(void **state)
{
    (void)state;
    assert_true(goes_back(SHIM_GUARD_BEHIND));
    assert_false(goes_back(0));
}

/* Does the leader go back because of what node 3 answers while it writes the snapshot? */
static bool goes_back_meanwhile(unsigned guards_off)
{
    struct lab *lab = lab_with_entries(guards_off);
    struct raft *leader = &lab->nodes[2].raft;
    struct raft_progress *progress =
        &leader->leader_state.progress[shim_member_index(leader, lab_id(3))];
    const struct raft_message heartbeat = {
        .type = RAFT_IO_APPEND_ENTRIES,
        .server_id = lab_id(3),
        .append_entries = {.term = leader->current_term,
                           .prev_log_index = MATCHED,
                           .prev_log_term = shim_term_of(leader, MATCHED),
                           .leader_commit = STOOD},
    };
    bool result;

    begin_install(lab);
    tell_of_a_match(lab);
    lab_drop_all(lab);
    progress->state = 0; /* probing, as after a snapshot */
    progress->next_index = MATCHED + 1;
    lab_receive(lab, 2, &heartbeat);
    (void)lab_deliver(lab, 2, RAFT_IO_APPEND_ENTRIES_RESULT, LAB_ALL);
    result = progress->match_index >= progress->next_index;
    assert_int_equal(progress->match_index, MATCHED); /* nothing of it is stored */
    assert_int_equal(lab->nodes[3].raft.commit_index, 1);
    lab_write(lab, 3, 0);
    assert_int_equal(lab->nodes[3].raft.commit_index, STOOD);
    lab_free(&lab);
    return result;
}

static void test_a_leader_does_not_go_back_meanwhile(void **state)
{
    (void)state;
    assert_true(goes_back_meanwhile(SHIM_GUARD_BEHIND));
    assert_false(goes_back_meanwhile(0));
}

/* Entries first to last of the leader's log, to node 3. Returns the last index there. */
static raft_index run_entries(unsigned guards_off, raft_index first, raft_index last)
{
    struct lab *lab = lab_with_entries(guards_off);
    const struct raft *leader = &lab->nodes[2].raft;
    struct raft_entry entries[ENTRIES];
    struct raft_message message = {
        .type = RAFT_IO_APPEND_ENTRIES,
        .server_id = lab_id(3),
        .append_entries = {.term = leader->current_term,
                           .prev_log_index = first - 1,
                           .prev_log_term = shim_term_of(leader, first - 1),
                           .leader_commit = last,
                           .entries = entries,
                           .n_entries = (unsigned)(last - first + 1)},
    };
    raft_index result;

    install(lab);
    for (raft_index index = first; index <= last; index++) {
        entries[index - first] = *shim_entry_at(leader, index);
    }
    lab_receive(lab, 2, &message);
    lab_write(lab, 3, 0);
    result = raft_last_index(&lab->nodes[3].raft);
    assert_int_equal(lab->nodes[3].log_count, result);
    for (raft_index index = STOOD + 1; guards_off == 0 && index <= result; index++) {
        assert_int_equal(shim_term_of(&lab->nodes[3].raft, index), shim_term_of(leader, index));
    }
    assert_true(guards_off != 0 || lab->nodes[3].raft.commit_index == result);
    lab_free(&lab);
    return result;
}

/* In a process of its own: does the log of node 3 survive entries from the first one on? */
static bool survives_old_entries(void)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGSEGV, SIG_DFL);
        (void)signal(SIGABRT, SIG_DFL);
        _exit(run_entries(SHIM_GUARD_BEHIND, 1, 4) == STOOD ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Goal: the same defect: entries that the snapshot stands for are not taken a second time; what
 * comes behind them is. Method: parts of the leader's log, from the first entry on, and from
 * within.
 */
static void test_entries_are_not_taken_twice(void **state)
{
    (void)state;
    assert_false(survives_old_entries());
    assert_int_equal(run_entries(0, 1, 4), STOOD);
    assert_int_equal(run_entries(0, 1, ENTRIES), ENTRIES);
    assert_int_equal(run_entries(0, 4, STOOD), STOOD);
    assert_int_equal(run_entries(0, 4, STOOD + 1), STOOD + 1);
    assert_int_equal(run_entries(0, STOOD + 1, ENTRIES), ENTRIES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_leader_does_not_go_back),
        cmocka_unit_test(test_a_leader_does_not_go_back_meanwhile),
        cmocka_unit_test(test_entries_are_not_taken_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
