/* The sorted map in memory by itself. */
#include "storage/kv/delta.h"
#include "tests/unit/storage_kv/fixture.h"

/* Goal: a delta is a sorted map that keeps deletions.
 * Method: random puts and deletes against the model; then find, seek from every key, and walk. */
static void test_delta_equals_model(void **state)
{
    static struct model model;
    static bool touched[KEY_COUNT];
    struct arena arena;
    struct delta delta;
    uint64_t random = 7;
    const struct delta_row *row;
    (void)state;

    model_init(&model);
    arena_init(&arena);
    delta_init(&delta, &arena);
    for (size_t op = 0; op < 2000; op++) {
        size_t index = test_below(&random, KEY_COUNT * 2 / 3) + 10;
        uint8_t bytes[100] = {(uint8_t)op, (uint8_t)(op >> 8)};
        struct slice value = slice_make(bytes, test_below(&random, sizeof(bytes)));

        touched[index] = true;
        if (test_below(&random, 4) == 0) {
            delta_delete(&delta, model_key(&model, index));
            model_set(&model, 0, index, NULL);
        } else {
            delta_put(&delta, model_key(&model, index), value);
            model_set(&model, 0, index, &value);
        }
    }
    row = delta_seek(&delta, slice_make(NULL, 0));
    for (size_t i = 0; i < KEY_COUNT; i++) {
        assert_ptr_equal(delta_seek(&delta, model_key(&model, i)), row);
        assert_ptr_equal(delta_find(&delta, model_key(&model, i)), touched[i] ? row : NULL);
        if (touched[i]) {
            assert_true(slice_eq(delta_row_key(row), model_key(&model, i)));
            assert_int_equal(row->deleted, model.values[0][i].bytes == NULL);
            assert_true(slice_eq(delta_row_value(row), model_value(&model, 0, i)));
            row = delta_next(row);
        }
    }
    assert_null(row);
    model_deinit(&model);
    arena_deinit(&arena);
}

/* Goal: a value read may be written back, whole or in part, also when it must move to grow.
 * Method: put slices of the row's own value. */
static void test_value_may_lie_in_the_delta(void **state)
{
    struct slice key = slice_str("key");
    struct arena arena;
    struct delta delta;
    struct slice value;
    (void)state;

    arena_init(&arena);
    delta_init(&delta, &arena);
    delta_put(&delta, key, slice_str("0123456789"));
    value = delta_row_value(delta_find(&delta, key));
    delta_put(&delta, key, slice_sub(value, 2, 9));
    assert_true(slice_eq_str(delta_row_value(delta_find(&delta, key)), "2345678"));

    delta_put(&delta, slice_str("other"), delta_row_value(delta_find(&delta, key)));
    assert_true(slice_eq_str(delta_row_value(delta_find(&delta, slice_str("other"))), "2345678"));
    arena_deinit(&arena);
}

/* Goal: a row written again and again must not take memory again and again.
 * Method: the bytes that a delta counts stay, and grow by doubling when the value grows. */
static void test_hot_row_reuses_memory(void **state)
{
    uint8_t bytes[1000] = {0};
    struct slice key = slice_str("counter");
    struct arena arena;
    struct delta delta;
    size_t before;
    (void)state;

    arena_init(&arena);
    delta_init(&delta, &arena);
    delta_put(&delta, key, slice_make(bytes, 32));
    before = delta.bytes;
    for (size_t i = 0; i < 1000; i++) {
        delta_put(&delta, key, slice_make(bytes, i % 33));
        delta_delete(&delta, key);
    }
    assert_int_equal(delta.bytes, before);
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        delta_put(&delta, key, slice_make(bytes, len));
    }
    assert_true(delta.bytes < before + 4 * sizeof(bytes));
    assert_int_equal(delta.row_count, 1);
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delta_equals_model),
        cmocka_unit_test(test_value_may_lie_in_the_delta),
        cmocka_unit_test(test_hot_row_reuses_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
