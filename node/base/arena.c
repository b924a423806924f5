#include "node/base/arena.h"

#include "node/base/mem.h"

#define ARENA_CHUNK_BYTES 4096
#define ARENA_ALIGN       _Alignof(max_align_t)

struct arena_chunk {
    struct arena_chunk *next;
    size_t used;
    size_t capacity;
    _Alignas(max_align_t) uint8_t bytes[];
};

static void *pb_alloc(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void pb_free(void *arena, void *memory)
{
    (void)arena; /* arena_reset() frees all of it at once */
    (void)memory;
}

void arena_init(struct arena *arena)
{
    arena->chunks = NULL;
    arena->pb = (ProtobufCAllocator){.alloc = pb_alloc, .free = pb_free, .allocator_data = arena};
}

static void chunks_free(struct arena_chunk *chunk)
{
    while (chunk != NULL) {
        struct arena_chunk *next = chunk->next;

        mem_free(&chunk);
        chunk = next;
    }
}

void arena_deinit(struct arena *arena)
{
    chunks_free(arena->chunks);
    arena->chunks = NULL;
}

void arena_reset(struct arena *arena)
{
    if (arena->chunks != NULL) {
        chunks_free(arena->chunks->next);
        arena->chunks->next = NULL;
        arena->chunks->used = 0;
        if (arena->chunks->capacity > ARENA_CHUNK_BYTES) {
            mem_free(&arena->chunks); /* one large stanza must not pin its memory */
        }
    }
}

size_t arena_used(const struct arena *arena)
{
    size_t used = 0;

    for (const struct arena_chunk *chunk = arena->chunks; chunk != NULL; chunk = chunk->next) {
        used += chunk->used;
    }
    return used;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t rounded = (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    struct arena_chunk *chunk = arena->chunks;
    void *memory;

    if (chunk == NULL || chunk->capacity - chunk->used < rounded) {
        size_t capacity = rounded > ARENA_CHUNK_BYTES ? rounded : ARENA_CHUNK_BYTES;

        chunk = mem_alloc(sizeof(*chunk) + capacity);
        chunk->next = arena->chunks;
        chunk->used = 0;
        chunk->capacity = capacity;
        arena->chunks = chunk;
    }
    memory = chunk->bytes + chunk->used;
    chunk->used += rounded;
    memset(memory, 0, rounded);
    return memory;
}

char *arena_strndup(struct arena *arena, struct slice text)
{
    char *copy = arena_alloc(arena, text.len + 1);

    if (text.len > 0) {
        memcpy(copy, text.data, text.len);
    }
    return copy;
}

struct slice arena_copy(struct arena *arena, struct slice bytes)
{
    return slice_make(arena_strndup(arena, bytes), bytes.len);
}
