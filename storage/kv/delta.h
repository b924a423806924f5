/* delta - the changes of one window to one table: an ordered map from key to value or deletion. A
 * skip list in the window's arena; rows are never taken out, so a reader may stay on one while
 * others are added. Once its window is closed it is immutable and any thread may read it. */
#ifndef STORAGE_KV_DELTA_H
#define STORAGE_KV_DELTA_H

#include "node/base/arena.h"

#define DELTA_LEVELS_MAX                                                                           \
    10 /* with one row in four on the next level: fast up to a million rows                        \
        */

struct delta_row {
    uint64_t key_prefix; /* the first eight bytes, big-endian: most comparisons end here */
    uint8_t *key;
    uint8_t *value;
    uint32_t key_len;
    uint32_t value_len;
    uint32_t value_capacity;
    bool deleted;             /* hides the row in older layers */
    struct delta_row *next[]; /* one link per level of this row, the lowest first */
};

struct delta {
    struct arena *arena; /* of the window */
    struct delta_row *first[DELTA_LEVELS_MAX];
    unsigned level_count;
    uint64_t random; /* heights come from a fixed sequence: every run builds the same list */
    size_t row_count;
    size_t bytes; /* taken from the arena */
};

void delta_init(struct delta *delta, struct arena *arena);
/** Set or replace; key and value are copied and may lie in this delta. */
void delta_put(struct delta *delta, struct slice key, struct slice value);
/** Hide the key, whether an older layer has it or not. */
void delta_delete(struct delta *delta, struct slice key);
/** The row of key, a deleted one too, or NULL. */
const struct delta_row *delta_find(const struct delta *delta, struct slice key);
/** The first row with a key >= from, deleted ones too, or NULL. */
const struct delta_row *delta_seek(const struct delta *delta, struct slice from);
/** The row after this one, or NULL. */
const struct delta_row *delta_next(const struct delta_row *row);
/** Order of the keys of two rows, of any deltas. */
int delta_row_cmp(const struct delta_row *a, const struct delta_row *b);

static inline struct slice delta_row_key(const struct delta_row *row)
{
    return slice_make(row->key, row->key_len);
}

static inline struct slice delta_row_value(const struct delta_row *row)
{
    return slice_make(row->value, row->value_len);
}

#endif
