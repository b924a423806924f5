#include "storage/kv/meta.h"

void meta_encode_mark(const struct kv_mark *mark, uint32_t schema, struct buf *out)
{
    buf_append_u32(out, META_FORMAT);
    buf_append_u32(out, schema);
    buf_append_u64(out, mark->index);
    buf_append_u64(out, mark->term);
    buf_append_u64(out, mark->hash);
}

int meta_decode_mark(struct slice bytes, struct kv_mark *out, uint32_t *schema_out)
{
    if (bytes.len < sizeof(uint32_t)) {
        return ERR_CORRUPT;
    }
    if (get_u32(bytes.data) != META_FORMAT) {
        return ERR_VERSION;
    }
    if (bytes.len != META_MARK_BYTES) {
        return ERR_CORRUPT;
    }
    *schema_out = get_u32(bytes.data + 4);
    *out = (struct kv_mark){
        .index = get_u64(bytes.data + 8),
        .term = get_u64(bytes.data + 16),
        .hash = get_u64(bytes.data + 24),
    };
    return 0;
}

void meta_encode_tables(const char *const *names, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        buf_append_str(out, names[i]);
        buf_append_u8(out, 0);
    }
}

bool meta_next_table(struct slice *bytes, const char **name_out)
{
    const uint8_t *end = bytes->len == 0 ? NULL : memchr(bytes->data, 0, bytes->len);

    if (end == NULL) {
        return false;
    }
    *name_out = (const char *)bytes->data;
    *bytes = slice_sub(*bytes, (size_t)(end - bytes->data) + 1, bytes->len);
    return true;
}

int meta_check_tables(struct slice bytes, const char *const *names, size_t count)
{
    const char *name;

    for (size_t i = 0; meta_next_table(&bytes, &name); i++) {
        if (i == count || strcmp(name, names[i]) != 0) {
            return ERR_VERSION;
        }
    }
    return bytes.len == 0 ? 0 : ERR_CORRUPT;
}
