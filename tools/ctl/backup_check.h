/* backup_check - is a file a whole backup, and is the store in it the one that it says? */
#ifndef TOOLS_CTL_BACKUP_CHECK_H
#define TOOLS_CTL_BACKUP_CHECK_H

#include "tools/ctl/backup_file.h"

struct backup {
    struct backup_footer footer;
    struct backup_manifest manifest;
};

/** Check all of the file: its digest, that its store can be opened, and the state hash, row by row.
 * What is wrong is said on stderr. ERR_IO, ERR_MALFORMED, ERR_VERSION, ERR_CORRUPT. */
NODISCARD int backup_check(const char *path, struct backup *out);
void backup_deinit(struct backup *backup);

/** Open the store in the file at path, a backup or a node's own, and compare the sum over its rows
 * with its mark; *mark_out is that. What is wrong is said on stderr. */
struct kv_mark;
NODISCARD int backup_check_store(const char *path, struct kv_mark *mark_out, uint32_t *schema_out);

#endif
