/* What a node believes of the frames of another: commands that it forwards, leases that it grants.
 * An rlog made by hand, without a thread, disk or link; who leads is what the test says. */
#include "node/base/clock.h"
#include "node/base/mem.h"
#include "raft/log/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define TERM     5
#define LEASE_MS 1000

void __wrap_rlog_follow_role(struct rlog *rlog); /* of the linker's --wrap */

void __wrap_rlog_follow_role(struct rlog *rlog)
{
    (void)rlog; /* the test has said who leads */
}

/* A bad command is one that begins with "bad"; without an incarnation nothing stands for it. */
static int vet(uint32_t node_id, uint64_t incarnation, struct slice bytes, struct buf *substitute)
{
    (void)node_id;
    if (bytes.len < 3 || memcmp(bytes.data, "bad", 3) != 0) {
        return 0;
    }
    if (incarnation != 0) {
        buf_append(substitute, slice_str("instead"));
    }
    return ERR_MALFORMED;
}

/* Node 1 of three; node 2 lives as 21, node 3 as 31. */
static struct rlog *new_rlog(bool leads)
{
    struct rlog *rlog = mem_zalloc(sizeof(*rlog));

    rlog->config.node_id = 1;
    rlog->config.lease_ms = LEASE_MS;
    rlog->config.vet = vet;
    rlog->raft.state = leads ? RAFT_LEADER : RAFT_FOLLOWER;
    rlog->raft.current_term = TERM;
    rlog->role = (struct role){.is_leader = leads, .leader_node = leads ? 1 : 2, .term = TERM};
    lease_clear_members(&rlog->leases, true);
    for (uint32_t node = 2; node <= 3; node++) {
        lease_add_member(&rlog->leases, node, true, clock_boot_ms());
        lease_set_incarnation(&rlog->leases, node, node * 10 + 1);
    }
    return rlog;
}

static void free_rlog(struct rlog *rlog)
{
    intake_clear(&rlog->intake);
    origin_deinit(&rlog->origin);
    mem_free(&rlog);
}

static void forward(struct rlog *rlog, uint32_t node_id, uint64_t incarnation, const char *text)
{
    const struct forward_command command = {
        .incarnation = incarnation, .seq = 1, .bytes = slice_str(text)};
    struct buf frame = BUF_EMPTY;

    forward_begin(TERM, &frame);
    forward_add(&command, &frame);
    assert_int_equal(rlog_on_forward(rlog, node_id, buf_slice(&frame)), 0);
    buf_deinit(&frame);
}

/* The one command that waits, which is taken. */
static void expect_waiting(struct rlog *rlog, uint64_t incarnation, const char *text)
{
    const struct entry_stamp stamp = {0};
    struct buf entry = BUF_EMPTY;
    struct entry_reader reader;
    struct entry_command command;

    assert_int_equal(rlog->intake.count, 1);
    intake_take_entry(&rlog->intake, &stamp, &entry);
    assert_int_equal(entry_open(buf_slice(&entry), &reader), 0);
    assert_int_equal(entry_next(&reader, &command), 1);
    assert_int_equal(command.incarnation, incarnation);
    assert_true(slice_eq(command.bytes, slice_str(text)));
    buf_deinit(&entry);
}

/* Goal: a node speaks under its own incarnation, or under none. Method: forward under that of its
 * own, of another node, of an earlier life, and under none. */
static void test_own_incarnation_only(void **state)
{
    struct rlog *rlog = new_rlog(true);
    (void)state;

    forward(rlog, 3, 31, "own");
    expect_waiting(rlog, 31, "own");
    forward(rlog, 3, 0, "start");
    expect_waiting(rlog, 0, "start");
    forward(rlog, 3, 21, "another's");
    forward(rlog, 3, 30, "an earlier life's");
    forward(rlog, 4, 31, "a stranger's");
    assert_int_equal(rlog->intake.count, 0);
    free_rlog(rlog);
}

/* Goal: what may not be in the log has its place taken, where it has one, and leaves no trace where
 * it has none. */
static void test_bad_command_is_replaced(void **state)
{
    struct rlog *rlog = new_rlog(true);
    (void)state;

    forward(rlog, 3, 31, "bad");
    expect_waiting(rlog, 31, "instead");
    forward(rlog, 3, 0, "bad");
    assert_int_equal(rlog->intake.count, 0);
    free_rlog(rlog);
}

static void grant(struct rlog *rlog, uint32_t node_id, uint64_t term)
{
    const struct lease_grant grant = {.term = term,
                                      .ask_ms = clock_boot_ms(),
                                      .incarnation = rlog->origin.incarnation,
                                      .remaining_ms = LEASE_MS};
    struct buf frame = BUF_EMPTY;

    lease_grant_encode(&grant, &frame);
    assert_int_equal(rlog_on_lease_frame(rlog, node_id, FRAME_LEASE_GRANT, buf_slice(&frame)), 0);
    buf_deinit(&frame);
}

/* Goal: who links is the newest membership of the node that its certificate names. Method: hellos
 * of the member, of an earlier and a later membership, under another node's id, of a stranger, and
 * of a voter and a spare that lost their logs. */
static void test_who_may_link(void **state)
{
    struct rlog *rlog = new_rlog(false);
    const raft_id voter = (raft_id)2 << 32 | 2;
    const raft_id spare = (raft_id)3 << 32 | 1;
    (void)state;

    raft_configuration_init(&rlog->raft.configuration);
    assert_int_equal(raft_configuration_add(&rlog->raft.configuration, voter, "b", RAFT_VOTER), 0);
    assert_int_equal(raft_configuration_add(&rlog->raft.configuration, spare, "c", RAFT_SPARE), 0);
    assert_null(rlog_refuse(rlog, 2, voter, false));
    assert_non_null(rlog_refuse(rlog, 2, voter - 1, false));
    assert_null(rlog_refuse(rlog, 2, voter + 1, false)); /* it may lead us already */
    assert_non_null(rlog_refuse(rlog, 3, voter, false));
    assert_null(rlog_refuse(rlog, 4, (raft_id)4 << 32 | 1, true));
    assert_non_null(rlog_refuse(rlog, 2, voter, true));
    assert_null(rlog_refuse(rlog, 3, spare, true));
    raft_configuration_close(&rlog->raft.configuration);
    free_rlog(rlog);
}

static unsigned hash_count;

static void count_hash(void *ctx, uint32_t node_id, uint64_t mark_index, uint64_t hash)
{
    (void)ctx;
    (void)node_id;
    (void)mark_index;
    (void)hash;
    hash_count++;
}

/* Goal: reports of state hashes do not pile up before the state thread. Method: many of one node
 * between two beats, and one of another; the rest is refused, and after a beat they count again. */
static void test_hashes_are_rationed(void **state)
{
    const struct hash_report report = {.mark_index = 1, .hash = 2};
    struct rlog *rlog = new_rlog(false);
    struct buf frame = BUF_EMPTY;
    (void)state;

    rlog->events.on_hash = count_hash;
    for (uint32_t node = 2; node <= 3; node++) {
        rlog->peers[rlog->peer_count++] = (struct peer){.node_id = node};
    }
    hash_report_encode(&report, &frame);
    hash_count = 0;
    while (rlog_on_frame(rlog, 2, FRAME_HASH, buf_slice(&frame)) == 0) {
        assert_in_range(hash_count, 1, 100);
    }
    assert_int_equal(rlog_on_frame(rlog, 2, FRAME_HASH, buf_slice(&frame)), ERR_LIMIT);
    assert_int_equal(rlog_on_frame(rlog, 3, FRAME_HASH, buf_slice(&frame)), 0);
    assert_int_equal(rlog_on_frame(rlog, 4, FRAME_HASH, buf_slice(&frame)), 0);
    hash_count = 0;
    rlog_peers_beat(rlog);
    assert_int_equal(rlog_on_frame(rlog, 2, FRAME_HASH, buf_slice(&frame)), 0);
    assert_int_equal(hash_count, 1);
    buf_deinit(&frame);
    free_rlog(rlog);
}

/* A node that has sent the one command that it keeps. */
static struct rlog *new_follower(void)
{
    struct rlog *rlog = new_rlog(false);

    origin_begin(&rlog->origin, 11);
    origin_add_take(&rlog->origin, own_command_new(slice_str("kept")));
    origin_sent(&rlog->origin);
    assert_null(origin_next(&rlog->origin));
    return rlog;
}

/* Goal: only who leads grants leases. Method: the same grant from another node and of another term
 * changes nothing, from the leader it counts. */
static void test_grant_of_a_node_that_does_not_lead(void **state)
{
    struct rlog *rlog = new_follower();
    (void)state;

    grant(rlog, 3, TERM);
    grant(rlog, 2, TERM - 1);
    assert_int_equal(atomic_load(&rlog->lease_end_ms), 0);
    assert_null(origin_next(&rlog->origin));
    grant(rlog, 2, TERM);
    assert_true(atomic_load(&rlog->lease_end_ms) >= clock_boot_ms());
    free_rlog(rlog);
}

/* Goal: what a leader passed over for not knowing the incarnation is sent again when it knows it.
 * Method: the first grant of a term makes the kept command go again, the second one does not; in
 * the next term again. */
static void test_first_grant_sends_again(void **state)
{
    struct rlog *rlog = new_follower();
    (void)state;

    for (uint64_t term = TERM; term <= TERM + 1; term++) {
        rlog->raft.current_term = term;
        grant(rlog, 2, term);
        assert_non_null(origin_next(&rlog->origin));
        origin_sent(&rlog->origin);
        grant(rlog, 2, term);
        assert_null(origin_next(&rlog->origin));
    }
    free_rlog(rlog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_incarnation_only),
        cmocka_unit_test(test_hashes_are_rationed),
        cmocka_unit_test(test_who_may_link),
        cmocka_unit_test(test_bad_command_is_replaced),
        cmocka_unit_test(test_grant_of_a_node_that_does_not_lead),
        cmocka_unit_test(test_first_grant_sends_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
