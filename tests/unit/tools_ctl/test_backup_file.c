/* The end of a backup: what is taken for one, and what is not. */
#include "tests/unit/tools_ctl/said.h"

#include "tools/ctl/backup_file.h"

#include "node/base/assert.h"

#define STORE_BYTES 8192
#define MANIFEST                                                                                   \
    "{\"cluster\": \"c\", \"domains\": [\"x\", \"y\"], \"schema\": 3, "                            \
    "\"mark\": {\"index\": 7, \"term\": 2, \"hash\": \"00000000000000ff\"}}"

/* A footer as bytes, for a store and a manifest of these lengths. */
static void write_footer(struct buf *out, uint64_t store_bytes, uint32_t manifest_bytes)
{
    const struct backup_footer footer = {.store_bytes = store_bytes,
                                         .manifest_bytes = manifest_bytes};
    uint8_t digest[BACKUP_DIGEST_BYTES];

    memset(digest, 7, sizeof(digest));
    backup_footer_begin(&footer, out);
    buf_append(out, slice_make(digest, sizeof(digest)));
}

/* Goal: a footer comes back as it was written, in a file of the length that it says.
 * Method: round trip; then a file of any other length. */
static void test_footer(void **state)
{
    const uint64_t file_bytes = STORE_BYTES + 100 + BACKUP_FOOTER_BYTES;
    struct backup_footer footer;
    struct buf bytes = BUF_EMPTY;

    (void)state;
    write_footer(&bytes, STORE_BYTES, 100);
    assert_int_equal(buf_len(&bytes), BACKUP_FOOTER_BYTES);
    assert_int_equal(backup_footer_decode(buf_slice(&bytes), file_bytes, &footer), 0);
    assert_int_equal(footer.store_bytes, STORE_BYTES);
    assert_int_equal(footer.manifest_bytes, 100);
    assert_int_equal(footer.digest[BACKUP_DIGEST_BYTES - 1], 7);
    for (uint64_t other = 0; other < 2 * file_bytes; other++) {
        if (other != file_bytes) {
            assert_true(backup_footer_decode(buf_slice(&bytes), other, &footer) < 0);
        }
    }
    buf_deinit(&bytes);
}

/* Goal: what is no footer, of a newer program, or says what cannot be, is told apart.
 * Method: one field at a time. */
static void test_footer_faults(void **state)
{
    static const struct {
        size_t at;
        int rc;
    } cases[] = {{0, ERR_MALFORMED}, {7, ERR_MALFORMED}, {11, ERR_VERSION},
                 {12, ERR_CORRUPT},  {15, ERR_CORRUPT},  {16, ERR_CORRUPT},
                 {23, ERR_CORRUPT},  {24, ERR_CORRUPT},  {31, ERR_CORRUPT}};
    const uint64_t file_bytes = STORE_BYTES + 100 + BACKUP_FOOTER_BYTES;

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct backup_footer footer;
        struct buf bytes = BUF_EMPTY;

        write_footer(&bytes, STORE_BYTES, 100);
        bytes.data[cases[i].at] ^= 0x80;
        assert_int_equal(backup_footer_decode(buf_slice(&bytes), file_bytes, &footer), cases[i].rc);
        buf_deinit(&bytes);
    }
}

/* Goal: a manifest says what it must, whatever else it says, or is refused.
 * Method: a good one; then one with each part missing or other than it may be. */
static void test_manifest(void **state)
{
    static const struct {
        const char *part;
        const char *instead;
    } cases[] = {{"\"cluster\"", "\"custer\""},
                 {"\"c\"", "1"},
                 {"[\"x\", \"y\"]", "\"x\""},
                 {"\"y\"", "2"},
                 {"3", "0"},
                 {"3", "99999999999"},
                 {"7", "0"},
                 {"7", "\"7\""},
                 {"2", "-2"},
                 {"00000000000000ff", "00000000000000fF"},
                 {"00000000000000ff", "ff"},
                 {"{\"index\"", "[{\"index\""},
                 {"}}", "}"}};
    struct backup_manifest manifest;

    (void)state;
    assert_int_equal(backup_manifest_decode(slice_str(MANIFEST), &manifest), 0);
    assert_string_equal(manifest.cluster, "c");
    assert_string_equal(manifest.domain, "x");
    assert_int_equal(manifest.schema, 3);
    assert_int_equal(manifest.index, 7);
    assert_int_equal(manifest.term, 2);
    assert_int_equal(manifest.hash, 255);
    backup_manifest_deinit(&manifest);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const char *at = strstr(MANIFEST, cases[i].part);
        struct buf text = BUF_EMPTY;

        buf_printf(&text, "%.*s%s%s", (int)(at - MANIFEST), MANIFEST, cases[i].instead,
                   at + strlen(cases[i].part));
        if (backup_manifest_decode(buf_slice(&text), &manifest) == 0) {
            fail_msg("taken: %s", buf_text(&text));
        }
        buf_deinit(&text);
    }
    assert_int_equal(backup_manifest_decode(slice_str(""), &manifest), ERR_MALFORMED);
    assert_int_equal(backup_manifest_decode(slice_str("[]"), &manifest), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_footer),
        cmocka_unit_test(test_footer_faults),
        cmocka_unit_test(test_manifest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
