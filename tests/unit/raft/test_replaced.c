/* What of a log's folder is removed before libraft reads it (raft/log/replaced). */
#include "raft/log/internal.h"
#include "tests/unit/raft/cluster.h"

#define TERM 3

static char dir[SCRATCH_BYTES];
static struct rlog rlog;

static void path_of(const char *name, char *out, size_t size)
{
    (void)snprintf(out, size, "%s/%s", dir, name);
}

static void put(const char *name, struct slice bytes)
{
    char path[SCRATCH_BYTES + 96];
    FILE *file;

    path_of(name, path, sizeof(path));
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.len, file), bytes.len);
    assert_int_equal(fclose(file), 0);
}

static bool is_there(const char *name)
{
    char path[SCRATCH_BYTES + 96];

    path_of(name, path, sizeof(path));
    return access(path, F_OK) == 0;
}

static void append_number(struct buf *out, uint64_t number, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        buf_append_u8(out, i < 8 ? (uint8_t)(number >> 8 * i) : 0);
    }
}

/* A segment of two batches with two entries each, all of one term (raft_uv's format; checksums are
 * not looked at). */
static void put_segment(const char *name)
{
    struct buf bytes = BUF_EMPTY;

    append_number(&bytes, 1, 8);
    for (int batch = 0; batch < 2; batch++) {
        append_number(&bytes, 0, 8);
        append_number(&bytes, 2, 8);
        for (int entry = 0; entry < 2; entry++) {
            append_number(&bytes, TERM, 8);
            append_number(&bytes, 1, 4);
            append_number(&bytes, 8, 4);
        }
        append_number(&bytes, 0, 16);
    }
    put(name, buf_slice(&bytes));
    buf_deinit(&bytes);
}

#define FIRST  "0000000000000001-0000000000000004"
#define SECOND "0000000000000005-0000000000000008"

static int set_up(void **state)
{
    static const uint8_t zeros[4096];

    (void)state;
    scratch_folder(dir, "replaced");
    rlog.config.dir = dir;
    put("copied", slice_str("2\n"));
    put_segment(FIRST);
    put_segment(SECOND);
    put("open-1", slice_make(zeros, sizeof(zeros)));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_dir(dir);
    return 0;
}

static void put_snapshot(const char *name)
{
    char meta[64];

    (void)snprintf(meta, sizeof(meta), "%s.meta", name);
    put(name, slice_str("manifest"));
    put(meta, slice_str("members"));
}

static bool removes(void)
{
    rlog_remove_replaced(&rlog);
    assert_int_equal(is_there(FIRST), is_there(SECOND));
    assert_true(is_there("open-1"));
    return !is_there(FIRST);
}

/* Goal: segments that end before the snapshot go. */
static void test_before_the_snapshot(void **state)
{
    (void)state;
    put_snapshot("snapshot-3-9-100");
    assert_true(removes());
}

/* Goal: so do those that reach behind it with entries of an earlier term: another log's. */
static void test_of_another_log(void **state)
{
    (void)state;
    put_snapshot("snapshot-5-7-100");
    assert_true(removes());
}

/* Goal: nothing that may count is removed. Method: a snapshot that the log goes on behind; one
 * without its second file, or that is empty; an earlier one beside; entries in an open segment; no
 * mark of a copy. */
static void test_what_stays(void **state)
{
    (void)state;
    assert_false(removes());
    put_snapshot("snapshot-3-7-100");
    assert_false(removes());
    put("snapshot-4-9-100.meta", slice_str("members"));
    assert_false(removes());
    put("snapshot-4-9-100", slice_str(""));
    assert_false(removes());
    put_snapshot("snapshot-3-8-200");
    assert_false(removes());
    put_segment("open-2");
    put_snapshot("snapshot-5-9-300");
    assert_false(removes());
    put("open-2", slice_make("\0\0\0\0\0\0\0", 8));
    put("copied", slice_str("2\n"));
    assert_true(removes());
}

static void test_without_a_mark(void **state)
{
    char path[SCRATCH_BYTES + 96];
    (void)state;

    put_snapshot("snapshot-3-9-100");
    path_of("copied", path, sizeof(path));
    assert_int_equal(unlink(path), 0);
    assert_false(removes());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_before_the_snapshot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_of_another_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_a_mark, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
