/* fixture - what the tests of the store share: a directory of their own, a store that waits for its
 * checkpoints, a deterministic workload, and the naive model that it is compared with. */
#ifndef TESTS_UNIT_STORAGE_KV_FIXTURE_H
#define TESTS_UNIT_STORAGE_KV_FIXTURE_H

#include "node/base/mem.h"
#include "storage/kv/kv.h"
#include "tests/lib/scratch.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>

#define TABLE_COUNT  3
#define KEY_COUNT    300
#define VALUE_MAX    6000 /* more than a page: LMDB keeps such values apart */
#define KEY_TEXT_MAX 48
#define MARK_EVERY   4 /* entries in a window of the workload */
#define TEST_MAP     ((uint64_t)256 << 20)

static const char *const test_tables[TABLE_COUNT] = {"alpha", "beta", "gamma"};

/* --- random numbers that a seed repeats --- */

static inline uint64_t test_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u); /* splitmix64 */

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline size_t test_below(uint64_t *state, size_t limit)
{
    return (size_t)(test_random(state) % limit);
}

/* --- a directory --- */

struct test_dir {
    char path[SCRATCH_BYTES];
};

static inline void test_dir_make(struct test_dir *dir)
{
    scratch_folder(dir->path, "kv");
}

/* The path of a file inside; valid until the next call. */
static inline const char *test_path(const struct test_dir *dir, const char *name)
{
    static char path[128];
    int len = snprintf(path, sizeof(path), "%s/%s", dir->path, name);

    assert_in_range(len, 1, sizeof(path) - 1);
    return path;
}

static inline void test_dir_remove(const struct test_dir *dir)
{
    static const char *const names[] = {"data.mdb", "data.mdb.new", "lock.mdb", "copy.mdb"};

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        (void)unlink(test_path(dir, names[i]));
    }
    assert_int_equal(rmdir(dir->path), 0);
}

/* --- a store that can be waited for --- */

struct test_store {
    struct kv *kv;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint64_t durable_index;
    uint64_t durable_hash;
    int status;
};

static inline void test_on_durable(void *ctx, uint64_t mark_index, uint64_t hash, int status)
{
    struct test_store *store = ctx;

    pthread_mutex_lock(&store->mutex);
    store->durable_index = mark_index;
    store->durable_hash = hash;
    store->status = status;
    pthread_cond_signal(&store->changed);
    pthread_mutex_unlock(&store->mutex);
}

static inline struct kv_config test_config(struct test_store *store, const char *dir)
{
    return (struct kv_config){.dir = dir,
                              .tables = test_tables,
                              .table_count = TABLE_COUNT,
                              .schema = 1,
                              .schema_oldest = 1,
                              .map_bytes = TEST_MAP,
                              .unwritten_bytes_max = (size_t)8 << 20,
                              .on_durable = test_on_durable,
                              .ctx = store};
}

static inline void test_store_init(struct test_store *store)
{
    *store = (struct test_store){0};
    pthread_mutex_init(&store->mutex, NULL);
    pthread_cond_init(&store->changed, NULL);
}

static inline void test_store_open(struct test_store *store, const char *dir)
{
    struct kv_config config = test_config(store, dir);
    uint64_t term;

    test_store_init(store);
    assert_int_equal(kv_open(&config, &store->kv), 0);
    kv_applied(store->kv, &store->durable_index, &term);
}

/* Until the mark is durable, or writing failed. */
static inline void test_store_wait(struct test_store *store, uint64_t mark_index)
{
    pthread_mutex_lock(&store->mutex);
    while (store->durable_index < mark_index && store->status == 0) {
        pthread_cond_wait(&store->changed, &store->mutex);
    }
    pthread_mutex_unlock(&store->mutex);
}

/* --- the model: one value or NULL for every key there can be --- */

struct test_key {
    uint8_t bytes[KEY_TEXT_MAX];
    size_t len;
};

struct test_value {
    uint8_t *bytes; /* NULL: no such row */
    size_t len;
};

struct model {
    struct test_key keys[KEY_COUNT]; /* sorted */
    struct test_value values[TABLE_COUNT][KEY_COUNT];
};

static inline struct slice model_key(const struct model *model, size_t index)
{
    return slice_make(model->keys[index].bytes, model->keys[index].len);
}

static inline struct slice model_value(const struct model *model, unsigned table, size_t index)
{
    return slice_make(model->values[table][index].bytes, model->values[table][index].len);
}

static inline int test_key_cmp(const void *a, const void *b)
{
    const struct test_key *left = a;
    const struct test_key *right = b;

    return slice_cmp(slice_make(left->bytes, left->len), slice_make(right->bytes, right->len));
}

/* Keys of all lengths from one byte, many with long common beginnings, with zero bytes in them. */
static inline void model_init(struct model *model)
{
    uint64_t random = 42;

    memset(model, 0, sizeof(*model));
    for (size_t i = 0; i < KEY_COUNT; i++) {
        struct test_key *key = &model->keys[i];

        key->len = 3 + test_below(&random, KEY_TEXT_MAX - 3);
        for (size_t at = 0; at < key->len; at++) {
            key->bytes[at] = (uint8_t)(test_below(&random, 4) == 0 ? 0 : 'a');
        }
        key->bytes[key->len - 2] = (uint8_t)(i >> 8); /* no two are the same */
        key->bytes[key->len - 1] = (uint8_t)i;
    }
    model->keys[0] = (struct test_key){.bytes = {0}, .len = 1};
    model->keys[1] = (struct test_key){.bytes = {0xff, 0xff}, .len = 2};
    qsort(model->keys, KEY_COUNT, sizeof(model->keys[0]), test_key_cmp);
}

static inline void model_set(struct model *model, unsigned table, size_t index,
                             const struct slice *value)
{
    struct test_value *slot = &model->values[table][index];

    mem_free(&slot->bytes);
    slot->len = 0;
    if (value != NULL) {
        slot->bytes = mem_alloc(value->len);
        slot->len = value->len;
        memcpy(slot->bytes, value->data, value->len);
    }
}

static inline void model_deinit(struct model *model)
{
    for (unsigned table = 0; table < TABLE_COUNT; table++) {
        for (size_t i = 0; i < KEY_COUNT; i++) {
            model_set(model, table, i, NULL);
        }
    }
}

static inline void model_copy(struct model *to, const struct model *from)
{
    for (unsigned table = 0; table < TABLE_COUNT; table++) {
        for (size_t i = 0; i < KEY_COUNT; i++) {
            struct slice value = model_value(from, table, i);

            model_set(to, table, i, value.data == NULL ? NULL : &value);
        }
    }
}

static inline uint64_t model_hash(const struct model *model)
{
    uint64_t hash = 0;

    for (unsigned table = 0; table < TABLE_COUNT; table++) {
        for (size_t i = 0; i < KEY_COUNT; i++) {
            if (model->values[table][i].bytes != NULL) {
                hash += kv_row_hash(table, model_key(model, i), model_value(model, table, i));
            }
        }
    }
    return hash;
}

/* What an iterator gives must be the model's rows from index on that start with prefix. */
static inline void model_check_iter(const struct model *model, unsigned table, size_t index,
                                    struct slice prefix, struct kv_iter *iter)
{
    struct slice key;
    struct slice value;

    for (size_t i = index; i < KEY_COUNT; i++) {
        struct slice expected = model_value(model, table, i);

        if (expected.data == NULL || !slice_starts_with(model_key(model, i), prefix)) {
            continue;
        }
        assert_true(kv_iter_next(iter, &key, &value));
        assert_true(slice_eq(key, model_key(model, i)));
        assert_true(slice_eq(value, expected));
    }
    assert_false(kv_iter_next(iter, &key, &value));
}

/* Every row, by kv_get() and by kv_iter_next(). */
static inline void model_check(const struct model *model, struct kv *kv)
{
    for (unsigned table = 0; table < TABLE_COUNT; table++) {
        struct kv_iter *iter = kv_iter_open(kv, table, slice_make(NULL, 0));

        model_check_iter(model, table, 0, slice_make(NULL, 0), iter);
        kv_iter_close(&iter);
        for (size_t i = 0; i < KEY_COUNT; i++) {
            struct slice expected = model_value(model, table, i);
            struct slice value = {0};

            assert_int_equal(kv_get(kv, table, model_key(model, i), &value), expected.data != NULL);
            assert_true(slice_eq(value, expected));
        }
    }
}

/* --- the workload: entry number i makes the same changes whenever it is applied --- */

/* Change one random row, in the model and (unless NULL) in the store. */
static inline void workload_change(uint64_t *random, struct model *model, struct kv *kv)
{
    uint8_t bytes[VALUE_MAX];
    unsigned table = (unsigned)test_below(random, TABLE_COUNT);
    size_t index = test_below(random, KEY_COUNT);
    size_t len = test_below(random, 50) == 0 ? test_below(random, VALUE_MAX) : 1 + index % 200;
    struct slice value = slice_make(bytes, len);

    if (test_below(random, 3) == 0) {
        model_set(model, table, index, NULL);
        if (kv != NULL) {
            kv_delete(kv, table, model_key(model, index));
        }
        return;
    }
    memset(bytes, (int)test_below(random, 256), len);
    model_set(model, table, index, &value);
    if (kv != NULL) {
        kv_put(kv, table, model_key(model, index), value);
    }
}

static inline void workload_apply(uint64_t entry_index, struct model *model, struct kv *kv)
{
    uint64_t random = entry_index;
    size_t count = test_below(&random, 40);

    for (size_t i = 0; i < count; i++) {
        workload_change(&random, model, kv);
    }
    if (kv != NULL && entry_index % MARK_EVERY == 0) {
        kv_close_window(kv, entry_index, 1 + entry_index / 100);
    }
}

#endif
