/* Frames of a copy of the store. */
#include "raft/snapshot/copy_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct copy_frame samples[] = {
    {.type = COPY_ASK, .request = 7, .index = UINT64_MAX - 1},
    {.type = COPY_ACK, .request = 7, .offset = 1u << 20},
    {.type = COPY_END, .request = 7, .offset = 99, .index = 5, .hash = {1, 2, 3}},
    {.type = COPY_REFUSE, .request = 7, .status = ERR_BUSY},
    {.type = COPY_DATA, .request = 7, .offset = 1ull << 40},
};

static void encode(const struct copy_frame *frame, struct buf *out)
{
    buf_clear(out);
    copy_frame_encode(frame, out);
    if (frame->type == COPY_DATA) {
        buf_append_str(out, "bytes");
    }
}

/* Goal: every frame comes back as it went. */
static void test_round_trip(void **state)
{
    struct buf bytes = BUF_EMPTY;
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(samples); i++) {
        const struct copy_frame *sent = &samples[i];
        struct copy_frame got;

        encode(sent, &bytes);
        assert_int_equal(copy_frame_decode((uint8_t)sent->type, buf_slice(&bytes), &got), 0);
        assert_int_equal(got.type, sent->type);
        assert_true(got.request == sent->request);
        assert_true(got.offset == sent->offset);
        assert_true(got.index == sent->index);
        assert_int_equal(got.status, sent->status);
        assert_memory_equal(got.hash, sent->hash, COPY_HASH_BYTES);
        assert_true(sent->type != COPY_DATA || slice_eq_str(got.bytes, "bytes"));
    }
    buf_deinit(&bytes);
}

/* Goal: lengths are checked before anything is read. Method: each frame cut at every place, and a
 * byte too long. */
static void test_wrong_lengths_are_refused(void **state)
{
    struct buf bytes = BUF_EMPTY;
    struct copy_frame got;
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(samples); i++) {
        uint8_t type = (uint8_t)samples[i].type;
        size_t needed;

        encode(&samples[i], &bytes);
        needed = type == COPY_DATA ? buf_len(&bytes) - 4 : buf_len(&bytes); /* one byte will do */
        for (size_t len = 0; len < needed; len++) {
            assert_int_equal(copy_frame_decode(type, slice_sub(buf_slice(&bytes), 0, len), &got),
                             ERR_MALFORMED);
        }
        buf_append_u8(&bytes, 0);
        assert_int_equal(copy_frame_decode(type, buf_slice(&bytes), &got),
                         type == COPY_DATA ? 0 : ERR_MALFORMED);
    }
    buf_deinit(&bytes);
}

/* Goal: unknown types, too much data and a refusal without a reason are refused. */
static void test_limits(void **state)
{
    static const uint8_t zeros[COPY_CHUNK_BYTES_MAX + 17];
    struct copy_frame got;
    (void)state;

    assert_int_equal(copy_frame_decode(COPY_DATA, slice_make(zeros, sizeof(zeros) - 1), &got), 0);
    assert_int_equal(copy_frame_decode(COPY_DATA, slice_make(zeros, sizeof(zeros)), &got),
                     ERR_LIMIT);
    assert_int_equal(copy_frame_decode(COPY_REFUSE, slice_make(zeros, 12), &got), ERR_MALFORMED);
    assert_int_equal(copy_frame_decode(COPY_REFUSE + 1, slice_make(zeros, 16), &got),
                     ERR_MALFORMED);
    assert_int_equal(copy_frame_decode(0, slice_make(zeros, 16), &got), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_wrong_lengths_are_refused),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
