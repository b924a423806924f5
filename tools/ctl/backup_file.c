#include "tools/ctl/backup_file.h"

#include <stdlib.h>

#define MAGIC       "MUSTERBK"
#define MAGIC_BYTES 8
#define HASH_DIGITS 16

/* ---- footer */

void backup_footer_begin(const struct backup_footer *footer, struct buf *out)
{
    buf_append_str(out, MAGIC);
    buf_append_u32(out, BACKUP_VERSION);
    buf_append_u32(out, footer->manifest_bytes);
    buf_append_u64(out, footer->store_bytes);
    buf_append_u64(out, 0);
}

int backup_footer_decode(struct slice bytes, uint64_t file_bytes, struct backup_footer *out)
{
    struct backup_footer footer;

    if (bytes.len != BACKUP_FOOTER_BYTES || file_bytes < BACKUP_FOOTER_BYTES ||
        memcmp(bytes.data, MAGIC, MAGIC_BYTES) != 0) {
        return ERR_MALFORMED;
    }
    if (get_u32(bytes.data + MAGIC_BYTES) != BACKUP_VERSION) {
        return ERR_VERSION;
    }
    footer.manifest_bytes = get_u32(bytes.data + 12);
    footer.store_bytes = get_u64(bytes.data + 16);
    memcpy(footer.digest, bytes.data + 32, BACKUP_DIGEST_BYTES);
    file_bytes -= BACKUP_FOOTER_BYTES;
    if (get_u64(bytes.data + 24) != 0 || footer.manifest_bytes > BACKUP_MANIFEST_BYTES_MAX ||
        footer.manifest_bytes > file_bytes ||
        footer.store_bytes != file_bytes - footer.manifest_bytes) {
        return ERR_CORRUPT;
    }
    *out = footer;
    return 0;
}

/* ---- manifest */

/* 16 lower-case digits, as they are written. */
static bool read_hash(const char *text, uint64_t *out)
{
    if (text == NULL || strlen(text) != HASH_DIGITS ||
        strspn(text, "0123456789abcdef") != HASH_DIGITS) {
        return false;
    }
    *out = strtoull(text, NULL, 16);
    return true;
}

static bool read_domains(const json_t *list, const char **first_out)
{
    const json_t *item;
    size_t i;

    *first_out = "";
    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item)) {
            return false;
        }
        *first_out = i == 0 ? json_string_value(item) : *first_out;
    }
    return json_is_array(list);
}

static bool read_fields(struct backup_manifest *manifest)
{
    json_int_t schema = 0;
    json_int_t index = 0;
    json_int_t term = 0;
    const char *hash = NULL;
    json_t *domains = NULL;

    if (json_unpack(manifest->root, "{s:s,s:o,s:I,s:{s:I,s:I,s:s}}", "cluster", &manifest->cluster,
                    "domains", &domains, "schema", &schema, "mark", "index", &index, "term", &term,
                    "hash", &hash) != 0 ||
        schema < 1 || schema > INT32_MAX || index < 1 || term < 1) {
        return false;
    }
    manifest->schema = (uint32_t)schema;
    manifest->index = (uint64_t)index;
    manifest->term = (uint64_t)term;
    return read_hash(hash, &manifest->hash) && read_domains(domains, &manifest->domain);
}

int backup_manifest_read_take(json_t *root, struct backup_manifest *out)
{
    struct backup_manifest manifest = {.root = root};

    if (!json_is_object(root) || !read_fields(&manifest)) {
        json_decref(root);
        return ERR_MALFORMED;
    }
    *out = manifest;
    return 0;
}

int backup_manifest_decode(struct slice text, struct backup_manifest *out)
{
    json_t *root = text.len == 0 ? NULL : json_loadb((const char *)text.data, text.len, 0, NULL);

    return root == NULL ? ERR_MALFORMED : backup_manifest_read_take(root, out);
}

void backup_manifest_encode(const json_t *root, struct buf *out)
{
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);

    buf_append_u8(out, '\n');
    buf_append_str(out, text);
    buf_append_u8(out, '\n');
    free(text);
}

void backup_manifest_deinit(struct backup_manifest *manifest)
{
    json_decref(manifest->root);
    *manifest = (struct backup_manifest){.root = NULL};
}
