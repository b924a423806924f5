/* All layers of the store against a naive model. */
#include "tests/unit/storage_kv/fixture.h"

#define MODEL_OPS 30000

/* Compare a range, or the rows of a prefix, from a random place. */
static void check_random_range(uint64_t *random, const struct model *model, struct kv *kv)
{
    unsigned table = (unsigned)test_below(random, TABLE_COUNT);
    size_t index = test_below(random, KEY_COUNT);
    struct slice from = model_key(model, index);
    struct slice prefix = slice_sub(from, 0, from.len < 4 ? from.len : 4);
    struct kv_iter *iter = kv_iter_open(kv, table, from);

    model_check_iter(model, table, index, slice_make(NULL, 0), iter);
    kv_iter_close(&iter);
    iter = kv_iter_open_prefix(kv, table, prefix);
    model_check_iter(model, table, 0, prefix, iter);
    kv_iter_close(&iter);
}

/* Goal: whatever layer a row is in, reads see the newest; reopening gives the last mark.
 * Method: random changes, ranges, marks, ends of turns and reopenings against the model. The
 * checkpoint thread runs freely, so windows are in memory, in LMDB, or both. */
static void test_store_equals_model(void **state)
{
    static struct model model;
    static struct model at_mark;
    struct test_dir dir;
    struct test_store store;
    uint64_t random = 20261122;
    uint64_t mark = 0;
    (void)state;

    test_dir_make(&dir);
    model_init(&model);
    model_init(&at_mark);
    test_store_open(&store, dir.path);
    for (size_t op = 0; op < MODEL_OPS; op++) {
        size_t dice = test_below(&random, 1000);

        if (dice < 3) { /* what was not closed by a mark is forgotten */
            kv_close(&store.kv);
            test_store_open(&store, dir.path);
            model_copy(&model, &at_mark);
            model_check(&model, store.kv);
        } else if (dice < 13) {
            kv_close_window(store.kv, ++mark, 1);
            model_copy(&at_mark, &model);
        } else if (dice < 18) {
            test_store_wait(&store, mark);
        } else if (dice < 60) {
            kv_end_turn(store.kv);
        } else if (dice < 110) {
            check_random_range(&random, &model, store.kv);
        } else {
            workload_change(&random, &model, store.kv);
        }
    }
    model_check(&model, store.kv);
    kv_close(&store.kv);
    model_deinit(&at_mark);
    model_deinit(&model);
    test_dir_remove(&dir);
}

/* Goal: the hash brought up to date window by window is the sum over all rows.
 * Method: wait for every mark; compare with the model, with a scrub, and after reopening. */
static void test_hash_is_the_sum_over_rows(void **state)
{
    static struct model model;
    struct test_dir dir;
    struct test_store store;
    struct kv_mark mark;
    struct kv_mark scrubbed = {0};
    uint64_t scrub_hash = 0;
    (void)state;

    test_dir_make(&dir);
    model_init(&model);
    test_store_open(&store, dir.path);
    for (uint64_t entry = 1; entry <= 40 * MARK_EVERY; entry++) {
        workload_apply(entry, &model, store.kv);
        if (entry % MARK_EVERY == 0) {
            test_store_wait(&store, entry);
            assert_int_equal(store.status, 0);
            assert_true(store.durable_hash == model_hash(&model));
            assert_int_equal(kv_scrub(store.kv, &scrubbed, &scrub_hash), 0);
            assert_true(scrubbed.index == entry && scrub_hash == store.durable_hash);
        }
    }
    kv_close(&store.kv);
    test_store_open(&store, dir.path);
    kv_durable_mark(store.kv, &mark);
    assert_true(mark.index == 40 * MARK_EVERY && mark.hash == model_hash(&model));
    assert_true(mark.term == 1 + mark.index / 100);
    kv_close(&store.kv);
    model_deinit(&model);
    test_dir_remove(&dir);
}

/* Goal: a window that changes nothing still moves the applied index, and leaves the hash. */
static void test_empty_window(void **state)
{
    struct test_dir dir;
    struct test_store store;
    uint64_t index;
    uint64_t term;
    (void)state;

    test_dir_make(&dir);
    test_store_open(&store, dir.path);
    kv_applied(store.kv, &index, &term);
    assert_true(index == 0 && term == 0);
    kv_close_window(store.kv, 17, 3);
    test_store_wait(&store, 17);
    kv_applied(store.kv, &index, &term);
    assert_true(index == 17 && term == 3);
    assert_true(store.durable_hash == 0);
    kv_close(&store.kv);
    test_dir_remove(&dir);
}

/* Goal: a value read stays valid while nothing is written, though its window becomes durable.
 * Method: hold values from the open window, a closed one and LMDB across the checkpoint. ASan and
 * the content tell. */
static void test_values_live_until_the_next_write(void **state)
{
    struct test_dir dir;
    struct test_store store;
    struct slice values[3];
    (void)state;

    test_dir_make(&dir);
    test_store_open(&store, dir.path);
    kv_put(store.kv, 0, slice_str("disk"), slice_str("on disk"));
    kv_close_window(store.kv, 1, 1);
    test_store_wait(&store, 1);
    kv_end_turn(store.kv);
    kv_put(store.kv, 0, slice_str("closed"), slice_str("in a closed window"));
    kv_close_window(store.kv, 2, 1);
    kv_put(store.kv, 0, slice_str("open"), slice_str("in the open window"));

    assert_true(kv_get(store.kv, 0, slice_str("disk"), &values[0]));
    assert_true(kv_get(store.kv, 0, slice_str("closed"), &values[1]));
    assert_true(kv_get(store.kv, 0, slice_str("open"), &values[2]));
    test_store_wait(&store, 2);
    assert_true(kv_get(store.kv, 0, slice_str("disk"), &values[0]));
    assert_true(slice_eq_str(values[0], "on disk"));
    assert_true(slice_eq_str(values[1], "in a closed window"));
    assert_true(slice_eq_str(values[2], "in the open window"));

    kv_put(store.kv, 0, slice_str("new"), values[1]); /* drops the closed window, after copying */
    assert_true(kv_get(store.kv, 0, slice_str("new"), &values[0]));
    assert_true(slice_eq_str(values[0], "in a closed window"));
    kv_close(&store.kv);
    test_dir_remove(&dir);
}

/* Goal: the caller is told to take no more before memory runs out, and memory is given back.
 * Method: close more bytes than allowed at once; wait until they are durable. */
static void test_pressure(void **state)
{
    static uint8_t bytes[1 << 20];
    struct test_dir dir;
    struct test_store store;
    size_t unwritten;
    size_t rows;
    (void)state;

    test_dir_make(&dir);
    test_store_open(&store, dir.path);
    for (uint64_t i = 1; i <= 12; i++) {
        uint8_t key[] = {(uint8_t)i};

        kv_put(store.kv, 0, slice_make(key, 1), slice_make(bytes, sizeof(bytes)));
    }
    assert_false(kv_pressure(store.kv)); /* an open window is the leader's to bound */
    kv_usage(store.kv, &unwritten, &rows);
    assert_true(unwritten >= 12 * sizeof(bytes) && rows == 12);
    kv_close_window(store.kv, 12, 1);
    assert_true(kv_pressure(store.kv) || store.durable_index == 12);
    test_store_wait(&store, 12);
    assert_false(kv_pressure(store.kv));
    kv_end_turn(store.kv);
    kv_usage(store.kv, &unwritten, &rows);
    assert_true(unwritten < 4096 && rows == 0);
    kv_close(&store.kv);
    test_dir_remove(&dir);
}

/* Goal: the caller is told to take no more content before the map is full, and that there is room
 * again when rows are gone. Method: a map of 8 MiB, half of it reserve; fill, then delete. */
static void test_room(void **state)
{
    static uint8_t bytes[256 * 1024];
    struct test_dir dir;
    struct test_store store;
    struct kv_config config;
    uint64_t mark = 0;
    (void)state;

    test_dir_make(&dir);
    test_store_init(&store);
    config = test_config(&store, dir.path);
    config.map_bytes = 8 << 20;
    config.reserve_bytes = 4 << 20;
    assert_int_equal(kv_open(&config, &store.kv), 0);
    for (uint8_t i = 0; i < 32 && kv_has_room(store.kv); i++) {
        kv_put(store.kv, 1, slice_make(&i, 1), slice_make(bytes, sizeof(bytes)));
        kv_close_window(store.kv, ++mark, 1);
        test_store_wait(&store, mark);
    }
    assert_int_equal(store.status, 0);
    assert_false(kv_has_room(store.kv));
    assert_true(mark > 8 && mark < 17); /* about as much as is no reserve */
    for (uint8_t i = 0; i < mark; i++) {
        kv_delete(store.kv, 1, slice_make(&i, 1));
    }
    kv_close_window(store.kv, ++mark, 1);
    test_store_wait(&store, mark);
    assert_int_equal(store.status, 0);
    assert_true(kv_has_room(store.kv)); /* of free pages: the file does not shrink */
    kv_close(&store.kv);

    config.reserve_bytes = UINT64_MAX / 2; /* more than any disk has */
    config.map_bytes = 0;
    assert_int_equal(kv_open(&config, &store.kv), 0);
    assert_false(kv_has_room(store.kv));
    kv_close(&store.kv);
    test_dir_remove(&dir);
}

/* Goal: a full map (or disk) is reported once, nothing half written stays, reads go on.
 * Method: a map of 1 MiB and a window larger than that; then reopen with room. */
static void test_no_space_is_reported(void **state)
{
    static uint8_t bytes[256 * 1024];
    struct test_dir dir;
    struct test_store store;
    struct kv_config config;
    struct slice value;
    struct kv_mark mark;
    (void)state;

    test_dir_make(&dir);
    test_store_init(&store);
    config = test_config(&store, dir.path);
    config.map_bytes = 1 << 20;
    assert_int_equal(kv_open(&config, &store.kv), 0);
    kv_put(store.kv, 0, slice_str("small"), slice_str("fits"));
    kv_close_window(store.kv, 1, 1);
    test_store_wait(&store, 1);
    assert_int_equal(store.status, 0);
    for (uint8_t i = 0; i < 8; i++) {
        kv_put(store.kv, 1, slice_make(&i, 1), slice_make(bytes, sizeof(bytes)));
    }
    kv_close_window(store.kv, 2, 1);
    test_store_wait(&store, 2);
    assert_int_equal(store.status, ERR_NO_SPACE);
    assert_true(kv_get(store.kv, 1, slice_make(&(uint8_t){3}, 1), &value));
    assert_true(kv_get(store.kv, 0, slice_str("small"), &value));
    kv_close_window(store.kv, 3, 1); /* must not be written over the gap */
    kv_close(&store.kv);

    test_store_open(&store, dir.path);
    kv_durable_mark(store.kv, &mark);
    assert_true(mark.index == 1);
    assert_false(kv_get(store.kv, 1, slice_make(&(uint8_t){3}, 1), &value));
    kv_close(&store.kv);
    test_dir_remove(&dir);
}

/* Goal: a store is opened by one process once, and never by a program that does not know it all.
 * Method: open twice; reopen with a lower schema, as one that is too old, with fewer tables,
 * another table in a place; then with one table more, which is fine. */
static void test_open_refuses(void **state)
{
    static const char *const more[] = {"alpha", "beta", "gamma", "delta"};
    static const char *const other[] = {"alpha", "gamma", "beta"};
    struct test_dir dir;
    struct test_store store;
    struct kv_config config;
    struct kv *kv = NULL;
    (void)state;

    test_dir_make(&dir);
    test_store_open(&store, dir.path);
    config = test_config(&store, dir.path);
    assert_int_equal(kv_open(&config, &kv), ERR_BUSY);
    kv_put(store.kv, 0, slice_str("key"), slice_str("value"));
    kv_close_window(store.kv, 1, 1);
    kv_close(&store.kv);

    config.schema = config.schema_oldest = 0;
    assert_int_equal(kv_open(&config, &kv), ERR_VERSION);
    config.schema = config.schema_oldest = 2;
    assert_int_equal(kv_open(&config, &kv), ERR_VERSION);
    config.schema = config.schema_oldest = 1;
    config.table_count = 2;
    assert_int_equal(kv_open(&config, &kv), ERR_VERSION);
    config.table_count = 3;
    config.tables = other;
    assert_int_equal(kv_open(&config, &kv), ERR_VERSION);
    config.tables = more;
    config.table_count = 4;
    assert_int_equal(kv_open(&config, &kv), 0);
    kv_close(&kv);
    config.dir = "/nonexistent/muster";
    assert_int_equal(kv_open(&config, &kv), ERR_STORAGE);
    test_dir_remove(&dir);
}

static size_t tables_of(uint32_t schema)
{
    return schema < 2 ? TABLE_COUNT : TABLE_COUNT + 1;
}

/* Goal: a newer program leaves a store as the older one reads it, until what it writes has risen;
 * then it is refused, and untouched. Method: a program that knows another schema and a table more
 * writes, lets the older one write in between, and raises the schema. */
static void test_schema_rises(void **state)
{
    static const char *const more[] = {"alpha", "beta", "gamma", "delta"};
    struct test_dir dir;
    struct test_store store;
    struct kv_config older;
    struct kv_config newer;
    struct slice value;
    (void)state;

    test_dir_make(&dir);
    test_store_init(&store);
    older = newer = test_config(&store, dir.path);
    newer.schema = 2;
    newer.tables = more;
    newer.table_count = ARRAY_COUNT(more);
    newer.tables_of = tables_of;
    for (uint64_t mark = 1; mark <= 4; mark++) { /* by turns */
        assert_int_equal(kv_open(mark % 2 == 0 ? &older : &newer, &store.kv), 0);
        kv_put(store.kv, 0, slice_str("key"), slice_str("value"));
        kv_close_window(store.kv, mark, 1);
        kv_close(&store.kv);
    }
    assert_int_equal(kv_open(&newer, &store.kv), 0);
    kv_close_window(store.kv, 5, 1);
    kv_set_schema(store.kv, 2);
    kv_put(store.kv, TABLE_COUNT, slice_str("new"), slice_str("row"));
    kv_close_window(store.kv, 6, 1);
    kv_close(&store.kv);

    assert_int_equal(kv_open(&older, &store.kv), ERR_VERSION);
    older.schema = 2; /* it knows the rows, but not the table */
    assert_int_equal(kv_open(&older, &store.kv), ERR_VERSION);
    assert_int_equal(kv_open(&newer, &store.kv), 0);
    kv_put(store.kv, 0, slice_str("other"), slice_str("value"));
    kv_close_window(store.kv, 7, 1);
    kv_close(&store.kv);
    older.schema = 1;
    assert_int_equal(kv_open(&older, &store.kv), ERR_VERSION); /* it stays risen */
    assert_int_equal(kv_open(&newer, &store.kv), 0);
    assert_true(kv_get(store.kv, TABLE_COUNT, slice_str("new"), &value));
    assert_true(slice_eq_str(value, "row"));
    kv_close(&store.kv);
    test_dir_remove(&dir);
}

/* Goal: the row hash is part of what replicas compare: no build may change it unnoticed.
 * Method: fixed rows, fixed values; and near rows differ. */
static void test_row_hash_is_fixed(void **state)
{
    struct slice key = slice_str("user@example.test");
    struct slice value = slice_str("twelve bytes");
    (void)state;

    assert_true(kv_row_hash(3, key, value) == UINT64_C(0x38b4df540a2cfa36));
    assert_true(kv_row_hash(0, slice_str("k"), slice_make(NULL, 0)) ==
                UINT64_C(0x639c1bcc6e0c5a88));
    assert_true(kv_row_hash(4, key, value) != kv_row_hash(3, key, value));
    assert_true(kv_row_hash(0, slice_str("ab"), slice_str("c")) !=
                kv_row_hash(0, slice_str("a"), slice_str("bc")));
    assert_true(kv_row_hash(0, slice_str("a"), slice_make("\0", 1)) !=
                kv_row_hash(0, slice_str("a"), slice_make(NULL, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_equals_model),
        cmocka_unit_test(test_hash_is_the_sum_over_rows),
        cmocka_unit_test(test_empty_window),
        cmocka_unit_test(test_values_live_until_the_next_write),
        cmocka_unit_test(test_pressure),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_no_space_is_reported),
        cmocka_unit_test(test_open_refuses),
        cmocka_unit_test(test_schema_rises),
        cmocka_unit_test(test_row_hash_is_fixed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
