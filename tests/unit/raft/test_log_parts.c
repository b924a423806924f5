/* The pure parts of raft/log: origin, intake, cluster time, leases, frames. */
#include "node/base/mem.h"
#include "raft/log/frame.h"
#include "raft/log/intake.h"
#include "raft/log/keep.h"
#include "raft/log/lease.h"
#include "raft/log/origin.h"
#include "raft/log/stamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void add(struct origin *origin, const char *text)
{
    origin_add_take(origin, own_command_new(slice_str(text)));
}

/* Sends all that is unsent; returns the sequence numbers as digits. */
static const char *send_all(struct origin *origin)
{
    static char sent[32];
    size_t count = 0;

    while (origin_next(origin) != NULL) {
        sent[count++] = (char)('0' + origin_next(origin)->seq);
        origin_sent(origin);
    }
    sent[count] = '\0';
    return sent;
}

/* Goal: commands are numbered from 1 in each incarnation and sent again, in order, from the first
 * that is not known to be applied. Method: walk through a leader change, an acknowledgement, a
 * resend and a new incarnation. */
static void test_origin_sends_again_in_order(void **state)
{
    struct origin origin = {0};
    (void)state;

    origin_set_start_take(&origin, own_command_new(slice_str("start")));
    assert_int_equal(origin_next_incarnation(&origin), 0);
    assert_string_equal(send_all(&origin), "0");
    origin_rewind(&origin);
    assert_string_equal(send_all(&origin), "0");
    origin_begin(&origin, 7);
    assert_null(origin_next(&origin));

    add(&origin, "a");
    add(&origin, "b");
    add(&origin, "c");
    assert_int_equal(origin_next_incarnation(&origin), 7);
    assert_string_equal(send_all(&origin), "123");
    add(&origin, "d");
    assert_string_equal(send_all(&origin), "4");
    origin_applied(&origin, 1);
    origin_rewind(&origin);
    assert_string_equal(send_all(&origin), "234");
    origin_rewind_to(&origin, 3);
    assert_string_equal(send_all(&origin), "34");
    origin_rewind(&origin);
    origin_applied(&origin, 3); /* by the old leader after all */
    assert_string_equal(send_all(&origin), "4");
    assert_int_equal(origin.count, 1);

    origin_begin(&origin, 8);
    assert_int_equal(origin.count, 0);
    assert_int_equal(origin.bytes, 0);
    add(&origin, "e");
    assert_string_equal(send_all(&origin), "1");
    origin_deinit(&origin);
}

/* What would be sent next is this, with this seq; NULL: nothing. */
static void assert_next(const struct origin *origin, uint64_t seq, const char *text)
{
    const struct own_command *next = origin_next(origin);

    if (text == NULL) {
        assert_null(next);
        return;
    }
    assert_non_null(next);
    assert_int_equal(next->seq, seq);
    assert_true(slice_eq_str(own_command_slice(next), text));
}

/* Goal: what stands for a command has its seq and its place; what is sent stays sent until all goes
 * again; nothing is added for a command that is applied. Method: the first, one in the middle and
 * the last of three are replaced, unsent and sent, by longer and shorter ones. */
static void test_origin_replaces_in_place(void **state)
{
    struct origin origin = {0};
    (void)state;

    origin_begin(&origin, 7);
    add(&origin, "a");
    add(&origin, "bb");
    add(&origin, "c");
    origin_replace(&origin, slice_str("a"), slice_str("longer"));
    assert_next(&origin, 1, "longer");
    origin_sent(&origin);
    assert_next(&origin, 2, "bb");
    origin_sent(&origin);
    origin_replace(&origin, slice_str("bb"), slice_str(""));
    assert_next(&origin, 3, "c");
    origin_sent(&origin);
    origin_replace(&origin, slice_str("c"), slice_str("z"));
    assert_next(&origin, 0, NULL);
    add(&origin, "d"); /* behind the new last one */
    assert_string_equal(send_all(&origin), "4");
    assert_int_equal(origin.count, 4);
    assert_int_equal(origin.bytes, 6 + 0 + 1 + 1);

    origin_rewind(&origin);
    assert_next(&origin, 1, "longer");
    origin_sent(&origin);
    assert_next(&origin, 2, "");
    origin_sent(&origin);
    assert_next(&origin, 3, "z");
    origin_applied(&origin, 3);
    origin_replace(&origin, slice_str("z"), slice_str("late"));
    assert_next(&origin, 4, "d");
    origin_applied(&origin, 4);
    assert_int_equal(origin.count, 0);
    assert_int_equal(origin.bytes, 0);
    origin_replace(&origin, slice_str("d"), slice_str("late"));
    assert_next(&origin, 0, NULL);
    origin_deinit(&origin);
}

static uint32_t take_count(struct intake *intake, enum entry_kind *kind)
{
    const struct entry_stamp stamp = {.time_ms = 5};
    struct buf entry = BUF_EMPTY;
    struct entry_reader reader;

    intake_take_entry(intake, &stamp, &entry);
    assert_int_equal(buf_len(&entry) % 8, 0); /* defect 14 */
    assert_int_equal(entry_open(buf_slice(&entry), &reader), 0);
    *kind = reader.kind;
    buf_deinit(&entry);
    return reader.count;
}

/* Goal: an entry stays below the soft bound, a large command goes alone, a mark is an entry of its
 * own in its place. Method: 30 commands of 4 KiB, a mark, one of 300 KiB, one small. */
static void test_intake_batches(void **state)
{
    struct intake intake = {0};
    uint8_t *bytes = mem_zalloc(300 * 1024);
    enum entry_kind kind;
    (void)state;

    for (int k = 0; k < 30; k++) {
        intake_add_command(
            &intake,
            &(struct entry_command){.incarnation = 1, .seq = 1, .bytes = slice_make(bytes, 4096)});
    }
    intake_add_kind(&intake, ENTRY_MARK);
    intake_add_command(&intake, &(struct entry_command){.bytes = slice_make(bytes, 300 * 1024)});
    intake_add_command(&intake, &(struct entry_command){.bytes = slice_make(bytes, 3)});
    assert_int_equal(take_count(&intake, &kind), 16);
    assert_int_equal(take_count(&intake, &kind), 14);
    assert_int_equal(kind, ENTRY_BATCH);
    assert_int_equal(take_count(&intake, &kind), 0);
    assert_int_equal(kind, ENTRY_MARK);
    assert_int_equal(take_count(&intake, &kind), 1);
    assert_int_equal(take_count(&intake, &kind), 1);
    assert_null(intake.first);
    assert_int_equal(intake.bytes, 0);
    for (int k = 0; k < ENTRY_BATCH_COUNT_MAX + 1; k++) {
        intake_add_command(&intake, &(struct entry_command){.bytes = slice_make(bytes, 1)});
    }
    assert_int_equal(take_count(&intake, &kind), ENTRY_BATCH_COUNT_MAX);
    intake_clear(&intake);
    assert_int_equal(intake.count, 0);
    mem_free(&bytes);
}

/* Goal: cluster time stands still without a leader and never falls. Method: lead, stop, lead on
 * another clock. */
static void test_cluster_time(void **state)
{
    struct stamp_clock clock = {0};
    (void)state;

    stamp_seen(&clock, 1000);
    stamp_begin(&clock, 50000);
    assert_int_equal(stamp_now(&clock, 50000), 1000);
    assert_int_equal(stamp_now(&clock, 50250), 1250);
    stamp_seen(&clock, 1400); /* of the next leader */
    stamp_seen(&clock, 1300);
    stamp_begin(&clock, 99000);
    assert_int_equal(stamp_now(&clock, 99010), 1410);
}

static struct lease_book book_of_three(void)
{
    struct lease_book book = {.lease_ms = 1000, .drift_ms = 100};

    lease_clear_members(&book, true);
    lease_add_member(&book, 2, true, 10000);
    lease_add_member(&book, 3, true, 10000);
    lease_set_incarnation(&book, 2, 21);
    lease_set_incarnation(&book, 3, 31);
    lease_elected(&book, 10000);
    return book;
}

/* The node that is silent now, 0: none; node 2 lives as 21 and so on. */
static uint32_t take_silent(struct lease_book *book, uint64_t now_ms)
{
    uint64_t incarnation;
    uint32_t node;

    if (!lease_take_silent(book, now_ms, &node, &incarnation)) {
        return 0;
    }
    assert_int_equal(incarnation, node * 10 + 1);
    return node;
}

/* Goal: the leader's own lease runs from when it *sent* what a majority answered.
 * Method: answers of one and of two of three; of two of four. */
static void test_own_lease_counts_from_sending(void **state)
{
    struct lease_book book = book_of_three();
    (void)state;

    assert_int_equal(lease_own_end(&book, 10100), 0);
    lease_heard(&book, 2, 10010, 10090);
    assert_int_equal(lease_own_end(&book, 10100), 11010);
    lease_heard(&book, 3, 10050, 10095);
    assert_int_equal(lease_own_end(&book, 10100), 11050);
    lease_heard(&book, 3, 10020, 10099); /* late: does not shorten it */
    assert_int_equal(lease_own_end(&book, 10100), 11050);
    lease_add_member(&book, 4, true, 10100);
    assert_int_equal(lease_own_end(&book, 10100), 11010); /* three of four now */
    lease_add_member(&book, 4, false, 10100);
    assert_int_equal(lease_own_end(&book, 10100), 11050);
    lease_elected(&book, 20000);
    assert_int_equal(lease_own_end(&book, 20000), 0);
}

/* Goal: nobody is presumed dead before lease plus drift after the election, and whoever was gets no
 * lease under that incarnation again. Method: silence, return, new incarnation. */
static void test_silent_node_is_fenced(void **state)
{
    struct lease_book book = book_of_three();
    (void)state;

    lease_heard(&book, 3, 10050, 10900);
    assert_int_equal(take_silent(&book, 11100), 0);
    assert_int_equal(take_silent(&book, 11101), 2);
    assert_int_equal(take_silent(&book, 11101), 0);
    assert_false(lease_may_grant(&book, 2, 21));
    assert_true(lease_may_grant(&book, 3, 31));
    assert_false(lease_may_grant(&book, 3, 30));
    assert_false(lease_may_grant(&book, 3, 0));
    lease_heard(&book, 2, 0, 11200); /* alive after all: but its death is proposed */
    lease_heard(&book, 3, 0, 11200);
    assert_false(lease_may_grant(&book, 2, 21));
    assert_int_equal(take_silent(&book, 12101), 2); /* told again until it is done */
    lease_set_incarnation(&book, 2, 0);
    assert_int_equal(take_silent(&book, 12200), 0);
    lease_set_incarnation(&book, 2, 22);
    assert_true(lease_may_grant(&book, 2, 22));
    assert_false(lease_may_grant(&book, 2, 21));
    lease_clear_members(&book, true);
    assert_false(lease_may_grant(&book, 2, 22));
}

/* Goal: a leader that hung presumes nobody dead for what it did not see meanwhile.
 * Method: a gap, then the lapse, then silence from there. */
static void test_lapsed_leader_counts_anew(void **state)
{
    struct lease_book book = book_of_three();
    (void)state;

    lease_lapsed(&book, 30000);
    assert_int_equal(take_silent(&book, 30500), 0);
    assert_true(lease_may_grant(&book, 2, 21));
    assert_int_equal(take_silent(&book, 31101), 2);
}

/* Goal: a node that was presumed dead in a term that came to nothing lives on when this node leads
 * again (P6). Method: fence it, be elected again, its incarnation still up. */
static void test_an_earlier_terms_verdict_is_forgotten(void **state)
{
    struct lease_book book = book_of_three();
    (void)state;

    lease_heard(&book, 3, 0, 11000);
    assert_int_equal(take_silent(&book, 11101), 2);
    lease_elected(&book, 20000);
    assert_int_equal(take_silent(&book, 20000), 0);
    assert_true(lease_may_grant(&book, 2, 21));
    lease_heard(&book, 2, 0, 21000);
    lease_heard(&book, 3, 0, 21000);
    assert_int_equal(take_silent(&book, 21101), 0);
}

/* Goal: sessions of a node that was removed from the cluster do not stay live for ever (P5).
 * Method: a member that is removed; a node that only the state knows. */
static void test_a_removed_node_is_presumed_dead(void **state)
{
    struct lease_book book = book_of_three();
    (void)state;

    lease_heard(&book, 3, 0, 10900);
    lease_clear_members(&book, true);
    lease_add_member(&book, 2, true, 10900);
    lease_heard(&book, 2, 0, 12000);
    assert_int_equal(take_silent(&book, 12000), 0); /* its lease may still run */
    assert_int_equal(take_silent(&book, 12001), 3);
    lease_set_incarnation(&book, 3, 0);

    lease_heard(&book, 2, 0, 13000);
    lease_set_incarnation(&book, 4, 41);
    assert_int_equal(take_silent(&book, 13000), 0);
    lease_heard(&book, 2, 0, 14000);
    assert_int_equal(take_silent(&book, 14100), 0);
    assert_int_equal(take_silent(&book, 14101), 4);
}

/* Goal: nodes that come and go leave room for voters, of which none is ever left out of the count.
 * Method: more nodes than fit, some with an incarnation that is up; then voters that answer
 * nothing.
 */
static void test_room_for_voters(void **state)
{
    struct lease_book book = {.lease_ms = 1000, .drift_ms = 100};

    (void)state;
    for (uint32_t node = 1000; node < 1000 + 2 * LEASE_NODES_MAX; node++) {
        lease_set_incarnation(&book, node, node % 2);
    }
    lease_clear_members(&book, true);
    for (uint32_t node = 2; node <= 3; node++) {
        lease_add_member(&book, node, true, 5000);
    }
    lease_elected(&book, 5000);
    assert_int_equal(lease_own_end(&book, 9000), 0);
    lease_heard(&book, 3, 8900, 9000);
    assert_int_equal(lease_own_end(&book, 9000), 9900);

    lease_clear_members(&book, true);
    for (uint32_t node = 2; node < 3 + LEASE_NODES_MAX; node++) {
        lease_add_member(&book, node, true, 5000);
        lease_heard(&book, node, 8900, 9000);
    }
    assert_int_equal(lease_own_end(&book, 9000), 0); /* one is not in the book */
}

/* Goal: a life that its node says is over gets no lease and is reported at once, a later one is
 * not. Method: the node goes on answering all the time. */
static void test_node_that_left(void **state)
{
    struct lease_book book = book_of_three();

    (void)state;
    lease_heard(&book, 2, 10090, 10100);
    lease_left(&book, 2, 20); /* late news of an earlier life */
    lease_left(&book, 2, 0);
    assert_int_equal(take_silent(&book, 10100), 0);
    lease_left(&book, 2, 21);
    assert_false(lease_may_grant(&book, 2, 21));
    assert_int_equal(take_silent(&book, 10100), 2);
    lease_set_incarnation(&book, 2, 22);
    assert_int_equal(take_silent(&book, 10200), 0);
    assert_true(lease_may_grant(&book, 2, 22));
}

/* Goal: leadership goes to a voter only that answers and keeps up. Method: each condition. */
static void test_who_may_lead(void **state)
{
    struct lease_book book = book_of_three();
    (void)state;

    assert_false(lease_may_lead(&book, 2, 10100)); /* has not answered in this term */
    lease_heard(&book, 2, 10010, 10090);
    assert_true(lease_may_lead(&book, 2, 10100));
    lease_set_full(&book, 2, true);
    assert_false(lease_may_lead(&book, 2, 10100));
    lease_set_full(&book, 2, false);
    assert_true(lease_may_lead(&book, 2, 11009));
    assert_false(lease_may_lead(&book, 2, 11010)); /* silent for a lease */
    assert_false(lease_may_lead(&book, 9, 10100));
    lease_add_member(&book, 2, false, 10100);
    assert_false(lease_may_lead(&book, 2, 10100)); /* a standby */
}

/* Goal: a copy that the log outran is not made in vain for ever; memory has a bound; a later copy
 * begins anew. Method: offers, one after the other, with a log that grows by the same. */
static void test_kept_log_doubles(void **state)
{
    struct keep keep;
    (void)state;

    keep_init(&keep, 100, 350);
    assert_false(keep_log(&keep, 0, 10)); /* no copy: nothing is kept */
    assert_true(keep_log(&keep, 7, 99));
    assert_false(keep_log(&keep, 7, 100));
    assert_false(keep_log(&keep, 7, 10)); /* in vain, even if it was cut since */
    assert_true(keep_log(&keep, 8, 199));
    assert_false(keep_log(&keep, 8, 200));
    assert_true(keep_log(&keep, 9, 349));
    assert_false(keep_log(&keep, 9, 350));
    assert_true(keep_log(&keep, 10, 349));
    assert_false(keep_log(&keep, 0, 10));
    assert_false(keep_log(&keep, 11, 100));
}

/* Goal: what waits is bounded by the memory that it takes, so commands of one byte count for more.
 * Method: the count of bytes beside that of commands, with one and with many. */
static void test_intake_counts_its_memory(void **state)
{
    struct intake intake = {0};
    size_t one;

    (void)state;
    intake_add_command(&intake, &(struct entry_command){.bytes = slice_str("x")});
    one = intake.bytes;
    assert_true(one >= 1 + sizeof(uint64_t) * 3); /* with origin and length */
    for (size_t i = 1; i < 100; i++) {
        intake_add_command(&intake, &(struct entry_command){.bytes = slice_str("x")});
    }
    assert_int_equal(intake.bytes, 100 * one);
    intake_clear(&intake);
    assert_int_equal(intake.bytes, 0);
}

/* Goal: a forwarded command without a byte is no command. Method: a frame with one. */
static void test_forward_of_nothing(void **state)
{
    struct forward_command command = {.incarnation = 3, .seq = 9, .bytes = slice_make(NULL, 0)};
    struct buf frame = BUF_EMPTY;
    struct slice bytes;
    uint64_t term;

    (void)state;
    forward_begin(12, &frame);
    forward_add(&command, &frame);
    bytes = buf_slice(&frame);
    assert_int_equal(forward_open(&bytes, &term), 0);
    assert_int_equal(forward_next(&bytes, &command), ERR_MALFORMED);
    buf_deinit(&frame);
}

/* Goal: forwarded commands round trip, and a cut frame is refused. Method: every prefix. */
static void test_forward_frame(void **state)
{
    struct buf frame = BUF_EMPTY;
    struct forward_command command = {.incarnation = 3, .seq = 9, .bytes = slice_str("hello")};
    struct slice bytes;
    uint64_t term;
    (void)state;

    forward_begin(12, &frame);
    forward_add(&command, &frame);
    command.seq = 10;
    forward_add(&command, &frame);
    bytes = buf_slice(&frame);
    assert_int_equal(forward_open(&bytes, &term), 0);
    assert_int_equal(term, 12);
    assert_int_equal(forward_next(&bytes, &command), 1);
    assert_int_equal(command.seq, 9);
    assert_int_equal(forward_next(&bytes, &command), 1);
    assert_int_equal(command.seq, 10);
    assert_true(slice_eq_str(command.bytes, "hello"));
    assert_int_equal(forward_next(&bytes, &command), 0);
    for (size_t len = 0; len < 33; len++) {
        bytes = slice_sub(buf_slice(&frame), 0, len);
        if (forward_open(&bytes, &term) == 0 && bytes.len > 0) {
            assert_int_equal(forward_next(&bytes, &command), ERR_MALFORMED);
        }
    }
    buf_deinit(&frame);
}

static void test_lease_frames(void **state)
{
    const struct lease_grant grant = {.term = 1, .ask_ms = 2, .incarnation = 3, .remaining_ms = 4};
    const struct lease_ask ask = {.term = 5,
                                  .probe_ms = 6,
                                  .sent_ms = 7,
                                  .incarnation = 8,
                                  .is_full = true,
                                  .has_left = true};
    struct lease_grant got_grant;
    struct lease_ask got_ask;
    struct buf bytes = BUF_EMPTY;
    (void)state;

    lease_grant_encode(&grant, &bytes);
    assert_int_equal(lease_grant_decode(buf_slice(&bytes), &got_grant), 0);
    assert_memory_equal(&got_grant, &grant, sizeof(grant));
    buf_append_u8(&bytes, 0);
    assert_int_equal(lease_grant_decode(buf_slice(&bytes), &got_grant), ERR_MALFORMED);
    buf_clear(&bytes);
    lease_ask_encode(&ask, LEASE_ASK_FULL, &bytes);
    assert_int_equal(lease_ask_decode(buf_slice(&bytes), &got_ask), 0);
    assert_true(got_ask.is_full);
    assert_true(got_ask.has_left);
    assert_int_equal(got_ask.incarnation, ask.incarnation);
    buf_append_u8(&bytes, 0);
    assert_int_equal(lease_ask_decode(buf_slice(&bytes), &got_ask), ERR_MALFORMED);
    buf_clear(&bytes);
    lease_ask_encode(&ask, LEASE_ASK_FULL - 1, &bytes); /* to an older program, and from one */
    assert_int_equal(buf_len(&bytes), 32);
    assert_int_equal(lease_ask_decode(buf_slice(&bytes), &got_ask), 0);
    assert_false(got_ask.is_full);
    assert_int_equal(got_ask.sent_ms, ask.sent_ms);
    buf_deinit(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_room_for_voters),
        cmocka_unit_test(test_node_that_left),
        cmocka_unit_test(test_origin_sends_again_in_order),
        cmocka_unit_test(test_origin_replaces_in_place),
        cmocka_unit_test(test_intake_batches),
        cmocka_unit_test(test_cluster_time),
        cmocka_unit_test(test_own_lease_counts_from_sending),
        cmocka_unit_test(test_silent_node_is_fenced),
        cmocka_unit_test(test_lapsed_leader_counts_anew),
        cmocka_unit_test(test_who_may_lead),
        cmocka_unit_test(test_kept_log_doubles),
        cmocka_unit_test(test_forward_frame),
        cmocka_unit_test(test_forward_of_nothing),
        cmocka_unit_test(test_intake_counts_its_memory),
        cmocka_unit_test(test_an_earlier_terms_verdict_is_forgotten),
        cmocka_unit_test(test_a_removed_node_is_presumed_dead),
        cmocka_unit_test(test_lease_frames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
