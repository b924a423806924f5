#include "node/base/buf.h"

#include "node/base/mem.h"

#include <stdarg.h>
#include <stdio.h>

#define BUF_CAPACITY_MIN 256

void buf_deinit(struct buf *buf)
{
    mem_free(&buf->data);
    *buf = BUF_EMPTY;
}

void buf_wipe(struct buf *buf)
{
    if (buf->data != NULL) {
        explicit_bzero(buf->data, buf->capacity);
    }
    buf_deinit(buf);
}

void buf_clear(struct buf *buf)
{
    buf->start = 0;
    buf->end = 0;
}

uint8_t *buf_reserve(struct buf *buf, size_t len)
{
    if (buf->start == buf->end) {
        buf_clear(buf);
    }
    if (buf->capacity - buf->end < len && buf->start > 0) {
        memmove(buf->data, buf->data + buf->start, buf_len(buf));
        buf->end -= buf->start;
        buf->start = 0;
    }
    if (buf->capacity - buf->end < len || buf->data == NULL) {
        size_t capacity = buf->capacity < BUF_CAPACITY_MIN ? BUF_CAPACITY_MIN : buf->capacity;

        while (capacity - buf->end < len) {
            ASSERT(capacity <= SIZE_MAX / 2);
            capacity *= 2;
        }
        buf->data = mem_realloc(buf->data, capacity);
        buf->capacity = capacity;
    }
    return buf->data + buf->end;
}

void buf_commit(struct buf *buf, size_t len)
{
    ASSERT(len <= buf->capacity - buf->end);
    buf->end += len;
}

void buf_append(struct buf *buf, struct slice bytes)
{
    if (bytes.len > 0) {
        memcpy(buf_reserve(buf, bytes.len), bytes.data, bytes.len);
        buf_commit(buf, bytes.len);
    }
}

void buf_append_str(struct buf *buf, const char *text)
{
    buf_append(buf, slice_str(text));
}

void buf_append_u8(struct buf *buf, uint8_t value)
{
    buf_append(buf, slice_make(&value, 1));
}

static void append_big_endian(struct buf *buf, uint64_t value, unsigned size)
{
    uint8_t *out = buf_reserve(buf, size);

    for (unsigned i = 0; i < size; i++) {
        out[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    }
    buf_commit(buf, size);
}

void buf_append_u16(struct buf *buf, uint16_t value)
{
    append_big_endian(buf, value, 2);
}

void buf_append_u32(struct buf *buf, uint32_t value)
{
    append_big_endian(buf, value, 4);
}

void buf_append_u64(struct buf *buf, uint64_t value)
{
    append_big_endian(buf, value, 8);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(len >= 0);

    va_start(args, format);
    (void)vsnprintf((char *)buf_reserve(buf, (size_t)len + 1), (size_t)len + 1, format, args);
    va_end(args);
    buf_commit(buf, (size_t)len);
}

void buf_consume(struct buf *buf, size_t len)
{
    ASSERT(len <= buf_len(buf));
    buf->start += len;
}

void buf_consume_wiping(struct buf *buf, size_t len)
{
    uint8_t *bytes = buf->data + buf->start;

    buf_consume(buf, len);
    explicit_bzero(bytes, len);
}

const char *buf_text(struct buf *buf)
{
    *buf_reserve(buf, 1) = '\0';
    return (const char *)buf->data + buf->start;
}

static uint64_t get_big_endian(const uint8_t *data, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value = value << 8 | data[i];
    }
    return value;
}

uint16_t get_u16(const uint8_t *data)
{
    return (uint16_t)get_big_endian(data, 2);
}

uint32_t get_u32(const uint8_t *data)
{
    return (uint32_t)get_big_endian(data, 4);
}

uint64_t get_u64(const uint8_t *data)
{
    return get_big_endian(data, 8);
}
