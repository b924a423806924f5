/* The bytes of a log entry. */
#include "tests/unit/storage_state/world.h"

#include <stdlib.h>

static const struct entry_stamp stamp = {
    .version = 1, .time_ms = 7, .wall_ms = 1700000000000, .seed = "0123456789abcdef"};

static void write_batch(struct buf *out)
{
    struct entry_writer writer;
    const struct entry_command first = {.incarnation = 3, .seq = 9, .bytes = slice_str("hello")};
    const struct entry_command second = {.incarnation = 0, .seq = 0, .bytes = slice_str("")};

    entry_begin(&writer, out, ENTRY_BATCH, &stamp);
    entry_add(&writer, &first);
    entry_add(&writer, &second);
    entry_finish(&writer);
}

/* Goal: what is written is read back, wherever in a buffer the entry stands.
 * Method: write two entries behind each other into a buffer whose front was consumed. */
static void test_round_trip(void **state)
{
    struct buf out = BUF_EMPTY;
    struct entry_reader reader;
    struct entry_command command;
    size_t first_len;
    (void)state;

    buf_append_str(&out, "xyz");
    buf_consume(&out, 3);
    write_batch(&out);
    first_len = buf_len(&out);
    write_batch(&out);
    assert_int_equal(first_len % 8, 0);

    assert_int_equal(entry_open(slice_sub(buf_slice(&out), first_len, buf_len(&out)), &reader), 0);
    assert_int_equal(reader.kind, ENTRY_BATCH);
    assert_int_equal(reader.count, 2);
    assert_int_equal(reader.stamp.version, stamp.version);
    assert_int_equal(reader.stamp.time_ms, stamp.time_ms);
    assert_int_equal(reader.stamp.wall_ms, stamp.wall_ms);
    assert_memory_equal(reader.stamp.seed, stamp.seed, sizeof(stamp.seed));
    assert_int_equal(entry_next(&reader, &command), 1);
    assert_int_equal(command.incarnation, 3);
    assert_int_equal(command.seq, 9);
    assert_true(slice_eq_str(command.bytes, "hello"));
    assert_int_equal(entry_next(&reader, &command), 1);
    assert_int_equal(command.bytes.len, 0);
    assert_int_equal(entry_next(&reader, &command), 0);
    buf_deinit(&out);
}

/* Goal: a damaged entry is refused, never read past its end.
 * Method: cut it at every length, in a block of exactly that size (ASan watches). */
static void test_every_cut_is_refused(void **state)
{
    struct buf out = BUF_EMPTY;
    struct entry_reader reader;
    (void)state;

    write_batch(&out);
    for (size_t len = 0; len < buf_len(&out); len++) {
        uint8_t *copy = malloc(len + 1);

        memcpy(copy, buf_slice(&out).data, len);
        assert_int_equal(entry_open(slice_make(copy, len), &reader), ERR_MALFORMED);
        free(copy);
    }
    buf_deinit(&out);
}

/* Goal: counts and lengths inside are not believed.
 * Method: change each byte of the header and of the first command's length; reading must end. */
static void test_every_changed_byte_is_survived(void **state)
{
    struct buf out = BUF_EMPTY;
    struct entry_reader reader;
    struct entry_command command;
    (void)state;

    write_batch(&out);
    for (size_t at = 0; at < buf_len(&out); at++) {
        for (unsigned value = 0; value < 256; value += 15) {
            uint8_t old = out.data[at];
            int rc;

            out.data[at] = (uint8_t)value;
            rc = entry_open(buf_slice(&out), &reader);
            while (rc == 0 && (rc = entry_next(&reader, &command)) == 1) {
                rc = 0;
                assert_true(command.bytes.len <= buf_len(&out));
                if (reader.count == 0 && reader.rest.len < 8) {
                    break;
                }
            }
            out.data[at] = old;
        }
    }
    buf_deinit(&out);
}

/* Goal: an entry of a newer program stops the node; it is never skipped.
 * Method: raise the version, then the kind. */
static void test_newer_is_a_version_error(void **state)
{
    struct buf out = BUF_EMPTY;
    struct entry_reader reader;
    (void)state;

    write_batch(&out);
    out.data[1] = ENTRY_VERSION + 1;
    assert_int_equal(entry_open(buf_slice(&out), &reader), ERR_VERSION);
    out.data[1] = ENTRY_VERSION;
    out.data[2] = ENTRY_STAMP + 1;
    assert_int_equal(entry_open(buf_slice(&out), &reader), ERR_VERSION);
    out.data[2] = 0;
    assert_int_equal(entry_open(buf_slice(&out), &reader), ERR_MALFORMED);
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_every_changed_byte_is_survived),
        cmocka_unit_test(test_newer_is_a_version_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
