#include "tools/ctl/files.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
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

static const struct passwd *node_user(void)
{
    return geteuid() == 0 ? getpwnam(FILES_USER) : NULL;
}

static int make_part(const char *path, mode_t mode)
{
    return mkdir(path, mode) == 0 || errno == EEXIST ? 0 : fail(path);
}

/* A link stays who it is to: its owner might make root give away anything. */
static int give_dir(const char *path)
{
    const struct passwd *user = node_user();

    if (user != NULL &&
        fchownat(AT_FDCWD, path, user->pw_uid, user->pw_gid, AT_SYMLINK_NOFOLLOW) != 0) {
        return fail(path);
    }
    return 0;
}

int files_make_dir(const char *path, enum file_kind kind)
{
    struct slice whole = slice_str(path);
    struct buf part = BUF_EMPTY;
    int rc = 0;

    while (whole.len > 1 && whole.data[whole.len - 1] == '/') {
        whole.len--; /* with it, a link would be followed */
    }
    while (rc == 0 && buf_len(&part) < whole.len) {
        size_t begin = buf_len(&part);
        size_t end = begin + strcspn(path + begin + 1, "/") + 1;
        bool is_last = end >= whole.len;

        buf_append(&part, slice_sub(whole, begin, end));
        rc = make_part(buf_text(&part), is_last && kind == FILE_PRIVATE ? 0700 : 0755);
    }
    if (rc == 0 && kind == FILE_PRIVATE) {
        rc = give_dir(buf_text(&part));
    }
    buf_deinit(&part);
    return rc;
}

/* A name is on the disk when its directory is, whatever became of the file. */
int files_sync_parent(const char *path)
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

/* The open file and not its name, which the owner of the directory may have given to another. */
static int give_file(int file)
{
    const struct passwd *user = node_user();

    return user == NULL ? 0 : fchown(file, user->pw_uid, user->pw_gid);
}

static int fill(int file, struct slice bytes, enum file_kind kind)
{
    if (write(file, bytes.data, bytes.len) != (ssize_t)bytes.len) {
        return -1;
    }
    if (kind == FILE_PRIVATE && give_file(file) != 0) {
        return -1;
    }
    return fsync(file);
}

int files_create_private(const char *path, int *file_out)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc = file >= 0 && give_file(file) == 0 ? 0 : fail(path);

    if (rc != 0 && file >= 0) {
        (void)close(file);
    }
    if (rc == 0) {
        *file_out = file;
    }
    return rc;
}

int files_write(const char *path, struct slice bytes, enum file_kind kind)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    kind == FILE_PUBLIC ? 0644 : 0600);
    int rc;

    if (file < 0) {
        return fail(path);
    }
    rc = fill(file, bytes, kind) == 0 ? 0 : fail(path);
    (void)close(file);
    return rc == 0 ? files_sync_parent(path) : rc;
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
