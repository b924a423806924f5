#include "node/base/utf8.h"

/* The ranges are those of RFC 3629 §4. */
size_t utf8_sequence_len(struct slice text)
{
    const uint8_t *data = text.data;
    uint8_t lead = text.len == 0 ? 0 : data[0];
    uint8_t second_min = 0x80;
    uint8_t second_max = 0xbf;
    size_t need;

    if (lead < 0x80) {
        return lead == 0 ? 0 : 1;
    }
    if (lead < 0xc2 || lead > 0xf4) {
        return 0;
    }
    need = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (text.len < need) {
        return 0;
    }
    if (lead == 0xe0) {
        second_min = 0xa0; /* below: overlong */
    } else if (lead == 0xed) {
        second_max = 0x9f; /* above: surrogates */
    } else if (lead == 0xf0) {
        second_min = 0x90; /* below: overlong */
    } else if (lead == 0xf4) {
        second_max = 0x8f; /* above: beyond U+10FFFF */
    }
    if (data[1] < second_min || data[1] > second_max) {
        return 0;
    }
    for (size_t i = 2; i < need; i++) {
        if ((data[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return need;
}

bool utf8_valid_text(struct slice text)
{
    size_t at = 0;

    while (at < text.len) {
        size_t len = utf8_sequence_len(slice_sub(text, at, text.len));

        if (len == 0) {
            return false;
        }
        at += len;
    }
    return true;
}

bool utf8_is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] >= 0x80) {
            return false;
        }
    }
    return true;
}
