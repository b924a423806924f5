/* buf - growable bytes, written at the end and consumed at the front. */
#ifndef NODE_BASE_BUF_H
#define NODE_BASE_BUF_H

#include "node/base/slice.h"

struct buf {
    uint8_t *data; /* NULL while nothing was ever written */
    size_t start;  /* first byte not yet consumed */
    size_t end;    /* one past the last byte written */
    size_t capacity;
};

#define BUF_EMPTY ((struct buf){0})

void buf_deinit(struct buf *buf);
/** Overwrite secrets, then deinit. Bytes that a growing buffer left behind are not reached: reserve
 * what a secret needs before it is written. */
void buf_wipe(struct buf *buf);
/** Forget the content, keep the memory. */
void buf_clear(struct buf *buf);
/** Make room for len more bytes and return where they go; commit them with buf_commit(). */
uint8_t *buf_reserve(struct buf *buf, size_t len);
void buf_commit(struct buf *buf, size_t len);
void buf_append(struct buf *buf, struct slice bytes);
void buf_append_str(struct buf *buf, const char *text);
void buf_append_u8(struct buf *buf, uint8_t value);
/** Integers in big-endian byte order, so that encoded keys sort by value. */
void buf_append_u16(struct buf *buf, uint16_t value);
void buf_append_u32(struct buf *buf, uint32_t value);
void buf_append_u64(struct buf *buf, uint64_t value);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Drop len bytes at the front. */
void buf_consume(struct buf *buf, size_t len);
/** The same, and overwrite them: there may be a secret in them. */
void buf_consume_wiping(struct buf *buf, size_t len);

static inline size_t buf_len(const struct buf *buf)
{
    return buf->end - buf->start;
}

/** What is inside; valid until the next write. */
static inline struct slice buf_slice(const struct buf *buf)
{
    return buf->data == NULL ? slice_make(NULL, 0)
                             : slice_make(buf->data + buf->start, buf->end - buf->start);
}

/** The content as text: a NUL is kept behind it. Valid until the next write. */
const char *buf_text(struct buf *buf);

/* Big-endian reads, the inverse of buf_append_uN. The caller checked the length. */
uint16_t get_u16(const uint8_t *data);
uint32_t get_u32(const uint8_t *data);
uint64_t get_u64(const uint8_t *data);

#endif
