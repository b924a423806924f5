#include "node/base/blob.h"

#include "node/base/mem.h"

#include <stdatomic.h>

struct blob {
    atomic_uint refs;
    size_t len;
    uint8_t bytes[];
};

struct blob *blob_new(struct slice bytes)
{
    struct blob *blob = mem_alloc(sizeof(*blob) + bytes.len);

    atomic_init(&blob->refs, 1);
    blob->len = bytes.len;
    if (bytes.len > 0) {
        memcpy(blob->bytes, bytes.data, bytes.len);
    }
    return blob;
}

struct blob *blob_ref(struct blob *blob)
{
    atomic_fetch_add_explicit(&blob->refs, 1, memory_order_relaxed);
    return blob;
}

void blob_unref(struct blob **blob)
{
    struct blob *gone = *blob;

    *blob = NULL;
    if (gone != NULL && atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) == 1) {
        mem_free(&gone);
    }
}

struct slice blob_slice(const struct blob *blob)
{
    return slice_make(blob->bytes, blob->len);
}
