/* The file systems of the hosts: as large as need be, whatever the one beneath has left, or full.
 * On a full one a file can be written over, and can not grow; that is what LMDB and copies meet.
 * The log is on a disk of its own kind (disk.c). */
#include "tests/sim/machine.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define BLOCK_BYTES 4096
#define BLOCKS      (1 << 28)
#define BLOCKS_LEFT 256 /* of a full one */

static bool is_full(void)
{
    const struct sim_host *host = machine_here();

    return host != NULL && host->is_full;
}

static void tell_room(struct statvfs *out)
{
    const fsblkcnt_t left = is_full() ? BLOCKS_LEFT : BLOCKS;

    *out = (struct statvfs){.f_bsize = BLOCK_BYTES,
                            .f_frsize = BLOCK_BYTES,
                            .f_blocks = BLOCKS,
                            .f_bfree = left,
                            .f_bavail = left};
}

int __wrap_statvfs(const char *path, struct statvfs *out);
int __wrap_statvfs(const char *path, struct statvfs *out)
{
    (void)path;
    tell_room(out);
    return 0;
}

int __wrap_fstatvfs(int fd, struct statvfs *out);
int __wrap_fstatvfs(int fd, struct statvfs *out)
{
    (void)fd;
    tell_room(out);
    return 0;
}

/* ---- LMDB's writes: its library finds these before those of libc */

static bool has_room(int fd, off_t end)
{
    struct stat status;

    return !is_full() || (fstat(fd, &status) == 0 && end <= status.st_size);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    if (!has_room(fd, offset + (off_t)len)) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_pwrite64, fd, data, len, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    off_t end = is_full() ? lseek(fd, 0, SEEK_CUR) : 0;

    for (int i = 0; i < count; i++) {
        end += (off_t)parts[i].iov_len;
    }
    if (!has_room(fd, end)) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_writev, fd, parts, count);
}
