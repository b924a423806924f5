/* files - files and folders of a node's installation: private ones belong to the user that runs the
 * node, when there is one of that name; what it need not write stays root's. Nothing that is there
 * already is ever overwritten, and no link is followed to what is given away: the node's user, who
 * can make links where its files are, gets nothing else. */
#ifndef TOOLS_CTL_FILES_H
#define TOOLS_CTL_FILES_H

#include "node/base/buf.h"
#include "node/base/err.h"

#define FILES_USER "muster"

enum file_kind {
    FILE_PUBLIC,
    FILE_PRIVATE, /* for the node alone */
    FILE_OWN      /* for who runs musterctl alone: the authority's key, which no node needs */
};

/* All say on stderr what failed. */

/** With the folders above it; one that is there already is fine. */
NODISCARD int files_make_dir(const char *path, enum file_kind kind);
/** ERR_EXISTS when it is there. */
NODISCARD int files_write(const char *path, struct slice bytes, enum file_kind kind);
/** Make the name of a file last. */
NODISCARD int files_sync_parent(const char *path);
/** Make and open a private file, which must not be there. */
NODISCARD int files_create_private(const char *path, int *file_out);
NODISCARD int files_read(const char *path, struct buf *out);

#endif
