/* base64 - RFC 4648 §4, strict: what decodes has exactly one spelling, so that nobody can smuggle
 * two texts for one value past a comparison. */
#include "node/base/crypto.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct slice bytes, struct buf *out)
{
    size_t text_len = (bytes.len + 2) / 3 * 4;
    uint8_t *text = buf_reserve(out, text_len);

    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t group = (uint32_t)bytes.data[i] << 16 |
                         (left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0) |
                         (left > 2 ? bytes.data[i + 2] : 0);

        *text++ = (uint8_t)alphabet[group >> 18];
        *text++ = (uint8_t)alphabet[group >> 12 & 63];
        *text++ = (uint8_t)(left > 1 ? alphabet[group >> 6 & 63] : '=');
        *text++ = (uint8_t)(left > 2 ? alphabet[group & 63] : '=');
    }
    buf_commit(out, text_len);
}

/* The six bits a character stands for, or -1. */
static int sextet(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters of which the last padding ones are '='. */
static int decode_group(const uint8_t *text, size_t padding, uint8_t out[3])
{
    uint32_t group = 0;

    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - padding ? sextet(text[i]) : 0;

        if (value < 0) {
            return ERR_MALFORMED;
        }
        group = group << 6 | (uint32_t)value;
    }
    if ((group & ((1u << (8 * padding)) - 1)) != 0) {
        return ERR_MALFORMED; /* RFC 4648 §3.5: pad bits are zero */
    }
    out[0] = (uint8_t)(group >> 16);
    out[1] = (uint8_t)(group >> 8);
    out[2] = (uint8_t)group;
    return 0;
}

int base64_decode(struct slice text, struct buf *out)
{
    size_t padding = 0;
    uint8_t *bytes;

    if (text.len % 4 != 0) {
        return ERR_MALFORMED;
    }
    while (padding < 2 && padding < text.len && text.data[text.len - 1 - padding] == '=') {
        padding++;
    }
    bytes = buf_reserve(out, text.len / 4 * 3);
    for (size_t i = 0; i < text.len; i += 4) {
        int rc = decode_group(text.data + i, i + 4 == text.len ? padding : 0, bytes + i / 4 * 3);

        if (rc != 0) {
            return rc;
        }
    }
    buf_commit(out, text.len / 4 * 3 - padding);
    return 0;
}
