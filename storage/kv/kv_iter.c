/* kv_iter - one table in key order: the deltas merged, and that merged with LMDB, where a row of a
 * delta wins over the row on disk with the same key. */
#include "storage/kv/kv_private.h"

#include "node/base/mem.h"
#include "storage/kv/merge.h"

struct kv_iter {
    struct kv *kv;
    struct merge merge;
    MDB_cursor *cursor;
    bool disk_at_end;
    struct slice disk_key; /* the next row on disk */
    struct slice disk_value;
    size_t prefix_len; /* rows without the prefix end the iteration; 0: all rows */
    uint8_t prefix[KV_KEY_BYTES_MAX];
};

static void disk_move(struct kv_iter *iter, struct slice from, MDB_cursor_op op)
{
    MDB_val key = store_val(from);
    MDB_val value;
    int rc = mdb_cursor_get(iter->cursor, &key, &value, op);

    if (rc != 0 && rc != MDB_NOTFOUND) {
        kv_read_failed(iter->kv, rc);
    }
    iter->disk_at_end = rc == MDB_NOTFOUND;
    if (rc == 0) {
        iter->disk_key = store_slice(key);
        iter->disk_value = store_slice(value);
    }
}

struct kv_iter *kv_iter_open(struct kv *kv, unsigned table, struct slice from)
{
    struct kv_iter *iter = mem_alloc(sizeof(*iter));
    int rc;

    ASSERT(table < kv->store.table_count);
    ASSERT(from.len <= KV_KEY_BYTES_MAX);

    iter->kv = kv;
    iter->prefix_len = 0;
    merge_init(&iter->merge, kv->closed_count + 1);
    for (struct window *window = kv->closed_oldest; window != NULL; window = window->newer) {
        merge_add(&iter->merge, delta_seek(&window->tables[table], from));
    }
    merge_add(&iter->merge, delta_seek(&kv->open->tables[table], from));

    rc = mdb_cursor_open(kv_reader(kv), kv->store.tables[table], &iter->cursor);
    if (rc != 0) {
        kv_read_failed(kv, rc);
    }
    disk_move(iter, from, from.len == 0 ? MDB_FIRST : MDB_SET_RANGE);
    kv->iter_count++;
    return iter;
}

struct kv_iter *kv_iter_open_prefix(struct kv *kv, unsigned table, struct slice prefix)
{
    struct kv_iter *iter = kv_iter_open(kv, table, prefix);

    if (prefix.len > 0) {
        memcpy(iter->prefix, prefix.data, prefix.len);
    }
    iter->prefix_len = prefix.len;
    return iter;
}

/* The next row of all layers, a deleted one as well: it hides the row on disk. */
static bool next_layered(struct kv_iter *iter, struct slice *key_out, struct slice *value_out,
                         bool *deleted_out)
{
    const struct delta_row *row = merge_peek(&iter->merge);
    int order;

    if (row == NULL && iter->disk_at_end) {
        return false;
    }
    order = row == NULL         ? 1
            : iter->disk_at_end ? -1
                                : slice_cmp(delta_row_key(row), iter->disk_key);
    if (order <= 0) {
        *key_out = delta_row_key(row);
        *value_out = delta_row_value(row);
        *deleted_out = row->deleted;
        merge_skip(&iter->merge, row);
    } else {
        *key_out = iter->disk_key;
        *value_out = iter->disk_value;
        *deleted_out = false;
    }
    if (order >= 0) {
        disk_move(iter, slice_make(NULL, 0), MDB_NEXT);
    }
    return true;
}

bool kv_iter_next(struct kv_iter *iter, struct slice *key_out, struct slice *value_out)
{
    struct slice prefix = slice_make(iter->prefix, iter->prefix_len);
    struct slice key;
    struct slice value;
    bool deleted;

    do {
        if (!next_layered(iter, &key, &value, &deleted) || !slice_starts_with(key, prefix)) {
            return false;
        }
    } while (deleted);
    *key_out = key;
    *value_out = value;
    return true;
}

void kv_iter_close(struct kv_iter **iter)
{
    mdb_cursor_close((*iter)->cursor);
    merge_deinit(&(*iter)->merge);
    (*iter)->kv->iter_count--;
    mem_free(iter);
}
