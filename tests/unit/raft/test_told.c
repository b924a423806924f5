/* Members as a node tells them to others. */
#include "raft/log/told.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct told three = {
    .index = 900,
    .count = 3,
    .members = {{.raft_id = 1ull << 32 | 1, .node_id = 1, .address = "node-1.example.org:7101"},
                {.raft_id = 2ull << 32 | 7, .node_id = 2, .address = "[2001:db8::2]:7101"},
                {.raft_id = 3ull << 32 | 1, .node_id = 3, .address = "10.0.0.3:7101"}}};

/* Goal: what was told comes out as it went in; no part of it is taken for the whole. */
static void test_round_trip(void **state)
{
    struct buf bytes = BUF_EMPTY;
    struct told out;
    (void)state;

    told_encode(&three, &bytes);
    assert_int_equal(told_decode(buf_slice(&bytes), &out), 0);
    assert_int_equal(out.index, three.index);
    assert_int_equal(out.count, three.count);
    for (size_t i = 0; i < three.count; i++) {
        assert_int_equal(out.members[i].raft_id, three.members[i].raft_id);
        assert_int_equal(out.members[i].node_id, three.members[i].node_id);
        assert_string_equal(out.members[i].address, three.members[i].address);
    }
    for (size_t len = 0; len < buf_len(&bytes); len++) {
        assert_int_equal(told_decode(slice_sub(buf_slice(&bytes), 0, len), &out), ERR_MALFORMED);
    }
    buf_append_u8(&bytes, 0);
    assert_int_equal(told_decode(buf_slice(&bytes), &out), ERR_MALFORMED);
    bytes.data[bytes.start] = 2; /* a newer version appends */
    assert_int_equal(told_decode(buf_slice(&bytes), &out), 0);
    buf_deinit(&bytes);
}

static int decode(const struct told *told)
{
    struct buf bytes = BUF_EMPTY;
    struct told out;
    int rc;

    told_encode(told, &bytes);
    rc = told_decode(buf_slice(&bytes), &out);
    buf_deinit(&bytes);
    return rc;
}

/* Goal: what cannot be the members of a cluster is refused. */
static void test_nonsense(void **state)
{
    struct told told = three;
    (void)state;

    told.index = 0;
    assert_int_equal(decode(&told), ERR_MALFORMED);
    told = three;
    told.count = 0;
    assert_int_equal(decode(&told), ERR_MALFORMED);
    told = three;
    told.members[2].raft_id = 2ull << 32 | 8; /* node 2 twice */
    assert_int_equal(decode(&told), ERR_MALFORMED);
    told = three;
    told.members[1].raft_id = 8; /* no node */
    assert_int_equal(decode(&told), ERR_MALFORMED);
    told = three;
    told.members[1].address[3] = '\n';
    assert_int_equal(decode(&told), ERR_MALFORMED);
    told = three;
    told.members[0].address[0] = '\0';
    assert_int_equal(decode(&told), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_nonsense),
    };

    return cmocka_run_group_tests_name("raft_test_told", tests, NULL, NULL);
}
