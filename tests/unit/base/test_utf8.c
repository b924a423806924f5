/* UTF-8: exactly the sequences of RFC 3629. */
#include "node/base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static size_t encode(uint32_t point, uint8_t out[4])
{
    if (point < 0x80) {
        out[0] = (uint8_t)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (uint8_t)(0xc0 | point >> 6);
        out[1] = (uint8_t)(0x80 | (point & 63));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (uint8_t)(0xe0 | point >> 12);
        out[1] = (uint8_t)(0x80 | (point >> 6 & 63));
        out[2] = (uint8_t)(0x80 | (point & 63));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | point >> 18);
    out[1] = (uint8_t)(0x80 | (point >> 12 & 63));
    out[2] = (uint8_t)(0x80 | (point >> 6 & 63));
    out[3] = (uint8_t)(0x80 | (point & 63));
    return 4;
}

/* Goal: every code point but NUL and surrogates is accepted, whole only. */
static void test_every_code_point(void **state)
{
    (void)state;

    for (uint32_t point = 0; point < 0x110000; point++) {
        uint8_t bytes[4];
        size_t len = encode(point, bytes);
        bool valid = point != 0 && (point < 0xd800 || point > 0xdfff);

        assert_int_equal(utf8_sequence_len(slice_make(bytes, len)), valid ? len : 0);
        assert_int_equal(utf8_valid_text(slice_make(bytes, len)), valid);
        if (len > 1) {
            assert_int_equal(utf8_sequence_len(slice_make(bytes, len - 1)), 0);
        }
    }
}

/* Goal: nothing else is accepted.
 * Method: every sequence of two and three bytes that begins outside ASCII is valid only if decoding
 * and encoding it again gives the same bytes. */
static void test_every_other_sequence(void **state)
{
    (void)state;

    for (uint32_t value = 0x800000; value <= 0xffffff; value++) {
        const uint8_t bytes[3] = {(uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
        size_t len = utf8_sequence_len(slice_make(bytes, 3));
        uint8_t again[4];
        uint32_t point;

        if (len == 0) {
            continue;
        }
        point = len == 2 ? (bytes[0] & 31u) << 6 | (bytes[1] & 63u)
                         : (bytes[0] & 15u) << 12 | (bytes[1] & 63u) << 6 | (bytes[2] & 63u);
        assert_int_equal(encode(point, again), len);
        assert_memory_equal(again, bytes, len);
    }
}

static void test_bounds(void **state)
{
    (void)state;
    assert_int_equal(utf8_sequence_len(slice_str("\xf4\x90\x80\x80")), 0); /* U+110000 */
    assert_int_equal(utf8_sequence_len(slice_str("\xf0\x8f\xbf\xbf")), 0); /* overlong */
    assert_int_equal(utf8_sequence_len(slice_str("\xf5\x80\x80\x80")), 0);
    assert_int_equal(utf8_sequence_len(slice_str(NULL)), 0);
    assert_true(utf8_valid_text(slice_str(NULL)));
    assert_false(utf8_valid_text(slice_make("a\0", 2)));
    assert_true(utf8_is_ascii(slice_str("a\x7f")));
    assert_false(utf8_is_ascii(slice_str("a\x80")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_every_other_sequence),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
