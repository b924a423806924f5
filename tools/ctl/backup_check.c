#include "tools/ctl/backup_check.h"

#include "node/base/mem.h"
#include "storage/kv/kv_view.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/stat.h>

#define READ_BYTES (256 * 1024)

static int fail(const char *path, int rc, const char *what)
{
    (void)fprintf(stderr, "musterctl: %s: %s\n", path, what);
    return rc;
}

/* ---- the frame */

static int read_footer(const char *path, FILE *file, struct backup_footer *out)
{
    uint8_t bytes[BACKUP_FOOTER_BYTES];
    struct stat status;
    int rc;

    if (fstat(fileno(file), &status) != 0) {
        return fail(path, ERR_IO, strerror(errno));
    }
    if (status.st_size < BACKUP_FOOTER_BYTES) {
        return fail(path, ERR_MALFORMED, "is no backup, or its end is missing");
    }
    if (fseeko(file, status.st_size - BACKUP_FOOTER_BYTES, SEEK_SET) != 0 ||
        fread(bytes, sizeof(bytes), 1, file) != 1) {
        return fail(path, ERR_IO, "cannot be read");
    }
    rc = backup_footer_decode(slice_make(bytes, sizeof(bytes)), (uint64_t)status.st_size, out);
    if (rc == ERR_MALFORMED) {
        (void)fail(path, rc, "is no backup, or its end is missing");
    } else if (rc == ERR_VERSION) {
        (void)fail(path, rc, "was made by a newer program");
    } else if (rc != 0) {
        (void)fail(path, rc, "is damaged: its parts do not fit together");
    }
    return rc;
}

/* All but the digest itself. The manifest is kept on the way. */
static int digest_file(const char *path, FILE *file, const struct backup_footer *footer,
                       struct buf *manifest, uint8_t digest[EVP_MAX_MD_SIZE])
{
    uint64_t left =
        footer->store_bytes + footer->manifest_bytes + BACKUP_FOOTER_BYTES - BACKUP_DIGEST_BYTES;
    uint8_t *part = mem_alloc(READ_BYTES);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint64_t at = 0;
    int rc = EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 ? 0 : ERR_IO;

    rewind(file);
    while (rc == 0 && at < left) {
        bool in_store = at < footer->store_bytes;
        uint64_t wanted = in_store ? footer->store_bytes - at : left - at;
        size_t len = wanted < READ_BYTES ? (size_t)wanted : READ_BYTES;

        rc = fread(part, len, 1, file) == 1 ? 0 : fail(path, ERR_IO, "cannot be read");
        (void)EVP_DigestUpdate(ctx, part, rc == 0 ? len : 0);
        if (rc == 0 && !in_store) {
            buf_append(manifest, slice_make(part, len));
        }
        at += len;
    }
    (void)EVP_DigestFinal_ex(ctx, digest, NULL);
    EVP_MD_CTX_free(ctx);
    mem_free(&part);
    return rc;
}

static int check_frame(const char *path, FILE *file, struct backup *out)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    struct buf manifest = BUF_EMPTY;
    int rc = read_footer(path, file, &out->footer);

    if (rc == 0) {
        rc = digest_file(path, file, &out->footer, &manifest, digest);
    }
    if (rc == 0 && memcmp(digest, out->footer.digest, BACKUP_DIGEST_BYTES) != 0) {
        rc = fail(path, ERR_CORRUPT, "is damaged: its checksum differs");
    }
    if (rc == 0) {
        rc = backup_manifest_decode(slice_sub(buf_slice(&manifest), 0, out->footer.manifest_bytes),
                                    &out->manifest);
        rc = rc == 0 ? 0 : fail(path, rc, "is damaged: its manifest cannot be read");
    }
    buf_deinit(&manifest);
    return rc;
}

/* ---- the store */

int backup_check_store(const char *path, struct kv_mark *mark_out, uint32_t *schema_out)
{
    struct kv_view *view = NULL;
    struct kv_view_info info;
    uint64_t hash = 0;
    int rc = kv_view_open(path, &view);

    if (rc != 0) {
        return fail(path, rc, "the store in it cannot be opened");
    }
    kv_view_info(view, &info);
    rc = kv_view_hash(view, &hash);
    if (rc != 0) {
        (void)fail(path, rc, "the rows of its store cannot be read");
    } else if (hash != info.mark.hash) {
        rc = fail(path, ERR_CORRUPT, "the rows of its store are not what was written");
    } else {
        *mark_out = info.mark;
        *schema_out = info.schema;
    }
    kv_view_close(&view);
    return rc;
}

static int check_content(const char *path, const struct backup *backup)
{
    const struct backup_manifest *manifest = &backup->manifest;
    struct kv_mark mark;
    uint32_t schema = 0;
    int rc = backup_check_store(path, &mark, &schema);

    if (rc == 0 && (mark.index != manifest->index || mark.term != manifest->term ||
                    mark.hash != manifest->hash || schema != manifest->schema)) {
        rc = fail(path, ERR_CORRUPT, "its manifest is of another store");
    }
    return rc;
}

int backup_check(const char *path, struct backup *out)
{
    struct backup backup = {.manifest.root = NULL};
    FILE *file = fopen(path, "re");
    int rc;

    if (file == NULL) {
        return fail(path, ERR_IO, strerror(errno));
    }
    rc = check_frame(path, file, &backup);
    (void)fclose(file);
    if (rc == 0) {
        rc = check_content(path, &backup);
    }
    if (rc != 0) {
        backup_deinit(&backup);
        return rc;
    }
    *out = backup;
    return 0;
}

void backup_deinit(struct backup *backup)
{
    backup_manifest_deinit(&backup->manifest);
}
