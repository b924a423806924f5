/* Numbers in Raft's messages that can not be, and changes of the membership that libraft would read
 * past their end. */
#include "node/base/mem.h"
#include "raft/shim/change.h"
#include "raft/shim/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define FROM ((raft_id)1 << 32 | 1)
#define TO   ((raft_id)2 << 32 | 1)

/* What the other side says to a message. */
static int decode(const struct raft_message *message)
{
    struct wire_frame frame = {0};
    struct buf bytes = BUF_EMPTY;
    struct wire_received got;
    int rc;

    wire_encode(message, FROM, &frame);
    for (size_t i = 0; i < frame.part_count; i++) {
        buf_append(&bytes, frame.parts[i]);
    }
    rc = wire_decode(buf_slice(&bytes), &got);
    if (rc == 0) {
        wire_release(&got.message);
    }
    buf_deinit(&bytes);
    wire_frame_deinit(&frame);
    return rc;
}

static int decode_vote(struct raft_request_vote vote)
{
    return decode(&(struct raft_message){
        .type = RAFT_IO_REQUEST_VOTE, .server_id = TO, .request_vote = vote});
}

/* Goal: no candidate with a log of later terms than its own, in another's name, or at a place from
 * which adding wraps around. Method: a good one, then one field at a time. */
static void test_requests_for_a_vote(void **state)
{
    const struct raft_request_vote good = {
        .term = 5, .candidate_id = FROM, .last_log_index = 9, .last_log_term = 5};
    struct raft_request_vote bad = good;
    (void)state;

    assert_int_equal(decode_vote(good), 0);
    bad.last_log_term = 6;
    assert_int_equal(decode_vote(bad), ERR_MALFORMED);
    bad = good;
    bad.candidate_id = TO;
    assert_int_equal(decode_vote(bad), ERR_MALFORMED);
    bad = good;
    bad.last_log_index = WIRE_POSITION_MAX + 1;
    assert_int_equal(decode_vote(bad), ERR_MALFORMED);
    bad = good;
    bad.term = UINT64_MAX;
    assert_int_equal(decode_vote(bad), ERR_MALFORMED);
}

static int decode_append(struct raft_append_entries append)
{
    return decode(&(struct raft_message){
        .type = RAFT_IO_APPEND_ENTRIES, .server_id = TO, .append_entries = append});
}

/* Goal: the terms of a log only grow, up to its leader's; places are bounded. Method: as above. */
static void test_entries(void **state)
{
    char data[8] = {0};
    struct raft_entry entries[2] = {
        {.term = 4, .type = RAFT_COMMAND, .buf = {data, 8}},
        {.term = 5, .type = RAFT_BARRIER, .buf = {data, 8}},
    };
    const struct raft_append_entries good = {.term = 5,
                                             .prev_log_index = 7,
                                             .prev_log_term = 4,
                                             .leader_commit = 7,
                                             .entries = entries,
                                             .n_entries = 2};
    struct raft_append_entries bad = good;
    (void)state;

    assert_int_equal(decode_append(good), 0);
    bad.term = 4; /* before its last entry's */
    assert_int_equal(decode_append(bad), ERR_MALFORMED);
    bad = good;
    bad.prev_log_term = 5; /* after its first entry's */
    assert_int_equal(decode_append(bad), ERR_MALFORMED);
    bad = good;
    bad.prev_log_term = 6;
    bad.n_entries = 0;
    assert_int_equal(decode_append(bad), ERR_MALFORMED);
    bad = good;
    bad.prev_log_index = UINT64_MAX;
    assert_int_equal(decode_append(bad), ERR_MALFORMED);
    bad = good;
    bad.leader_commit = UINT64_MAX;
    assert_int_equal(decode_append(bad), ERR_MALFORMED);
    entries[0].term = 6;
    assert_int_equal(decode_append(good), ERR_MALFORMED);
}

/* Goal: the same for the other types. Method: the field at fault alone. */
static void test_other_types(void **state)
{
    char manifest[8] = {0};
    struct raft_message result = {.type = RAFT_IO_APPEND_ENTRIES_RESULT,
                                  .server_id = TO,
                                  .append_entries_result = {.term = 1}};
    struct raft_message takeover = {.type = RAFT_IO_TIMEOUT_NOW,
                                    .server_id = TO,
                                    .timeout_now = {.term = 3, .last_log_term = 3}};
    struct raft_message install = {
        .type = RAFT_IO_INSTALL_SNAPSHOT,
        .server_id = TO,
        .install_snapshot = {.term = 3,
                             .last_index = 9,
                             .last_term = 3,
                             .conf_index = 9,
                             .data = {manifest, sizeof(manifest)}},
    };
    (void)state;

    assert_int_equal(decode(&result), 0);
    result.append_entries_result.last_log_index = UINT64_MAX;
    assert_int_equal(decode(&result), ERR_MALFORMED);
    assert_int_equal(decode(&takeover), 0);
    takeover.timeout_now.last_log_term = 4;
    assert_int_equal(decode(&takeover), ERR_MALFORMED);
    assert_int_equal(decode(&install), 0);
    install.install_snapshot.conf_index = 10;
    assert_int_equal(decode(&install), ERR_MALFORMED);
    install.install_snapshot.conf_index = 9;
    install.install_snapshot.last_term = 4;
    assert_int_equal(decode(&install), ERR_MALFORMED);
}

static struct raft_buffer encode_change(void)
{
    struct raft_configuration members;
    struct raft_buffer bytes;

    raft_configuration_init(&members);
    assert_int_equal(raft_configuration_add(&members, FROM, "a:1", RAFT_VOTER), 0);
    assert_int_equal(raft_configuration_add(&members, TO, "[2001:db8::2]:5269", RAFT_SPARE), 0);
    assert_int_equal(raft_configuration_encode(&members, &bytes), 0);
    raft_configuration_close(&members);
    return bytes;
}

/* Goal: a change reads as libraft wrote it. Method: round trip. */
static void test_change_round_trip(void **state)
{
    struct raft_buffer bytes = encode_change();
    struct raft_configuration got;
    (void)state;

    raft_configuration_init(&got);
    assert_int_equal(change_decode(slice_make(bytes.base, bytes.len), &got), 0);
    assert_int_equal(got.n, 2);
    assert_int_equal(got.servers[0].id, FROM);
    assert_string_equal(got.servers[0].address, "a:1");
    assert_int_equal(got.servers[0].role, RAFT_VOTER);
    assert_int_equal(got.servers[1].id, TO);
    assert_string_equal(got.servers[1].address, "[2001:db8::2]:5269");
    assert_int_equal(got.servers[1].role, RAFT_SPARE);
    raft_configuration_close(&got);
    raft_free(bytes.base);
}

/* Goal: no change that is cut short or lies, alone or in a message. Method: each prefix in memory
 * of its own, so that the sanitizer sees a read past its end; patched fields. */
static void test_bad_changes(void **state)
{
    struct raft_buffer bytes = encode_change();
    uint8_t *raw = bytes.base;
    struct raft_entry entry = {.term = 5, .type = RAFT_CHANGE, .buf = bytes};
    const struct raft_append_entries append = {.term = 5, .entries = &entry, .n_entries = 1};
    const size_t used = 9 + (8 + 4 + 1) + (8 + 19 + 1);
    struct raft_configuration got;
    (void)state;

    raft_configuration_init(&got);
    for (size_t len = 0; len < used; len++) {
        uint8_t *part = mem_alloc(len + 1);

        memcpy(part, raw, len);
        assert_int_equal(change_decode(slice_make(part, len), &got), ERR_MALFORMED);
        assert_int_equal(got.n, 0);
        mem_free(&part);
    }
    assert_int_equal(decode_append(append), 0);
    raw[used - 1] = RAFT_SPARE + 1; /* role */
    assert_int_equal(decode_append(append), ERR_MALFORMED);
    raw[used - 1] = RAFT_SPARE;
    raw[1] = 3; /* servers */
    assert_int_equal(decode_append(append), ERR_MALFORMED);
    raw[1] = WIRE_SERVERS_MAX + 1;
    assert_int_equal(decode_append(append), ERR_LIMIT);
    raw[1] = 2;
    raw[0] = 2; /* version */
    assert_int_equal(decode_append(append), ERR_MALFORMED);
    raft_free(bytes.base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_for_a_vote), cmocka_unit_test(test_entries),
        cmocka_unit_test(test_other_types),         cmocka_unit_test(test_change_round_trip),
        cmocka_unit_test(test_bad_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
