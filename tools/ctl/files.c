#include "tools/ctl/files.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX (1024 * 1024)

int files_fail(const char *path)
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
    return mkdir(path, mode) == 0 || errno == EEXIST ? 0 : files_fail(path);
}

/* A link stays who it is to: its owner might make root give away anything. */
static int give_named_dir(const char *path)
{
    const struct passwd *user = node_user();

    if (user != NULL &&
        fchownat(AT_FDCWD, path, user->pw_uid, user->pw_gid, AT_SYMLINK_NOFOLLOW) != 0) {
        return files_fail(path);
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
        rc = give_named_dir(buf_text(&part));
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
        rc = files_fail(buf_text(&parent));
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
    int rc = file >= 0 && give_file(file) == 0 ? 0 : files_fail(path);

    if (rc != 0 && file >= 0) {
        (void)close(file);
    }
    if (rc == 0) {
        *file_out = file;
    }
    return rc;
}

int files_create_dir(const char *path, int *dir_out)
{
    struct stat opened;
    int dir;

    if (mkdir(path, 0700) != 0) {
        return files_fail(path);
    }
    dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0 || fstat(dir, &opened) != 0) {
        int rc = files_fail(path);

        if (dir >= 0) {
            (void)close(dir);
        }
        return rc;
    }
    if (opened.st_uid != geteuid() || (opened.st_mode & 0077) != 0) { /* another one by now */
        (void)close(dir);
        errno = EPERM;
        return files_fail(path);
    }
    *dir_out = dir;
    return 0;
}

int files_give_dir(int dir, const char *path)
{
    return give_file(dir) == 0 && fsync(dir) == 0 ? 0 : files_fail(path);
}

int files_write(const char *path, struct slice bytes, enum file_kind kind)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    kind == FILE_PUBLIC ? 0644 : 0600);
    int rc;

    if (file < 0) {
        return files_fail(path);
    }
    rc = fill(file, bytes, kind) == 0 ? 0 : files_fail(path);
    (void)close(file);
    return rc == 0 ? files_sync_parent(path) : rc;
}

int files_read(const char *path, struct buf *out)
{
    FILE *stream = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    size_t len;

    if (stream == NULL) {
        return files_fail(path);
    }
    len = fread(buf_reserve(out, FILE_BYTES_MAX), 1, FILE_BYTES_MAX, stream);
    buf_commit(out, len);
    if (stream != stdin) {
        (void)fclose(stream);
    }
    return 0;
}

/* ---- a file that gets its name last */

/* Is what was opened, and is locked now, still the file of that name, and of nobody else? Another
 * user may have made it, to read or keep what is written; who held the lock before has given it
 * its name or removed it; and a second name would be that of a file with other content. */
static bool is_own(struct new_file *file)
{
    struct stat opened;
    struct stat named;

    return fstat(file->fd, &opened) == 0 && lstat(buf_text(&file->tmp_path), &named) == 0 &&
           S_ISREG(opened.st_mode) && opened.st_uid == geteuid() && opened.st_nlink == 1 &&
           opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

static int open_own(struct new_file *file)
{
    const char *path = buf_text(&file->tmp_path);

    file->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (file->fd < 0) {
        return files_fail(path);
    }
    if (flock(file->fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) {
            return files_fail(path);
        }
        (void)fprintf(stderr, "musterctl: %s: is being written by another musterctl\n", path);
        return ERR_BUSY;
    }
    if (!is_own(file)) {
        (void)fprintf(stderr,
                      "musterctl: %s: is of another user, has another name, or is no file\n", path);
        return ERR_EXISTS;
    }
    return fchmod(file->fd, 0600) == 0 && ftruncate(file->fd, 0) == 0 ? 0 : files_fail(path);
}

int files_begin_new(const char *path, struct new_file *out)
{
    struct new_file file = {.path = path, .fd = -1};
    int rc;

    if (access(path, F_OK) == 0) {
        errno = EEXIST;
        return files_fail(path);
    }
    buf_printf(&file.tmp_path, "%s.tmp", path);
    rc = open_own(&file);
    if (rc == 0) {
        *out = file;
        return 0;
    }
    if (file.fd >= 0) {
        (void)close(file.fd);
    }
    buf_deinit(&file.tmp_path);
    return rc;
}

/* Not every file system has a rename that replaces nothing: NFS has none. */
static int name_only_once(const char *from, const char *to)
{
    int rc = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);

    if (rc != 0 && (errno == EINVAL || errno == ENOSYS)) {
        rc = link(from, to) == 0 ? unlink(from) : -1;
    }
    return rc;
}

int files_give_name(struct new_file *file)
{
    if (fsync(file->fd) != 0) {
        return files_fail(buf_text(&file->tmp_path));
    }
    if (name_only_once(buf_text(&file->tmp_path), file->path) != 0) {
        return files_fail(file->path);
    }
    buf_clear(&file->tmp_path);
    return files_sync_parent(file->path);
}

/* Removed while it is locked: whoever waits for it finds it gone. */
void files_end_new(struct new_file *file)
{
    if (buf_len(&file->tmp_path) > 0) {
        (void)unlink(buf_text(&file->tmp_path));
    }
    (void)close(file->fd);
    buf_deinit(&file->tmp_path);
}
