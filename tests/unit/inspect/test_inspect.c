/* Runs the program itself: INSPECT_PROGRAM, from the build. */
#include "storage/state/rows.h"
#include "tests/unit/storage_kv/fixture.h"

#include <sys/wait.h>

#define RESUME_ID "of-resume"

/* Run with these arguments; the output, and the exit status. */
static int run(const char *arguments, char *output, size_t size)
{
    char command[512];
    size_t len;
    int status;
    FILE *pipe;

    status = snprintf(command, sizeof(command), "%s %s 2>&1", INSPECT_PROGRAM, arguments);
    assert_in_range(status, 1, sizeof(command) - 1);
    pipe = popen(command, "re");
    assert_non_null(pipe);
    len = fread(output, 1, size - 1, pipe);
    output[len] = '\0';
    status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void put_account(struct kv *kv, const char *key, uint64_t version)
{
    uint8_t bytes[64];
    Pb__AccountRow row = PB__ACCOUNT_ROW__INIT;

    row.version = version;
    kv_put(kv, TABLE_ACCOUNT, slice_str(key),
           slice_make(bytes, pb__account_row__pack(&row, bytes)));
}

static void make_store(const struct test_dir *dir)
{
    struct test_store store;
    struct kv_config config;

    test_store_init(&store);
    config = test_config(&store, dir->path);
    config.tables = state_tables;
    config.table_count = state_table_count;
    assert_int_equal(kv_open(&config, &store.kv), 0);
    put_account(store.kv, "one", 1);
    put_account(store.kv, "two", 22);
    put_account(store.kv, "twofold", 333);
    kv_put(store.kv, TABLE_RESUME, slice_str(RESUME_ID), slice_str(""));
    kv_put(store.kv, TABLE_ENDED, slice_str(RESUME_ID), slice_str(""));
    kv_close_window(store.kv, 4711, 8);
    kv_close(&store.kv);
}

/* Goal: the summary names mark, tables and hash, and the listing rows by prefix and limit.
 * Method: a store with three rows; the output by letter, as far as it is fixed. */
static void test_output(void **state)
{
    char arguments[256];
    char output[8192];
    struct test_dir dir;
    (void)state;

    test_dir_make(&dir);
    make_store(&dir);
    assert_int_equal(run(dir.path, output, sizeof(output)), 0);
    assert_non_null(strstr(output, "applied index    4711\napplied term     8\n"));
    assert_non_null(strstr(output, "  equal\n"));
    assert_non_null(strstr(output, "account                         3"));

    (void)snprintf(arguments, sizeof(arguments), "--table account %s", dir.path);
    assert_int_equal(run(arguments, output, sizeof(output)), 0);
    assert_string_equal(output, "one\t{version: 1}\ntwo\t{version: 22}\ntwofold\t{version: 333}\n");
    (void)snprintf(arguments, sizeof(arguments), "--table account --prefix tw --limit 1 %s",
                   dir.path);
    assert_int_equal(run(arguments, output, sizeof(output)), 0);
    assert_string_equal(output, "two\t{version: 22}\n");
    (void)snprintf(arguments, sizeof(arguments), "--table account --prefix two --hex %s", dir.path);
    assert_int_equal(run(arguments, output, sizeof(output)), 0);
    assert_string_equal(output, "74776f\t0816\n74776f666f6c64\t08cd02\n");
    test_dir_remove(&dir);
}

/* Goal: who reads a listing cannot take over a session.
 * Method: tables whose keys are resumption ids, without and with --secrets. */
static void test_resumption_ids(void **state)
{
    static const char *const tables[] = {"resume", "ended"};
    char arguments[256];
    char output[8192];
    struct test_dir dir;
    (void)state;

    test_dir_make(&dir);
    make_store(&dir);
    for (size_t i = 0; i < ARRAY_COUNT(tables); i++) {
        (void)snprintf(arguments, sizeof(arguments), "--table %s %s", tables[i], dir.path);
        assert_int_equal(run(arguments, output, sizeof(output)), 0);
        assert_null(strstr(output, RESUME_ID));
        assert_non_null(strstr(output, "<9 bytes>\t"));
        (void)snprintf(arguments, sizeof(arguments), "--secrets --table %s %s", tables[i],
                       dir.path);
        assert_int_equal(run(arguments, output, sizeof(output)), 0);
        assert_non_null(strstr(output, RESUME_ID "\t"));
    }
    test_dir_remove(&dir);
}

/* Goal: scripts can tell what went wrong by the exit status.
 * Method: no arguments, bad ones, a table that is not there, a path that is no store. */
static void test_exit_status(void **state)
{
    char arguments[256];
    char output[8192];
    struct test_dir dir;
    (void)state;

    test_dir_make(&dir);
    make_store(&dir);
    assert_int_equal(run("--help", output, sizeof(output)), 0);
    assert_non_null(strstr(output, "SYNOPSIS"));
    assert_int_equal(run("", output, sizeof(output)), 2);
    assert_int_equal(run("--limit 1x /tmp", output, sizeof(output)), 2);
    assert_int_equal(run("--prefix 'a\\' --table t /tmp", output, sizeof(output)), 2);
    (void)snprintf(arguments, sizeof(arguments), "--table nonesuch %s", dir.path);
    assert_int_equal(run(arguments, output, sizeof(output)), 2);
    assert_int_equal(run("/nonexistent", output, sizeof(output)), 3);
    test_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_resumption_ids),
        cmocka_unit_test(test_exit_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
