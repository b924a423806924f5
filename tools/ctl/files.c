#include "tools/ctl/files.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX (1024 * 1024)

static int fail(const char *path)
{
    int rc = errno == EEXIST ? ERR_EXISTS : ERR_IO;

    (void)fprintf(stderr, "musterctl: %s: %s\n", path, strerror(errno));
    return rc;
}

static int give_to_user(const char *path)
{
    const struct passwd *user = geteuid() == 0 ? getpwnam(FILES_USER) : NULL;

    if (user != NULL && chown(path, user->pw_uid, user->pw_gid) != 0) {
        return fail(path);
    }
    return 0;
}

int files_make_dir(const char *path, enum file_kind kind)
{
    struct buf part = BUF_EMPTY;
    int rc = 0;

    for (const char *at = path; rc == 0 && *at != '\0';) {
        size_t len = strcspn(at + 1, "/") + 1;
        bool is_last = at[len] == '\0';

        buf_append(&part, slice_make(at, len));
        at += len;
        if (mkdir(buf_text(&part), is_last && kind == FILE_PRIVATE ? 0700 : 0755) != 0 &&
            errno != EEXIST) {
            rc = fail(buf_text(&part));
        }
    }
    buf_deinit(&part);
    return rc == 0 && kind == FILE_PRIVATE ? give_to_user(path) : rc;
}

/* A name is on the disk when its directory is, whatever became of the file. */
static int sync_parent(const char *path)
{
    const char *name = strrchr(path, '/');
    struct buf parent = BUF_EMPTY;
    int folder;
    int rc = 0;

    buf_append(&parent,
               name == NULL ? slice_str(".") : slice_make(path, (size_t)(name - path) + 1));
    folder = open(buf_text(&parent), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || fsync(folder) != 0) {
        rc = fail(buf_text(&parent));
    }
    if (folder >= 0) {
        (void)close(folder);
    }
    buf_deinit(&parent);
    return rc;
}

int files_write(const char *path, struct slice bytes, enum file_kind kind)
{
    int file =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kind == FILE_PUBLIC ? 0644 : 0600);

    int rc;

    if (file < 0) {
        return fail(path);
    }
    if (write(file, bytes.data, bytes.len) != (ssize_t)bytes.len || fsync(file) != 0) {
        rc = fail(path);
        (void)close(file);
        return rc;
    }
    (void)close(file);
    rc = sync_parent(path);
    return rc == 0 && kind == FILE_PRIVATE ? give_to_user(path) : rc;
}

int files_read(const char *path, struct buf *out)
{
    FILE *stream = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    size_t len;

    if (stream == NULL) {
        return fail(path);
    }
    len = fread(buf_reserve(out, FILE_BYTES_MAX), 1, FILE_BYTES_MAX, stream);
    buf_commit(out, len);
    if (stream != stdin) {
        (void)fclose(stream);
    }
    return 0;
}
