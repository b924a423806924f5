#include "storage/kv/window.h"

#include "node/base/mem.h"

struct window *window_new(uint64_t number, size_t table_count)
{
    struct window *window = mem_zalloc(sizeof(*window) + table_count * sizeof(struct delta));

    window->number = number;
    window->table_count = table_count;
    arena_init(&window->arena);
    for (size_t i = 0; i < table_count; i++) {
        delta_init(&window->tables[i], &window->arena);
    }
    return window;
}

void window_free(struct window **window)
{
    arena_deinit(&(*window)->arena);
    mem_free(window);
}

size_t window_row_count(const struct window *window)
{
    size_t count = 0;

    for (size_t i = 0; i < window->table_count; i++) {
        count += window->tables[i].row_count;
    }
    return count;
}

size_t window_bytes(const struct window *window)
{
    size_t bytes = sizeof(*window) + window->table_count * sizeof(struct delta);

    for (size_t i = 0; i < window->table_count; i++) {
        bytes += window->tables[i].bytes;
    }
    return bytes;
}
