/* arena - memory for one stanza, command or effect batch, released all at once. Nothing that is
 * kept may point into it: copy to a blob. */
#ifndef NODE_BASE_ARENA_H
#define NODE_BASE_ARENA_H

#include "node/base/slice.h"

#include <protobuf-c/protobuf-c.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first */
    ProtobufCAllocator pb;      /* hand to protobuf-c: allocates here, frees nothing */
};

void arena_init(struct arena *arena);
void arena_deinit(struct arena *arena);
/** Forget everything; one chunk is kept for the next use. */
void arena_reset(struct arena *arena);
/** Bytes taken since the last reset. */
size_t arena_used(const struct arena *arena);
/** Zeroed memory, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size);
char *arena_strndup(struct arena *arena, struct slice text);
struct slice arena_copy(struct arena *arena, struct slice bytes);

#endif
