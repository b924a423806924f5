/* Raft's messages as bytes: round trips, and every way to be wrong. */
#include "node/base/mem.h"
#include "raft/shim/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define FROM ((raft_id)1 << 32 | 1)
#define TO   ((raft_id)2 << 32 | 1)

static struct buf encode(const struct raft_message *message)
{
    struct wire_frame frame = {0};
    struct buf bytes = BUF_EMPTY;

    wire_encode(message, FROM, &frame);
    for (size_t i = 0; i < frame.part_count; i++) {
        buf_append(&bytes, frame.parts[i]);
    }
    wire_frame_deinit(&frame);
    return bytes;
}

static struct raft_message append_entries(struct raft_entry *entries, unsigned count)
{
    return (struct raft_message){
        .type = RAFT_IO_APPEND_ENTRIES,
        .server_id = TO,
        .append_entries = {.term = 5,
                           .prev_log_index = 7,
                           .prev_log_term = 4,
                           .leader_commit = 6,
                           .entries = entries,
                           .n_entries = count},
    };
}

static struct raft_message install_snapshot(void)
{
    static char manifest[24] = "manifest";
    struct raft_message message = {
        .type = RAFT_IO_INSTALL_SNAPSHOT,
        .server_id = TO,
        .install_snapshot = {.term = 9,
                             .last_index = 100,
                             .last_term = 8,
                             .conf_index = 3,
                             .data = {manifest, sizeof(manifest)}},
    };

    raft_configuration_init(&message.install_snapshot.conf);
    assert_int_equal(raft_configuration_add(&message.install_snapshot.conf, FROM,
                                            "[2001:db8::1]:5269", RAFT_VOTER),
                     0);
    assert_int_equal(raft_configuration_add(&message.install_snapshot.conf, TO,
                                            "node2.example.test:5269", RAFT_SPARE),
                     0);
    return message;
}

/* Goal: what a node sends is what the other's libraft gets. Method: one of each type. */
static void test_entries_round_trip(void **state)
{
    char first[16] = "first entry 16 b";
    char second[8] = "second.";
    struct raft_entry entries[2] = {
        {.term = 4, .type = RAFT_COMMAND, .buf = {first, 16}},
        {.term = 5, .type = RAFT_BARRIER, .buf = {second, 8}},
    };
    struct raft_message message = append_entries(entries, 2);
    struct buf bytes = encode(&message);
    struct wire_received got;
    (void)state;

    assert_int_equal(wire_decode(buf_slice(&bytes), &got), 0);
    assert_int_equal(got.from, FROM);
    assert_int_equal(got.to, TO);
    assert_int_equal(got.message.server_id, FROM);
    assert_int_equal(got.message.append_entries.term, 5);
    assert_int_equal(got.message.append_entries.prev_log_index, 7);
    assert_int_equal(got.message.append_entries.leader_commit, 6);
    assert_int_equal(got.message.append_entries.n_entries, 2);
    assert_memory_equal(got.message.append_entries.entries[0].buf.base, first, 16);
    assert_memory_equal(got.message.append_entries.entries[1].buf.base, second, 8);
    assert_int_equal(got.message.append_entries.entries[1].term, 5);
    assert_int_equal(got.message.append_entries.entries[1].type, RAFT_BARRIER);
    assert_ptr_equal(got.message.append_entries.entries[1].batch,
                     got.message.append_entries.entries[0].buf.base);
    wire_release(&got.message);
    buf_deinit(&bytes);
}

static void test_snapshot_round_trip(void **state)
{
    struct raft_message message = install_snapshot();
    struct buf bytes = encode(&message);
    struct wire_received got;
    (void)state;

    assert_int_equal(wire_decode(buf_slice(&bytes), &got), 0);
    assert_int_equal(got.message.install_snapshot.last_index, 100);
    assert_int_equal(got.message.install_snapshot.conf_index, 3);
    assert_int_equal(got.message.install_snapshot.conf.n, 2);
    assert_int_equal(got.message.install_snapshot.conf.servers[1].id, TO);
    assert_int_equal(got.message.install_snapshot.conf.servers[1].role, RAFT_SPARE);
    assert_string_equal(got.message.install_snapshot.conf.servers[0].address, "[2001:db8::1]:5269");
    assert_string_equal(got.message.install_snapshot.data.base, "manifest");
    wire_release(&got.message);
    raft_configuration_close(&message.install_snapshot.conf);
    buf_deinit(&bytes);
}

static void test_small_messages_round_trip(void **state)
{
    struct raft_message vote = {
        .type = RAFT_IO_REQUEST_VOTE,
        .server_id = TO,
        .request_vote = {.term = 3,
                         .candidate_id = FROM,
                         .last_log_index = 9,
                         .last_log_term = 2,
                         .pre_vote = true},
    };
    struct raft_message result = {
        .type = RAFT_IO_REQUEST_VOTE_RESULT,
        .server_id = TO,
        .request_vote_result = {.term = 3, .vote_granted = true, .pre_vote = raft_tribool_true},
    };
    struct buf bytes = encode(&vote);
    struct wire_received got;
    (void)state;

    assert_int_equal(wire_decode(buf_slice(&bytes), &got), 0);
    assert_int_equal(got.message.request_vote.candidate_id, FROM);
    assert_int_equal(got.message.request_vote.last_log_index, 9);
    assert_true(got.message.request_vote.pre_vote);
    assert_false(got.message.request_vote.disrupt_leader);
    buf_deinit(&bytes);
    bytes = encode(&result);
    assert_int_equal(wire_decode(buf_slice(&bytes), &got), 0);
    assert_true(got.message.request_vote_result.vote_granted);
    assert_int_equal(got.message.request_vote_result.pre_vote, raft_tribool_true);
    buf_deinit(&bytes);
}

/* Goal: a cut message is refused, whatever the place, and leaks nothing.
 * Method: every prefix of the two long types. */
static void test_every_prefix_is_refused(void **state)
{
    char data[24] = {0};
    struct raft_entry entries[2] = {
        {.term = 4, .type = RAFT_COMMAND, .buf = {data, 24}},
        {.term = 4, .type = RAFT_CHANGE, .buf = {data, 8}},
    };
    struct raft_message messages[2] = {append_entries(entries, 2), install_snapshot()};
    (void)state;

    for (size_t m = 0; m < 2; m++) {
        struct buf bytes = encode(&messages[m]);
        struct slice whole = buf_slice(&bytes);
        struct wire_received got;

        for (size_t len = 0; len < whole.len; len++) {
            /* A copy of its own, so that the sanitizer sees a read past its end. */
            uint8_t *part = mem_alloc(len + 1);

            memcpy(part, whole.data, len);
            assert_true(wire_decode(slice_make(part, len), &got) < 0);
            mem_free(&part);
        }
        buf_append_u8(&bytes, 0);
        assert_int_equal(wire_decode(buf_slice(&bytes), &got), ERR_MALFORMED);
        buf_deinit(&bytes);
    }
    raft_configuration_close(&messages[1].install_snapshot.conf);
}

/* Goal: counts and lengths of a peer are not believed. Method: patch single fields. */
static void test_lies_are_refused(void **state)
{
    char data[16] = {0};
    struct raft_entry entry = {.term = 4, .type = RAFT_COMMAND, .buf = {data, 16}};
    struct raft_message message = append_entries(&entry, 1);
    struct buf bytes = encode(&message);
    struct wire_received got;
    uint8_t *raw = bytes.data;
    (void)state;

    raw[0] = WIRE_VERSION + 1;
    assert_int_equal(wire_decode(buf_slice(&bytes), &got), ERR_VERSION);
    raw[0] = WIRE_VERSION;
    raw[1] = 77; /* type */
    assert_int_equal(wire_decode(buf_slice(&bytes), &got), ERR_MALFORMED);
    raw[1] = RAFT_IO_APPEND_ENTRIES;
    raw[50] = 0x7f; /* count of entries */
    assert_int_equal(wire_decode(buf_slice(&bytes), &got), ERR_LIMIT);
    raw[50] = 0;
    raw[66] = 15; /* length: no multiple of 8 (defect 14) */
    assert_int_equal(wire_decode(buf_slice(&bytes), &got), ERR_MALFORMED);
    raw[66] = 24; /* more than there is */
    assert_int_equal(wire_decode(buf_slice(&bytes), &got), ERR_MALFORMED);
    raw[66] = 16;
    raw[62] = 9; /* type of the entry */
    assert_int_equal(wire_decode(buf_slice(&bytes), &got), ERR_MALFORMED);
    raw[62] = RAFT_COMMAND;
    assert_int_equal(wire_decode(buf_slice(&bytes), &got), 0);
    wire_release(&got.message);
    buf_deinit(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_round_trip),
        cmocka_unit_test(test_snapshot_round_trip),
        cmocka_unit_test(test_small_messages_round_trip),
        cmocka_unit_test(test_every_prefix_is_refused),
        cmocka_unit_test(test_lies_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
