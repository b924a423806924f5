/* blob - immutable ref-counted bytes: besides mailboxes the only thing threads share. */
#ifndef NODE_BASE_BLOB_H
#define NODE_BASE_BLOB_H

#include "node/base/slice.h"

struct blob;

/** Copy bytes into a new blob with one reference. */
struct blob *blob_new(struct slice bytes);
struct blob *blob_ref(struct blob *blob);
/** Drop one reference and set *blob to NULL; the last one frees it. NULL inside is fine. */
void blob_unref(struct blob **blob);
struct slice blob_slice(const struct blob *blob);

#endif
