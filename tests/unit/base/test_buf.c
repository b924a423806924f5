/* Bytes: buf, blob, slice. */
#include "node/base/blob.h"
#include "node/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Goal: what is written comes out, in order, whatever was consumed in between.
 * Method: 10,000 pseudo-random writes and reads of a counting byte; each byte read must be the
 * next. */
static void test_write_and_consume(void **state)
{
    struct buf buf = BUF_EMPTY;
    uint8_t written = 0;
    uint8_t read = 0;
    uint32_t seed = 1;
    (void)state;

    for (unsigned round = 0; round < 10000; round++) {
        size_t len = (seed >> 16) % 300;

        seed = seed * 1103515245 + 12345;
        if ((seed >> 20) % 2 == 0) {
            for (size_t i = 0; i < len; i++) {
                buf_append_u8(&buf, written++);
            }
            continue;
        }
        len = len < buf_len(&buf) ? len : buf_len(&buf);
        for (size_t i = 0; i < len; i++) {
            assert_int_equal(buf_slice(&buf).data[i], read++);
        }
        buf_consume(&buf, len);
    }
    assert_int_equal((uint8_t)(read + buf_len(&buf)), written);
    buf_deinit(&buf);
    assert_null(buf.data);
}

/* Goal: integers keep their value and sort as their bytes do. */
static void test_integers(void **state)
{
    struct buf buf = BUF_EMPTY;
    const uint8_t *data;
    (void)state;

    buf_append_u16(&buf, 0x0102);
    buf_append_u32(&buf, 0x03040506);
    buf_append_u64(&buf, 0x0708090a0b0c0d0e);
    data = buf_slice(&buf).data;
    for (uint8_t i = 0; i < 14; i++) {
        assert_int_equal(data[i], i + 1);
    }
    assert_int_equal(get_u16(data), 0x0102);
    assert_int_equal(get_u32(data + 2), 0x03040506);
    assert_true(get_u64(data + 6) == 0x0708090a0b0c0d0e);
    buf_deinit(&buf);
}

static void test_text(void **state)
{
    struct buf buf = BUF_EMPTY;
    (void)state;

    assert_string_equal(buf_text(&buf), "");
    assert_int_equal(buf_len(&buf), 0);
    buf_printf(&buf, "%d-%s", 7, "x");
    assert_string_equal(buf_text(&buf), "7-x");
    assert_int_equal(buf_len(&buf), 3);
    buf_consume(&buf, 2);
    assert_string_equal(buf_text(&buf), "x");
    buf_clear(&buf);
    assert_int_equal(buf_len(&buf), 0);
    buf_append(&buf, slice_make(NULL, 0));
    buf_append_str(&buf, NULL);
    assert_int_equal(buf_len(&buf), 0);
    buf_wipe(&buf);
    buf_wipe(&buf);
}

/* Goal: what was taken away with care is not in memory any more, what stands behind it is.
 * Method: look at the bytes where they stood. */
static void test_consume_wiping(void **state)
{
    struct buf buf = BUF_EMPTY;
    (void)state;

    buf_append_str(&buf, "secret, rest");
    buf_consume_wiping(&buf, strlen("secret"));
    assert_memory_equal(buf.data, "\0\0\0\0\0\0, rest", strlen("secret, rest"));
    assert_string_equal(buf_text(&buf), ", rest");
    buf_wipe(&buf);
}

static void test_slices(void **state)
{
    const struct slice abc = slice_str("abc");
    (void)state;

    assert_true(slice_eq(abc, slice_str("abc")));
    assert_false(slice_eq(abc, slice_str("ab")));
    assert_true(slice_eq(slice_str(""), slice_str(NULL)));
    assert_true(slice_eq_str(slice_sub(abc, 1, 2), "b"));
    assert_int_equal(slice_sub(slice_str(NULL), 0, 0).len, 0);
    assert_true(slice_starts_with(abc, slice_str("ab")));
    assert_true(slice_starts_with(abc, slice_str("")));
    assert_false(slice_starts_with(abc, slice_str("abcd")));
    assert_true(slice_cmp(abc, slice_str("abd")) < 0);
    assert_true(slice_cmp(abc, slice_str("ab")) > 0);
    assert_true(slice_cmp(slice_str("\xff"), slice_str("a")) > 0); /* bytes are unsigned */
    assert_int_equal(slice_cmp(abc, abc), 0);
}

/* Goal: a blob lives until its last reference goes (under ASan: no longer, and no shorter). */
static void test_blob(void **state)
{
    struct blob *first = blob_new(slice_str("hello"));
    struct blob *second = blob_ref(first);
    struct blob *none = NULL;
    (void)state;

    blob_unref(&first);
    assert_null(first);
    assert_true(slice_eq_str(blob_slice(second), "hello"));
    blob_unref(&second);
    blob_unref(&none);
    first = blob_new(slice_make(NULL, 0));
    assert_int_equal(blob_slice(first).len, 0);
    blob_unref(&first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_consume),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_consume_wiping),
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_blob),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
