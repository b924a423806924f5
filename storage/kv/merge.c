#include "storage/kv/merge.h"

#include "node/base/mem.h"

void merge_init(struct merge *merge, size_t delta_count_max)
{
    merge->rows = mem_alloc(delta_count_max * sizeof(const struct delta_row *));
    merge->count = 0;
}

void merge_deinit(struct merge *merge)
{
    mem_free(&merge->rows);
}

void merge_add(struct merge *merge, const struct delta_row *first)
{
    if (first != NULL) {
        merge->rows[merge->count++] = first;
    }
}

const struct delta_row *merge_peek(const struct merge *merge)
{
    const struct delta_row *lowest = NULL;

    for (size_t i = 0; i < merge->count; i++) {
        const struct delta_row *row = merge->rows[i];

        if (lowest == NULL || delta_row_cmp(row, lowest) <= 0) {
            lowest = row; /* among equals the last, which is the newest */
        }
    }
    return lowest;
}

void merge_skip(struct merge *merge, const struct delta_row *row)
{
    size_t kept = 0;

    for (size_t i = 0; i < merge->count; i++) {
        const struct delta_row *next = merge->rows[i];

        if (delta_row_cmp(next, row) == 0) {
            next = delta_next(next);
        }
        if (next != NULL) {
            merge->rows[kept++] = next;
        }
    }
    merge->count = kept;
}
