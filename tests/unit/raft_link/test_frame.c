/* Frames between nodes. */
#include "raft/link/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* A transcript line a frame, and the final error. */
static void drain(struct frame_reader *reader, struct buf *transcript)
{
    struct frame frame;
    bool found = true;
    int rc = 0;

    while (rc == 0 && found) {
        rc = frame_reader_pop(reader, &frame, &found);
        if (rc != 0) {
            buf_printf(transcript, "error %s\n", err_text(rc));
        } else if (found) {
            size_t sum = 0;

            for (size_t i = 0; i < frame.bytes.len; i++) {
                sum = sum * 31 + frame.bytes.data[i];
            }
            buf_printf(transcript, "%d:%u:%d %zu %zx\n", (int)frame.kind, frame.type,
                       (int)frame.class, frame.bytes.len, sum);
        }
    }
}

static void put_data(struct buf *out, enum link_class class, uint8_t type, const char *text,
                     bool more)
{
    frame_put_piece_head(out, class, type, strlen(text), more);
    buf_append_str(out, text);
}

/* Every kind, and a bulk frame of three pieces with an urgent one and a probe between. */
static void put_sample(struct buf *out)
{
    const struct frame_hello hello = {.version = 1, .version_min = 1, .raft_id = 7};

    frame_put_hello(out, &hello);
    frame_put_control(out, FRAME_READY, slice_make(NULL, 0));
    put_data(out, LINK_BULK, 9, "first ", true);
    put_data(out, LINK_URGENT, 3, "urgent", false);
    put_data(out, LINK_BULK, 9, "second ", true);
    frame_put_probe(out, 0x1122334455667788u);
    put_data(out, LINK_BULK, 9, "third", false);
    put_data(out, LINK_URGENT, 4, "", false);
}

/* Goal: a probe between the pieces of a frame, urgent or bulk, is no part of it.
 * Method: a frame of two pieces with a probe between, in each class; both come whole. */
static void test_probe_between_pieces(void **state)
{
    (void)state;
    for (int i = 0; i < FRAME_CLASSES; i++) {
        struct frame_reader reader = FRAME_READER_EMPTY;
        struct buf sent = BUF_EMPTY;
        struct frame frame;
        bool found;

        put_data(&sent, (enum link_class)i, 3, "first ", true);
        frame_put_probe(&sent, 0x1122334455667788u);
        put_data(&sent, (enum link_class)i, 3, "second", false);
        frame_reader_feed(&reader, buf_slice(&sent));
        assert_int_equal(frame_reader_pop(&reader, &frame, &found), 0);
        assert_true(found);
        assert_int_equal(frame.kind, FRAME_PROBE);
        assert_int_equal(frame.bytes.len, FRAME_PROBE_BYTES);
        assert_int_equal(frame_reader_pop(&reader, &frame, &found), 0);
        assert_true(found);
        assert_int_equal(frame.kind, FRAME_DATA);
        assert_int_equal(frame.bytes.len, strlen("first second"));
        assert_memory_equal(frame.bytes.data, "first second", frame.bytes.len);
        frame_reader_deinit(&reader);
        buf_deinit(&sent);
    }
}

/* Goal: framing does not depend on how TCP and TLS cut the bytes.
 * Method: feed one sample cut in two at every offset, and byte by byte; the transcript must stay.
 */
static void test_frames_survive_every_split(void **state)
{
    struct buf sample = BUF_EMPTY;
    struct buf expected = BUF_EMPTY;
    struct frame_reader whole = FRAME_READER_EMPTY;
    struct slice bytes;
    (void)state;

    put_sample(&sample);
    bytes = buf_slice(&sample);
    frame_reader_feed(&whole, bytes);
    drain(&whole, &expected);
    for (size_t cut = 0; cut <= bytes.len; cut++) {
        struct frame_reader reader = FRAME_READER_EMPTY;
        struct buf transcript = BUF_EMPTY;

        frame_reader_feed(&reader, slice_sub(bytes, 0, cut));
        drain(&reader, &transcript);
        frame_reader_feed(&reader, slice_sub(bytes, cut, bytes.len));
        drain(&reader, &transcript);
        assert_string_equal(buf_text(&transcript), buf_text(&expected));
        buf_deinit(&transcript);
        frame_reader_deinit(&reader);
    }
    assert_non_null(strstr(buf_text(&expected), "5:9:1 18 "));
    frame_reader_deinit(&whole);
    buf_deinit(&expected);
    buf_deinit(&sample);
}

/* Goal: a frame is out with its last byte, not later.
 * Method: feed byte by byte; after each byte the count of frames must be what that prefix holds. */
static void test_frames_come_at_once(void **state)
{
    struct buf sample = BUF_EMPTY;
    struct frame_reader reader = FRAME_READER_EMPTY;
    struct frame frame;
    bool found;
    (void)state;

    put_data(&sample, LINK_URGENT, 1, "abc", false);
    for (size_t i = 0; i < buf_len(&sample); i++) {
        frame_reader_feed(&reader, slice_make(sample.data + i, 1));
        assert_int_equal(frame_reader_pop(&reader, &frame, &found), 0);
        assert_int_equal(found, i + 1 == buf_len(&sample));
    }
    assert_true(slice_eq_str(frame.bytes, "abc"));
    frame_reader_deinit(&reader);
    buf_deinit(&sample);
}

static int pop_error(struct slice bytes)
{
    struct frame_reader reader = FRAME_READER_EMPTY;
    struct frame frame;
    bool found = true;
    int rc = 0;

    frame_reader_feed(&reader, bytes);
    while (rc == 0 && found) {
        rc = frame_reader_pop(&reader, &frame, &found);
    }
    frame_reader_deinit(&reader);
    return rc;
}

/* Goal: each malformed or too long head is refused, from the head alone.
 * Method: heads without payload; the reader must not wait for what it would never believe. */
static void test_bad_heads_are_refused(void **state)
{
    const struct {
        uint8_t head[FRAME_HEAD_BYTES];
        int rc;
    } rows[] = {
        {{0xff, 0xff, 0xff, 0xff, FRAME_DATA, 0, 0, 0}, ERR_LIMIT},
        {{0, 0, 0x80, 1, FRAME_DATA, 0, 0, 0}, ERR_LIMIT},
        {{0, 0, 0, 9, FRAME_PROBE, 0, 0, 0}, ERR_LIMIT},
        {{0, 0, 0, 1, FRAME_READY, 0, 0, 0}, ERR_LIMIT},
        {{0, 0, 0, 0, 0, 0, 0, 0}, ERR_MALFORMED},
        {{0, 0, 0, 0, 6, 0, 0, 0}, ERR_MALFORMED},
        {{0, 0, 0, 8, FRAME_PROBE, 1, 0, 0}, ERR_MALFORMED},
        {{0, 0, 0, 8, FRAME_PROBE, 0, 1, 0}, ERR_MALFORMED},
        {{0, 0, 0, 8, FRAME_PROBE, 0, 0, 1}, ERR_MALFORMED},
        {{0, 0, 0, 1, FRAME_DATA, 0, 2, 0}, ERR_MALFORMED},
        {{0, 0, 0, 1, FRAME_DATA, 0, 0, 2}, ERR_MALFORMED},
        {{0, 0, 0, 0, FRAME_DATA, 0, 0, 1}, ERR_MALFORMED},
        {{0, 0, 0x80, 0, FRAME_DATA, 0, 0, 0}, 0},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_int_equal(pop_error(slice_make(rows[i].head, FRAME_HEAD_BYTES)), rows[i].rc);
    }
}

/* Goal: pieces of one frame keep its type. Method: change it in the second piece. */
static void test_type_may_not_change(void **state)
{
    struct buf bytes = BUF_EMPTY;
    (void)state;

    put_data(&bytes, LINK_BULK, 1, "a", true);
    put_data(&bytes, LINK_BULK, 2, "b", false);
    assert_int_equal(pop_error(buf_slice(&bytes)), ERR_MALFORMED);
    buf_deinit(&bytes);
}

/* Goal: a frame may be LINK_FRAME_BYTES_MAX long and not a byte longer.
 * Method: feed full pieces up to the limit, then end the frame with none or one byte more. */
static void test_frame_limit(void **state)
{
    static const uint8_t zeros[FRAME_PIECE_BYTES_MAX];
    (void)state;

    for (size_t extra = 0; extra <= 1; extra++) {
        struct frame_reader reader = FRAME_READER_EMPTY;
        struct buf piece = BUF_EMPTY;
        struct frame frame;
        bool found;

        frame_put_piece_head(&piece, LINK_BULK, 1, sizeof(zeros), true);
        buf_append(&piece, slice_make(zeros, sizeof(zeros)));
        for (size_t i = 0; i < LINK_FRAME_BYTES_MAX / sizeof(zeros); i++) {
            frame_reader_feed(&reader, buf_slice(&piece));
            assert_int_equal(frame_reader_pop(&reader, &frame, &found), 0);
            assert_false(found);
        }
        buf_clear(&piece);
        frame_put_piece_head(&piece, LINK_BULK, 1, extra, false);
        buf_append(&piece, slice_make(zeros, extra));
        frame_reader_feed(&reader, buf_slice(&piece));
        assert_int_equal(frame_reader_pop(&reader, &frame, &found), extra == 0 ? 0 : ERR_LIMIT);
        assert_int_equal(found, extra == 0);
        if (found) {
            assert_int_equal(frame.bytes.len, LINK_FRAME_BYTES_MAX);
        }
        frame_reader_deinit(&reader);
        buf_deinit(&piece);
    }
}

/* Goal: a hello comes back as it went, a short one is refused, a longer one of a later version is
 * read as far as it is known. */
static void test_hello(void **state)
{
    const struct frame_hello sent = {
        .version = 3, .version_min = 2, .raft_id = UINT64_MAX - 1, .log_is_empty = true};
    struct frame_hello got;
    struct buf bytes = BUF_EMPTY;
    struct slice payload;
    (void)state;

    frame_put_hello(&bytes, &sent);
    buf_append_u32(&bytes, 0);
    payload = slice_sub(buf_slice(&bytes), FRAME_HEAD_BYTES, buf_len(&bytes));
    assert_int_equal(frame_get_hello(payload, &got), 0);
    assert_int_equal(got.version, 3);
    assert_int_equal(got.version_min, 2);
    assert_true(got.raft_id == sent.raft_id);
    assert_true(got.log_is_empty);
    assert_int_equal(frame_get_hello(slice_sub(payload, 0, FRAME_HELLO_BYTES), &got), 0);
    assert_false(got.log_is_empty); /* the first version does not say */
    for (size_t len = 0; len < FRAME_HELLO_BYTES; len++) {
        assert_int_equal(frame_get_hello(slice_sub(payload, 0, len), &got), ERR_MALFORMED);
    }
    buf_deinit(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_survive_every_split),
        cmocka_unit_test(test_probe_between_pieces),
        cmocka_unit_test(test_frames_come_at_once),
        cmocka_unit_test(test_bad_heads_are_refused),
        cmocka_unit_test(test_type_may_not_change),
        cmocka_unit_test(test_frame_limit),
        cmocka_unit_test(test_hello),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
