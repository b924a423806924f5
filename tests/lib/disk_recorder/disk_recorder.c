/* disk_recorder - a library to preload (LD_PRELOAD): writes down, in order and with the time of the
 * monotonic clock, what the process does to the files below $RECORDED_DIR, into a file whose name
 * is $RECORDED_TRACE and its process id, and which must be elsewhere. Writes and syncs have a begin
 * and an end, so that a reader knows what was under way at any moment. Nothing is changed or held
 * back.
 *
 * It stands before libc's functions that musterd, LMDB, libuv and libraft use; libuv and raft_uv go
 * to syscall() for what libc has no function for. What it does not see (a FILE opened for writing,
 * sendfile) shows when the reader compares the recorded files with those on the disk. */
#include "tests/lib/disk_recorder/trace.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DESCRIPTORS_MAX   65536
#define SUBMITTED_MAX     256
#define SYSCALL_ARGUMENTS 6

static char dir[PATH_MAX]; /* empty: nothing is recorded */
static bool is_recorded[DESCRIPTORS_MAX];

/* Writes handed to the kernel (io_submit) whose end it has not told yet. */
static struct {
    const struct iocb *iocb;
    uint32_t number;
} submitted[SUBMITTED_MAX];
static pthread_mutex_t submitted_mutex = PTHREAD_MUTEX_INITIALIZER;

// NOLINTBEGIN(bugprone-reserved-identifier): these are what glibc's headers call
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
// NOLINTEND(bugprone-reserved-identifier)

/* The functions of a system where file offsets have one size: an alias each. */
#define ALSO_AS(name) __attribute__((alias(#name)))

static bool is_ours(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS_MAX && is_recorded[fd];
}

/* ---- names */

/* The path from the root on, as far as it needs no look at links. */
static void resolve(int dir_fd, const char *path, char out[PATH_MAX])
{
    char link[64];
    ssize_t len = 0;

    if (path[0] == '/') {
        (void)snprintf(out, PATH_MAX, "%s", path);
        return;
    }
    if (dir_fd == AT_FDCWD) {
        len = getcwd(out, PATH_MAX) == NULL ? 0 : (ssize_t)strlen(out);
    } else {
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", dir_fd);
        len = readlink(link, out, PATH_MAX - 1);
    }
    len = len < 0 ? 0 : len;
    (void)snprintf(out + len, (size_t)(PATH_MAX - len), "/%s", path);
}

/* The name below the recorded folder, "" for itself, or NULL. Valid as long as path. */
static const char *recorded_name(const char *path)
{
    size_t len = strlen(dir);

    if (len == 0 || strncmp(path, dir, len) != 0 || (path[len] != '/' && path[len] != '\0')) {
        return NULL;
    }
    path += len;
    while (*path == '/') {
        path++;
    }
    return path;
}

/* ---- what is there when the process begins */

static void record_content(const char *name, int fd)
{
    struct stat status;
    struct iovec part = {0};

    if (fstat(fd, &status) != 0) {
        abort();
    }
    part.iov_len = (size_t)status.st_size;
    if (part.iov_len > 0) {
        part.iov_base = mmap(NULL, part.iov_len, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    trace_add(&(struct trace_event){.kind = TRACE_FILE,
                                    .name = name,
                                    .parts = &part,
                                    .part_count = 1,
                                    .content_bytes = part.iov_len});
    if (part.iov_len > 0) {
        (void)munmap(part.iov_base, part.iov_len);
    }
}

static void record_folder(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *item;

    if (folder == NULL) {
        return; /* the process makes it */
    }
    trace_add(&(struct trace_event){.kind = TRACE_FOLDER, .name = recorded_name(path)});
    while ((item = readdir(folder)) != NULL) {
        char inner[PATH_MAX + NAME_MAX + 2];
        int fd;

        (void)snprintf(inner, sizeof(inner), "%s/%s", path, item->d_name);
        if (item->d_type == DT_DIR && item->d_name[0] != '.') {
            record_folder(inner);
        } else if (item->d_type == DT_REG) {
            fd = (int)syscall(SYS_openat, AT_FDCWD, inner, O_RDONLY | O_CLOEXEC);
            record_content(recorded_name(inner), fd);
            (void)close(fd);
        }
    }
    (void)closedir(folder);
}

__attribute__((constructor)) static void begin(void)
{
    const char *folder = getenv("RECORDED_DIR");
    const char *trace = getenv("RECORDED_TRACE");

    if (folder == NULL || trace == NULL || strlen(folder) >= sizeof(dir)) {
        return;
    }
    trace_open(trace);
    (void)snprintf(dir, sizeof(dir), "%s", folder);
    trace_add(&(struct trace_event){.kind = TRACE_START});
    record_folder(dir);
}

/* ---- descriptors */

static int open_at(int dir_fd, const char *path, int flags, mode_t mode)
{
    char whole[PATH_MAX] = "";
    const char *name = NULL;
    int fd;

    if (dir[0] != '\0') {
        resolve(dir_fd, path, whole);
        name = recorded_name(whole);
    }
    if (name == NULL) {
        return (int)syscall(SYS_openat, dir_fd, path, flags, mode);
    }
    fd = (int)syscall(SYS_openat, dir_fd, path, flags, mode);
    if (fd >= DESCRIPTORS_MAX) {
        abort();
    }
    if (fd >= 0) {
        is_recorded[fd] = true;
        trace_add(&(struct trace_event){
            .kind = TRACE_OPEN, .flag = (flags & O_TRUNC) != 0, .fd = fd, .name = name});
    }
    return fd;
}

static mode_t mode_of(int flags, va_list arguments)
{
    return (flags & (O_CREAT | O_TMPFILE)) == 0 ? 0 : va_arg(arguments, mode_t);
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode;

    va_start(arguments, flags);
    mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_at(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) ALSO_AS(open);

int openat(int dir_fd, const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode;

    va_start(arguments, flags);
    mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_at(dir_fd, path, flags, mode);
}

int openat64(int dir_fd, const char *path, int flags, ...) ALSO_AS(openat);

int __open_2(const char *path, int flags)
{
    return open_at(AT_FDCWD, path, flags, 0);
}

int __open64_2(const char *path, int flags) ALSO_AS(__open_2);

int close(int fd)
{
    if (!is_ours(fd)) {
        return (int)syscall(SYS_close, fd);
    }
    is_recorded[fd] = false;
    trace_add(&(struct trace_event){.kind = TRACE_CLOSE, .fd = fd});
    return (int)syscall(SYS_close, fd);
}

void *mmap(void *address, size_t len, int protection, int flags, int fd, off_t offset)
{
    if (is_ours(fd) && (protection & PROT_WRITE) != 0 && (flags & MAP_SHARED) != 0) {
        trace_add(&(struct trace_event){.kind = TRACE_MAPPED, .fd = fd});
    }
    // NOLINTNEXTLINE(performance-no-int-to-ptr): an address is what this call answers
    return (void *)syscall(SYS_mmap, address, len, protection, flags, fd, offset);
}

void *mmap64(void *address, size_t len, int protection, int flags, int fd, off_t offset)
    ALSO_AS(mmap);

/* ---- changes of names: one step each, written down before its caller knows of it */

static int change_name(enum trace_kind kind, long number, int dir_fd, const char *path, int flags)
{
    char whole[PATH_MAX];
    const char *name;
    int rc;

    resolve(dir_fd, path, whole);
    name = recorded_name(whole);
    if (name == NULL) {
        return (int)syscall(number, dir_fd, path, flags);
    }
    rc = (int)syscall(number, dir_fd, path, flags);
    if (rc == 0) {
        trace_add(&(struct trace_event){.kind = kind, .name = name});
    }
    return rc;
}

int mkdir(const char *path, mode_t mode)
{
    return change_name(TRACE_MKDIR, SYS_mkdirat, AT_FDCWD, path, (int)mode);
}

int unlinkat(int dir_fd, const char *path, int flags)
{
    return change_name(TRACE_UNLINK, SYS_unlinkat, dir_fd, path, flags);
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

static int second_name(enum trace_kind kind, long number, int from_fd, const char *from, int to_fd,
                       const char *to)
{
    char whole_from[PATH_MAX];
    char whole_to[PATH_MAX];
    const char *name;
    const char *fresh;
    int rc;

    resolve(from_fd, from, whole_from);
    resolve(to_fd, to, whole_to);
    name = recorded_name(whole_from);
    fresh = recorded_name(whole_to);
    if (name == NULL && fresh == NULL) {
        return (int)syscall(number, from_fd, from, to_fd, to, 0);
    }
    if (name == NULL || fresh == NULL) {
        abort(); /* from outside, or to outside: its content is not known */
    }
    rc = (int)syscall(number, from_fd, from, to_fd, to, 0);
    if (rc == 0) {
        const struct iovec part = {(void *)fresh, strlen(fresh)};

        trace_add(&(struct trace_event){.kind = kind,
                                        .name = name,
                                        .parts = &part,
                                        .part_count = 1,
                                        .content_bytes = part.iov_len});
    }
    return rc;
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    return second_name(TRACE_RENAME, SYS_renameat2, from_fd, from, to_fd, to);
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int link(const char *from, const char *to)
{
    return second_name(TRACE_LINK, SYS_linkat, AT_FDCWD, from, AT_FDCWD, to);
}

/* ---- lengths: one step each */

static int change_length(enum trace_kind kind, int fd, off_t length, int rc)
{
    if (rc == 0) {
        trace_add(&(struct trace_event){.kind = kind, .fd = fd, .offset = (uint64_t)length});
    }
    return rc;
}

int ftruncate(int fd, off_t length)
{
    if (!is_ours(fd)) {
        return (int)syscall(SYS_ftruncate, fd, length);
    }
    return change_length(TRACE_TRUNCATE, fd, length, (int)syscall(SYS_ftruncate, fd, length));
}

int ftruncate64(int fd, off_t length) ALSO_AS(ftruncate);

int posix_fallocate(int fd, off_t offset, off_t len)
{
    if (!is_ours(fd)) {
        return syscall(SYS_fallocate, fd, 0, offset, len) == 0 ? 0 : errno;
    }
    return change_length(TRACE_ALLOCATE, fd, offset + len,
                         syscall(SYS_fallocate, fd, 0, offset, len) == 0 ? 0 : errno);
}

int posix_fallocate64(int fd, off_t offset, off_t len) ALSO_AS(posix_fallocate);

/* ---- writes */

static uint64_t bytes_of(const struct iovec *parts, int part_count)
{
    uint64_t bytes = 0;

    for (int i = 0; i < part_count; i++) {
        bytes += parts[i].iov_len;
    }
    return bytes;
}

static uint32_t begin_write(int fd, const struct iovec *parts, int part_count, off_t offset,
                            bool is_durable)
{
    int flags = (int)syscall(SYS_fcntl, fd, F_GETFL);
    uint32_t number = trace_number();

    trace_add(&(struct trace_event){.kind = TRACE_WRITE,
                                    .flag = is_durable || (flags & O_DSYNC) != 0,
                                    .fd = fd,
                                    .number = number,
                                    .offset = (uint64_t)offset,
                                    .parts = parts,
                                    .part_count = part_count,
                                    .content_bytes = bytes_of(parts, part_count)});
    return number;
}

static void end(uint32_t number, long result)
{
    int cause = errno;

    trace_add(
        &(struct trace_event){.kind = TRACE_END, .number = number, .offset = (uint64_t)result});
    errno = cause;
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    const struct iovec part = {(void *)data, len};
    ssize_t written;
    uint32_t number;

    if (!is_ours(fd)) {
        return syscall(SYS_pwrite64, fd, data, len, offset);
    }
    number = begin_write(fd, &part, 1, offset, false);
    written = syscall(SYS_pwrite64, fd, data, len, offset);
    end(number, written);
    return written;
}

ssize_t pwrite64(int fd, const void *data, size_t len, off_t offset) ALSO_AS(pwrite);

/* Nobody shares a descriptor of a file between threads: its place does not move meanwhile. */
ssize_t writev(int fd, const struct iovec *parts, int part_count)
{
    ssize_t written;
    uint32_t number;

    if (!is_ours(fd)) {
        return syscall(SYS_writev, fd, parts, part_count);
    }
    number = begin_write(fd, parts, part_count, lseek(fd, 0, SEEK_CUR), false);
    written = syscall(SYS_writev, fd, parts, part_count);
    end(number, written);
    return written;
}

ssize_t write(int fd, const void *data, size_t len)
{
    const struct iovec part = {(void *)data, len};

    return is_ours(fd) ? writev(fd, &part, 1) : syscall(SYS_write, fd, data, len);
}

/* ---- syncs */

static int sync_by(long call, int fd)
{
    uint32_t number = trace_number();
    int rc;

    if (!is_ours(fd)) {
        return (int)syscall(call, fd);
    }
    trace_add(&(struct trace_event){.kind = TRACE_SYNC, .fd = fd, .number = number});
    rc = (int)syscall(call, fd);
    end(number, rc);
    return rc;
}

int fsync(int fd)
{
    return sync_by(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_by(SYS_fdatasync, fd);
}

/* ---- writes by the kernel */

static void remember(const struct iocb *iocb, uint32_t number)
{
    pthread_mutex_lock(&submitted_mutex);
    for (int i = 0; i < SUBMITTED_MAX; i++) {
        if (submitted[i].iocb == NULL) {
            submitted[i].iocb = iocb;
            submitted[i].number = number;
            pthread_mutex_unlock(&submitted_mutex);
            return;
        }
    }
    abort();
}

/* 0: not one of ours */
static uint32_t forget(const struct iocb *iocb)
{
    uint32_t number = 0;

    pthread_mutex_lock(&submitted_mutex);
    for (int i = 0; i < SUBMITTED_MAX && number == 0; i++) {
        if (submitted[i].iocb == iocb) {
            submitted[i].iocb = NULL;
            number = submitted[i].number;
        }
    }
    pthread_mutex_unlock(&submitted_mutex);
    return number;
}

static void end_submitted(const struct iocb *iocb, long result)
{
    uint32_t number = forget(iocb);

    if (number != 0) {
        end(number, result);
    }
}

static void begin_submitted(const struct iocb *iocb)
{
    int fd = (int)iocb->aio_fildes;
    bool is_durable = ((unsigned)iocb->aio_rw_flags & (RWF_DSYNC | RWF_SYNC)) != 0;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): this is how the kernel is told
    void *bytes = (void *)iocb->aio_buf;
    const struct iovec part = {bytes, iocb->aio_nbytes};

    if (!is_ours(fd)) {
        return;
    }
    if (iocb->aio_lio_opcode == IOCB_CMD_PWRITE) {
        remember(iocb, begin_write(fd, &part, 1, iocb->aio_offset, is_durable));
    } else if (iocb->aio_lio_opcode == IOCB_CMD_PWRITEV) {
        remember(iocb, begin_write(fd, bytes, (int)iocb->aio_nbytes, iocb->aio_offset, is_durable));
    } else {
        abort();
    }
}

static long io_submit_by(long (*real)(long, ...), long context, long count, struct iocb **iocbs)
{
    long taken;

    for (long i = 0; i < count; i++) {
        begin_submitted(iocbs[i]);
    }
    taken = real(SYS_io_submit, context, count, iocbs);
    for (long i = taken < 0 ? 0 : taken; i < count; i++) {
        end_submitted(iocbs[i], -1);
    }
    return taken;
}

static long pwritev_by(long (*real)(long, ...), const long *arguments)
{
    int fd = (int)arguments[0];
    // NOLINTNEXTLINE(performance-no-int-to-ptr): this is how it is called
    const struct iovec *parts = (const struct iovec *)arguments[1];
    int part_count = (int)arguments[2];
    uint32_t number = begin_write(fd, parts, part_count, arguments[3], false);
    long written = real(SYS_pwritev, fd, parts, part_count, arguments[3], arguments[4]);

    end(number, written);
    return written;
}

static void note_ended(const struct io_event *events, long count)
{
    for (long i = 0; i < count; i++) {
        // NOLINTNEXTLINE(performance-no-int-to-ptr): this is how the kernel tells
        end_submitted((const struct iocb *)events[i].obj, (long)events[i].res);
    }
}

long syscall(long number, ...)
{
    static long (*real)(long, ...);
    long arguments[SYSCALL_ARGUMENTS];
    long result;
    va_list list;

    va_start(list, number);
    for (int i = 0; i < SYSCALL_ARGUMENTS; i++) {
        arguments[i] = va_arg(list, long);
    }
    va_end(list);
    if (real == NULL) {
        real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    }
    if (number == SYS_close && is_ours((int)arguments[0])) {
        return close((int)arguments[0]);
    }
    if (number == SYS_pwritev && is_ours((int)arguments[0])) {
        return pwritev_by(real, arguments);
    }
    if (number == SYS_io_submit) {
        // NOLINTNEXTLINE(performance-no-int-to-ptr): this is how it is called
        return io_submit_by(real, arguments[0], arguments[1], (struct iocb **)arguments[2]);
    }
    result = real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                  arguments[5]);
    if (number == SYS_io_getevents) {
        // NOLINTNEXTLINE(performance-no-int-to-ptr): this is how it is called
        note_ended((const struct io_event *)arguments[3], result);
    }
    return result;
}
