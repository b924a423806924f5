/* kv_view - read a store from outside: next to a running node, of a node that is down, or a copy.
 * Never writes, and knows no tables but those that the file names. One thread. */
#ifndef STORAGE_KV_KV_VIEW_H
#define STORAGE_KV_KV_VIEW_H

#include "storage/kv/kv.h"

struct kv_view;

struct kv_view_table {
    const char *name;
    uint64_t row_count;
    uint64_t bytes; /* of all its pages */
};

struct kv_view_info {
    uint32_t schema;
    struct kv_mark mark;
    size_t table_count;
    uint64_t file_bytes;
    uint64_t map_bytes; /* what the file may grow to */
};

/** Take a snapshot of the store in the directory path, or of the copy in the file path. It is held
 * until kv_view_close(): a running node's file grows meanwhile. ERR_NOT_FOUND, ERR_NOT_ALLOWED,
 * ERR_CORRUPT (no store), ERR_VERSION (of another format), ERR_STORAGE. */
NODISCARD int kv_view_open(const char *path, struct kv_view **out);
void kv_view_close(struct kv_view **view);

void kv_view_info(const struct kv_view *view, struct kv_view_info *out);
/** By number. The name lives as long as the view. */
NODISCARD int kv_view_table(const struct kv_view *view, unsigned table, struct kv_view_table *out);
/** The state hash, recomputed from the rows. */
NODISCARD int kv_view_hash(const struct kv_view *view, uint64_t *hash_out);

/** Go to the first row with a key >= from; the next kv_view_next() returns it. */
NODISCARD int kv_view_seek(struct kv_view *view, unsigned table, struct slice from);
/** Next row: 1, 0 at the end, or an error. The slices live as long as the view. */
NODISCARD int kv_view_next(struct kv_view *view, struct slice *key_out, struct slice *value_out);

#endif
