/* utf8 - is it text? Checked before bytes of a peer reach a library that expects UTF-8. */
#ifndef NODE_BASE_UTF8_H
#define NODE_BASE_UTF8_H

#include "node/base/slice.h"

/** Bytes of the character at the front of text, 0 if there is none, or NUL, or no valid UTF-8. */
size_t utf8_sequence_len(struct slice text);
/** Valid UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF) without NUL? */
bool utf8_valid_text(struct slice text);
/** Only bytes below 0x80? */
bool utf8_is_ascii(struct slice text);

#endif
