/* A leader that follows another one while entries that it appended itself are still being written:
 * the guards against unwritten entries (raft/shim) count those, too. As test_guards: with the guard
 * off, and with it on. */
#include "tests/unit/raft/lab.h"

struct lab_append lab_unfinished[LAB_UNFINISHED_MAX];

#define LATER_TERM 9

/* Node 2 has led, and writes its last entry; node 1 leads in a later term and has that entry. */
static struct lab *former_leader(unsigned guards_off)
{
    static struct raft_apply proposal;
    struct lab *lab = lab_new();
    struct raft *raft = &lab->nodes[2].raft;
    struct raft_message heartbeat = {.type = RAFT_IO_APPEND_ENTRIES, .server_id = lab_id(2)};

    lab_start(lab, guards_off);
    lab_elect(lab, 2, 3);
    lab_run(lab, 2, 2);
    lab_drop_all(lab);
    assert_int_equal(lab_propose(lab, 2, &proposal, 8), 0);
    shim_begin_writes(lab->nodes[2].shim);
    heartbeat.append_entries = (struct raft_append_entries){.term = LATER_TERM,
                                                            .prev_log_index = raft_last_index(raft),
                                                            .prev_log_term = raft->current_term};
    lab_receive(lab, 1, &heartbeat);
    assert_int_equal(raft->state, RAFT_FOLLOWER);
    assert_int_equal(lab->nodes[2].pending_count, 1);
    lab_drop_all(lab);
    return lab;
}

/* Does node 2 answer an offered snapshot that ends with the entry that it still writes? */
static bool answers_offer(unsigned guards_off)
{
    struct lab *lab = former_leader(guards_off);
    struct raft *raft = &lab->nodes[2].raft;
    raft_index last = raft_last_index(raft);
    bool result;

    lab_offer(lab, 1, 2, LATER_TERM, last, shim_term_of(raft, last));
    result = shim_install_snapshot(lab->nodes[2].shim);
    lab_write(lab, 2, 0);
    assert_true(shim_install_snapshot(lab->nodes[2].shim));
    lab_free(&lab);
    return result;
}

/* Goal: defect 32: the new leader is not told that this node has stored what it has not: after its
 * death the leader would count on it for ever. Method: an offer during the write, and after it. */
static void test_an_offered_snapshot_waits(void **state)
{
    (void)state;
    assert_true(answers_offer(SHIM_GUARD_OFFER_BUSY));
    assert_false(answers_offer(0));
}

/* Does node 2 stand for election during the write? */
static bool stands(unsigned guards_off, bool is_asked)
{
    struct lab *lab = former_leader(guards_off);
    struct raft *raft = &lab->nodes[2].raft;
    const struct raft_message timeout_now = {
        .type = RAFT_IO_TIMEOUT_NOW,
        .server_id = lab_id(2),
        .timeout_now = {.term = LATER_TERM,
                        .last_log_index = raft_last_index(raft),
                        .last_log_term = shim_term_of(raft, raft_last_index(raft))},
    };
    bool result;

    if (is_asked) {
        lab_receive(lab, 1, &timeout_now);
    } else {
        lab->now += 5 * LAB_ELECTION_MS;
        lab_tick(lab, 2);
    }
    result = raft->state == RAFT_CANDIDATE;
    lab_write(lab, 2, 0);
    lab->now += 5 * LAB_ELECTION_MS;
    lab_tick(lab, 2);
    assert_int_equal(raft->state, RAFT_CANDIDATE);
    lab_free(&lab);
    return result;
}

/* Goal: defects 8 and 11: it does not stand for election before it knows its own log. Method: its
 * election is due, or it is asked, during the write; afterwards it stands. */
static void test_no_election(void **state)
{
    (void)state;
    assert_true(stands(SHIM_GUARD_TICK, false));
    assert_false(stands(0, false));
    assert_true(stands(SHIM_GUARD_TIMEOUT_NOW, true));
    assert_false(stands(0, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_offered_snapshot_waits),
        cmocka_unit_test(test_no_election),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
