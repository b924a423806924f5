/* slice - borrowed bytes: a pointer and a length. Never owns, never ends with NUL by promise. */
#ifndef NODE_BASE_SLICE_H
#define NODE_BASE_SLICE_H

#include "node/base/assert.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *data;
    size_t len;
};

static inline struct slice slice_make(const void *data, size_t len)
{
    return (struct slice){.data = data, .len = len};
}

/** The bytes of a NUL-terminated text, without the NUL; empty for NULL. */
static inline struct slice slice_str(const char *text)
{
    return text == NULL ? slice_make(NULL, 0) : slice_make(text, strlen(text));
}

/** Bytes from..to (to excluded). */
static inline struct slice slice_sub(struct slice s, size_t from, size_t to)
{
    ASSERT(from <= to);
    ASSERT(to <= s.len);
    return s.data == NULL ? s : slice_make(s.data + from, to - from);
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool slice_eq_str(struct slice a, const char *text)
{
    return slice_eq(a, slice_str(text));
}

static inline bool slice_starts_with(struct slice a, struct slice prefix)
{
    return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.data, prefix.data, prefix.len) == 0);
}

/** Byte order, shorter first among equals: the order of keys in the store. */
static inline int slice_cmp(struct slice a, struct slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);

    if (order != 0) {
        return order;
    }
    return (a.len > b.len) - (a.len < b.len);
}

#endif
