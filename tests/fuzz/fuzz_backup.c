/* Goal: no bytes at the end of a file crash who looks whether it is a backup, or are taken for one
 * whose parts do not fit together.
 * Method: the input is a whole file without a store: manifest and footer. What is decoded must come
 * out of the encoder as it went in. */
#include "tools/ctl/backup_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_manifest(struct slice text)
{
    struct backup_manifest manifest;

    if (backup_manifest_decode(text, &manifest) == 0) {
        ASSERT(manifest.cluster != NULL);
        ASSERT(manifest.domain != NULL);
        ASSERT(manifest.index > 0);
        backup_manifest_deinit(&manifest);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct backup_footer footer;
    struct buf again = BUF_EMPTY;
    struct slice end;

    if (size < BACKUP_FOOTER_BYTES) {
        check_manifest(slice_make(data, size));
        return 0;
    }
    end = slice_make(data + size - BACKUP_FOOTER_BYTES, BACKUP_FOOTER_BYTES);
    check_manifest(slice_make(data, size - BACKUP_FOOTER_BYTES));
    if (backup_footer_decode(end, size, &footer) == 0) {
        ASSERT(footer.store_bytes + footer.manifest_bytes + BACKUP_FOOTER_BYTES == size);
        backup_footer_begin(&footer, &again);
        buf_append(&again, slice_make(footer.digest, BACKUP_DIGEST_BYTES));
        ASSERT(slice_eq(buf_slice(&again), end));
        buf_deinit(&again);
    }
    return 0;
}
