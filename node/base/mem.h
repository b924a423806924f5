/* mem - heap memory that never fails: a replica must not differ by luck, so a process without
 * memory aborts. Sizes that come from a peer are checked against a named limit before. */
#ifndef NODE_BASE_MEM_H
#define NODE_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size);
void *mem_zalloc(size_t size);
void *mem_realloc(void *memory, size_t size);
/** Copy len bytes into a fresh NUL-terminated block. */
char *mem_strndup(const char *text, size_t len);
char *mem_strdup(const char *text);

/** Free *pointer and set it to NULL: mem_free(&thing). */
#define mem_free(pointer_address)                                                                  \
    do {                                                                                           \
        mem_release(*(pointer_address));                                                           \
        *(pointer_address) = NULL;                                                                 \
    } while (0)

/** What mem_free() and containers use; prefer mem_free(), which leaves no stale pointer. */
void mem_release(void *memory);

#endif
