/* files - files that musterctl writes. Of a node's installation, private ones belong to the user
 * that runs the node, when there is one of that name; what it need not write stays root's. Nothing
 * that is there already is ever overwritten, and no link is followed to what is given away: the
 * node's user, who can make links where its files are, gets nothing else. */
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
/** Make a folder for who runs musterctl alone, which must not be there, and open it. By dir_out it
 * is this one, whatever the owner of the folder above makes of its name. */
NODISCARD int files_create_dir(const char *path, int *dir_out);
/** Give an open folder to the user of the node, as it is complete. */
NODISCARD int files_give_dir(int dir, const char *path);
NODISCARD int files_read(const char *path, struct buf *out);

/* A file of who runs musterctl that gets its name last: until then it is PATH.tmp, locked. What is
 * there under the name, or comes there meanwhile, stays. */
struct new_file {
    const char *path;
    struct buf tmp_path;
    int fd;
};

/** Open PATH.tmp, empty; one that was left by who was killed is used again, when it is ours. After
 * an error nothing needs an end. ERR_EXISTS: path is there. */
NODISCARD int files_begin_new(const char *path, struct new_file *out);
/** Sync it and give it its name. ERR_EXISTS: another file has got it. */
NODISCARD int files_give_name(struct new_file *file);
/** Close it; without its name it is removed. */
void files_end_new(struct new_file *file);

/** Say what errno means for path. ERR_EXISTS or ERR_IO. */
int files_fail(const char *path);

#endif
