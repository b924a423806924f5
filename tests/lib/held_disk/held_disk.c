/* held_disk - a library to preload (LD_PRELOAD): while there is a file of the name in $HELD_DISK,
 * a disk is in trouble. What the file says chooses which:
 *   nothing  no write to a log of raft_uv returns, as on a disk that does not answer;
 *   log      each write to such a log fails with EIO;
 *   store    each write and sync of LMDB fails with EIO.
 * Everything else goes on, also on the same disk. With $HELD_IN_LOOP it is the raft thread that
 * waits for its log, as if the program wrote it there: a defect, to be found. Raft_uv writes by
 * io_submit(), in a thread when the kernel would have to wait, and its term and vote by pwrite(),
 * on the raft thread; LMDB by pwrite(), writev() for neighbours, and fdatasync(). */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define POLL_US           10000
#define PATH_BYTES        4096
#define SYSCALL_ARGUMENTS 6
#define LOG_FOLDER        "/raft/"
#define STORE_FOLDER      "/state/"

enum trouble { TROUBLE_NONE, TROUBLE_HELD, TROUBLE_LOG, TROUBLE_STORE };

long syscall(long number, ...);
ssize_t pwrite(int fd, const void *data, size_t len, off_t offset);
ssize_t pwrite64(int fd, const void *data, size_t len, off_t offset);
ssize_t writev(int fd, const struct iovec *parts, int count);
int fdatasync(int fd);

static enum trouble read_trouble(void)
{
    const char *path = getenv("HELD_DISK");
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    char word[8];
    ssize_t len;

    if (fd < 0) {
        return TROUBLE_NONE;
    }
    len = read(fd, word, sizeof(word));
    (void)close(fd);
    if (len <= 0) {
        return TROUBLE_HELD;
    }
    return word[0] == 'l' ? TROUBLE_LOG : TROUBLE_STORE;
}

static bool is_below(int fd, const char *folder)
{
    char link[64];
    char path[PATH_BYTES];
    ssize_t len;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, path, sizeof(path) - 1);
    path[len < 0 ? 0 : len] = '\0';
    return strstr(path, folder) != NULL;
}

static bool is_held(void)
{
    return read_trouble() == TROUBLE_HELD;
}

/* Returns whether the write must fail; errno says how. */
static bool meets_trouble(int fd)
{
    enum trouble trouble = read_trouble();

    while (trouble == TROUBLE_HELD && is_below(fd, LOG_FOLDER)) {
        (void)usleep(POLL_US);
        trouble = read_trouble();
    }
    errno = EIO;
    return (trouble == TROUBLE_LOG && is_below(fd, LOG_FOLDER)) ||
           (trouble == TROUBLE_STORE && is_below(fd, STORE_FOLDER));
}

/* libuv and raft_uv have no other way to io_submit(). */
long syscall(long number, ...)
{
    static long (*real)(long, ...);
    long arguments[SYSCALL_ARGUMENTS];
    va_list list;

    va_start(list, number);
    for (int i = 0; i < SYSCALL_ARGUMENTS; i++) {
        arguments[i] = va_arg(list, long);
    }
    va_end(list);
    if (real == NULL) {
        real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    }
    if (number == SYS_io_submit) {
        const struct iocb *first = ((struct iocb **)arguments[2])[0];

        if ((first->aio_rw_flags & RWF_NOWAIT) != 0 && is_held() &&
            getenv("HELD_IN_LOOP") == NULL) {
            errno = EAGAIN; /* on to a thread, which may wait */
            return -1;
        }
        if (meets_trouble((int)first->aio_fildes)) {
            return -1;
        }
    }
    return real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                arguments[5]);
}

/* Term and vote, and pages of LMDB. */
ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    static ssize_t (*real)(int, const void *, size_t, off_t);

    if (real == NULL) {
        real = (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
    }
    return meets_trouble(fd) ? -1 : real(fd, data, len, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off_t offset)
{
    return pwrite(fd, data, len, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    static ssize_t (*real)(int, const struct iovec *, int);

    if (real == NULL) {
        real = (ssize_t(*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");
    }
    return meets_trouble(fd) ? -1 : real(fd, parts, count);
}

int fdatasync(int fd)
{
    static int (*real)(int);

    if (real == NULL) {
        real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    }
    return meets_trouble(fd) ? -1 : real(fd);
}
