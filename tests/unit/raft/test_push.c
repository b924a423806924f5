/* The push of a commit: who is told, and who answers. */
#include "tests/unit/raft/lab.h"

struct lab_append lab_unfinished[LAB_UNFINISHED_MAX];

static struct lab *lab_led_by_2(void)
{
    struct lab *lab = lab_new();

    lab_start(lab, 0);
    lab_elect(lab, 2, 3);
    lab_run(lab, 2, 2);
    return lab;
}

/* Messages and writes flow, no time passes: the third entry is applied everywhere. */
static void settle(struct lab *lab)
{
    for (int round = 0; round < 6; round++) {
        for (int i = 1; i <= LAB_NODES; i++) {
            (void)lab_deliver(lab, i, 0, LAB_ALL);
            lab_write(lab, i, 0);
        }
        lab_turn(lab);
    }
    assert_int_equal(lab->nodes[1].raft.last_applied, 3);
    assert_int_equal(lab->nodes[3].raft.last_applied, 3);
}

/* Goal: commit push (DESIGN 3): followers learn of a commit without a heartbeat.
 * Method: one proposal, no time passes. Nothing is said twice, however often the loop turns. */
static void test_commit_is_pushed(void **state)
{
    struct lab *lab = lab_led_by_2();
    struct raft_apply proposal;
    int mail_count;
    (void)state;

    assert_int_equal(lab_propose(lab, 2, &proposal, 8), 0);
    settle(lab);
    for (int i = 1; i <= LAB_NODES; i++) {
        (void)lab_deliver(lab, i, 0, LAB_ALL);
    }
    mail_count = lab->mail_count;
    lab_turn(lab);
    lab_turn(lab);
    assert_int_equal(lab->mail_count, mail_count);
    lab_free(&lab);
}

static int count_acknowledgements(const struct lab *lab)
{
    int count = 0;

    for (int i = 0; i < lab->mail_count; i++) {
        count += lab->mail[i].type == RAFT_IO_APPEND_ENTRIES_RESULT ? 1 : 0;
    }
    return count;
}

/* Goal: nobody answers a push of a commit, which would tell the leader nothing, and everybody a
 * heartbeat. Method: a proposal without time, which each follower acknowledges once; then time. */
static void test_push_is_not_answered(void **state)
{
    struct lab *lab = lab_led_by_2();
    struct raft_apply proposal;
    int before;
    (void)state;

    before = count_acknowledgements(lab);
    assert_int_equal(lab_propose(lab, 2, &proposal, 8), 0);
    settle(lab);
    assert_int_equal(count_acknowledgements(lab) - before, 2);
    lab_run(lab, 2, 1);
    assert_int_equal(count_acknowledgements(lab) - before, 4);
    lab_free(&lab);
}

/* Goal: what was acknowledged over a link that broke is acknowledged again, though only a commit is
 * told. Method: the acknowledgement of node 3 is lost; node 1's commits the entry. */
static void test_push_after_a_lost_link_is_answered(void **state)
{
    struct lab *lab = lab_led_by_2();
    struct raft_apply proposal;
    int before;
    (void)state;

    assert_int_equal(lab_propose(lab, 2, &proposal, 8), 0);
    for (int i = 1; i <= LAB_NODES; i++) {
        (void)lab_deliver(lab, i, 0, LAB_ALL);
        lab_write(lab, i, 0);
    }
    lab_turn(lab);
    lab->cut[3] = true;
    (void)lab_deliver(lab, 2, 0, LAB_ALL);
    lab->cut[3] = false;
    shim_peer_lost(lab->nodes[3].shim, lab_id(2));
    assert_int_equal(lab->nodes[3].raft.last_applied, 2);
    before = count_acknowledgements(lab);
    lab->now += LAB_HEARTBEAT_MS + LAB_HEARTBEAT_MS / 2;
    lab_tick(lab, 2);
    lab_turn(lab);
    (void)lab_deliver(lab, 3, 0, LAB_ALL);
    lab_turn(lab);
    assert_int_equal(lab->nodes[3].raft.last_applied, 3);
    assert_true(count_acknowledgements(lab) > before);
    lab_free(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commit_is_pushed),
        cmocka_unit_test(test_push_is_not_answered),
        cmocka_unit_test(test_push_after_a_lost_link_is_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
