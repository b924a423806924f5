/* held_disk - a library to preload (LD_PRELOAD): while there is a file of the name in $HELD_DISK,
 * no write to a log of raft_uv returns, as on a disk that does not answer. Everything else
 * goes on, also on the same disk. Raft_uv writes by io_submit(), in a thread when the kernel would
 * have to wait, and its term and vote by pwrite(), on the raft thread. */
#include <dlfcn.h>
#include <errno.h>
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

long syscall(long number, ...);
ssize_t pwrite64(int fd, const void *data, size_t len, off_t offset);

static bool is_held(void)
{
    const char *path = getenv("HELD_DISK");

    return path != NULL && access(path, F_OK) == 0;
}

static bool is_of_the_log(int fd)
{
    char link[64];
    char path[PATH_BYTES];
    ssize_t len;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, path, sizeof(path) - 1);
    path[len < 0 ? 0 : len] = '\0';
    return strstr(path, "/raft/") != NULL;
}

static void wait_for_disk(int fd)
{
    while (is_of_the_log(fd) && is_held()) {
        (void)usleep(POLL_US);
    }
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

        if ((first->aio_rw_flags & RWF_NOWAIT) == 0) {
            wait_for_disk((int)first->aio_fildes);
        } else if (is_held()) {
            errno = EAGAIN; /* on to a thread, which may wait */
            return -1;
        }
    }
    return real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                arguments[5]);
}

/* Term and vote. */
ssize_t pwrite64(int fd, const void *data, size_t len, off_t offset)
{
    static ssize_t (*real)(int, const void *, size_t, off_t);

    if (real == NULL) {
        real = (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite64");
    }
    wait_for_disk(fd);
    return real(fd, data, len, offset);
}
