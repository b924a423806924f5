/* window - what was changed between two marks, in all tables. Open it belongs to the state thread;
 * closed it is immutable, read by the state thread and written to LMDB by the checkpoint thread. */
#ifndef STORAGE_KV_WINDOW_H
#define STORAGE_KV_WINDOW_H

#include "storage/kv/delta.h"

struct window {
    struct window *older;
    struct window *newer;
    uint64_t number; /* counts windows since the store was opened, from 1 */
    uint64_t mark_index;
    uint64_t mark_term;
    struct arena arena;
    size_t table_count;
    struct delta tables[];
};

struct window *window_new(uint64_t number, size_t table_count);
/** Free *window and set it to NULL. */
void window_free(struct window **window);
size_t window_row_count(const struct window *window);
/** Memory taken, but for what the arena rounds up. */
size_t window_bytes(const struct window *window);

#endif
