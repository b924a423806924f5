/* merge - several deltas of one table read as one, in key order: where a key stands in more than
 * one, the newest counts. Deleted rows are given too, since they hide what is in LMDB. */
#ifndef STORAGE_KV_MERGE_H
#define STORAGE_KV_MERGE_H

#include "storage/kv/delta.h"

struct merge {
    const struct delta_row **rows; /* the next row of each delta, the oldest delta first */
    size_t count;
};

/** Room for delta_count_max deltas. */
void merge_init(struct merge *merge, size_t delta_count_max);
void merge_deinit(struct merge *merge);
/** Add a delta that starts at first (NULL: it has none). Older deltas are added before newer. */
void merge_add(struct merge *merge, const struct delta_row *first);
/** The newest row of the lowest key, or NULL at the end. */
const struct delta_row *merge_peek(const struct merge *merge);
/** Move past the key of row, in every delta that has it. */
void merge_skip(struct merge *merge, const struct delta_row *row);

#endif
