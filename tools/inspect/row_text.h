/* row_text - keys and values of the store as text: one line a row. */
#ifndef TOOLS_INSPECT_ROW_TEXT_H
#define TOOLS_INSPECT_ROW_TEXT_H

#include "node/base/buf.h"
#include "node/base/err.h"

#include <protobuf-c/protobuf-c.h>

/** Printable ASCII as it is, a backslash doubled, any other byte as \xNN. */
void row_text_escape(struct slice bytes, struct buf *out);
/** The inverse. ERR_MALFORMED. */
NODISCARD int row_text_unescape(const char *text, struct buf *out);

/** "{name: value, ...}" without fields that are zero or empty. Of credentials, resumption ids and
 * the content of stanzas only the length, unless secrets. */
void row_text_message(const ProtobufCMessage *message, bool secrets, struct buf *out);

#endif
