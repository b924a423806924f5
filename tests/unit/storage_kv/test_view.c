/* A store looked at from outside. */
#include "storage/kv/kv_view.h"
#include "tests/unit/storage_kv/fixture.h"

#include <fcntl.h>

static void check_table(struct kv_view *view, const struct model *model, unsigned table)
{
    struct kv_view_table info;
    struct slice key;
    struct slice value;
    uint64_t count = 0;

    assert_int_equal(kv_view_table(view, table, &info), 0);
    assert_string_equal(info.name, test_tables[table]);
    assert_int_equal(kv_view_seek(view, table, slice_make(NULL, 0)), 0);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        struct slice expected = model_value(model, table, i);

        if (expected.data != NULL) {
            assert_int_equal(kv_view_next(view, &key, &value), 1);
            assert_true(slice_eq(key, model_key(model, i)));
            assert_true(slice_eq(value, expected));
            count++;
        }
    }
    assert_int_equal(kv_view_next(view, &key, &value), 0);
    assert_int_equal(kv_view_next(view, &key, &value), 0);
    assert_true(info.row_count == count);
}

static void check_view(const char *path, const struct model *model, uint64_t mark_index)
{
    struct kv_view *view = NULL;
    struct kv_view_info info;
    struct slice key;
    struct slice value;
    uint64_t hash = 0;

    assert_int_equal(kv_view_open(path, &view), 0);
    kv_view_info(view, &info);
    assert_true(info.schema == 1 && info.table_count == TABLE_COUNT);
    assert_true(info.mark.index == mark_index && info.mark.hash == model_hash(model));
    assert_int_equal(kv_view_hash(view, &hash), 0);
    assert_true(hash == info.mark.hash);
    for (unsigned table = 0; table < TABLE_COUNT; table++) {
        check_table(view, model, table);
    }
    assert_int_equal(kv_view_seek(view, 0, slice_make("\xff\xff\xff", 3)), 0);
    assert_int_equal(kv_view_next(view, &key, &value), 0); /* behind the last row */
    kv_view_close(&view);
}

/* Goal: what a look from outside shows is the state at the mark, of a store and of a copy; and it
 * leaves nothing behind.
 * Method: run the workload, look at the closed store with and without LMDB's lock file, and at a
 * copy; compare with the model. */
static void test_view_equals_model(void **state)
{
    static struct model model;
    struct test_dir dir;
    struct test_store store;
    struct kv_mark mark;
    int fd;
    (void)state;

    test_dir_make(&dir);
    model_init(&model);
    test_store_open(&store, dir.path);
    for (uint64_t entry = 1; entry <= 10 * MARK_EVERY; entry++) {
        workload_apply(entry, &model, store.kv);
    }
    test_store_wait(&store, 10 * MARK_EVERY);
    fd = open(test_path(&dir, "copy.mdb"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_int_equal(kv_copy(store.kv, fd, &mark), 0);
    assert_int_equal(close(fd), 0);
    kv_close(&store.kv);

    check_view(dir.path, &model, 10 * MARK_EVERY);
    check_view(test_path(&dir, "copy.mdb"), &model, 10 * MARK_EVERY);
    assert_int_equal(unlink(test_path(&dir, "lock.mdb")), 0);
    check_view(dir.path, &model, 10 * MARK_EVERY);
    assert_int_not_equal(access(test_path(&dir, "lock.mdb"), F_OK), 0);
    model_deinit(&model);
    test_dir_remove(&dir);
}

/* Goal: a path that is no store is told apart.
 * Method: nothing there, an empty directory, a file of something else. */
static void test_view_refuses(void **state)
{
    static const uint8_t garbage[8192];
    struct test_dir dir;
    struct kv_view *view = NULL;
    int fd;
    (void)state;

    assert_int_equal(kv_view_open("/nonexistent/muster", &view), ERR_NOT_FOUND);
    test_dir_make(&dir);
    assert_int_equal(kv_view_open(dir.path, &view), ERR_NOT_FOUND);
    fd = open(test_path(&dir, "copy.mdb"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, garbage, sizeof(garbage)), sizeof(garbage));
    assert_int_equal(close(fd), 0);
    assert_int_equal(kv_view_open(test_path(&dir, "copy.mdb"), &view), ERR_CORRUPT);
    test_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_view_equals_model),
        cmocka_unit_test(test_view_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
