#include "tests/sim/fds.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define FD_FIRST   1000000
#define FDS_MAX    100000
#define PIPE_BYTES 65536
#define LOOK_US    200 /* so often a thread looks whether its end of a pipe is ready */

struct MDB_env; /* LMDB's, which belongs to storage/kv */

struct pipe {
    uint8_t bytes[PIPE_BYTES];
    size_t len;
    bool is_open[2]; /* the reader's end, the writer's */
};

static struct item {
    struct net_socket *socket;
    struct pipe *pipe;
    bool is_writer;
    uint64_t count;
    void (*on_change)(void *ctx);
    void *ctx;
} items[FDS_MAX];
static int item_count;

static struct item *item_of(int fd)
{
    return fd >= FD_FIRST && fd < FD_FIRST + item_count ? &items[fd - FD_FIRST] : NULL;
}

static int add_item(struct net_socket *socket)
{
    if (item_count == FDS_MAX) {
        (void)fprintf(stderr, "sim: too many descriptors\n");
        abort();
    }
    items[item_count] = (struct item){.socket = socket};
    return FD_FIRST + item_count++;
}

struct net_socket *fds_socket(int fd)
{
    const struct item *item = item_of(fd);

    return item == NULL ? NULL : item->socket;
}

int fds_of(struct net_socket *socket)
{
    for (int i = 0; i < item_count; i++) {
        if (items[i].socket == socket) {
            return FD_FIRST + i;
        }
    }
    return add_item(socket);
}

void fds_watch(int fd, void (*on_change)(void *ctx), void *ctx)
{
    struct item *item = item_of(fd);

    item->on_change = on_change;
    item->ctx = ctx;
    if (on_change != NULL && item->count > 0) {
        on_change(ctx);
    }
}

bool fds_is_readable(int fd)
{
    return item_of(fd)->count > 0;
}

static int fail(int error)
{
    errno = error;
    return -1;
}

static int answer(int rc)
{
    return rc == 0 ? 0 : fail(-rc);
}

/* ---- pipes: whoever waits looks again and again */

static ssize_t read_pipe(struct pipe *pipe, void *data, size_t len)
{
    while (pipe->len == 0 && pipe->is_open[1]) {
        machine_sleep_us(LOOK_US);
    }
    len = len < pipe->len ? len : pipe->len;
    memcpy(data, pipe->bytes, len);
    pipe->len -= len;
    memmove(pipe->bytes, pipe->bytes + len, pipe->len);
    return (ssize_t)len;
}

static ssize_t write_pipe(struct pipe *pipe, const void *data, size_t len)
{
    size_t room;

    while (pipe->len == PIPE_BYTES && pipe->is_open[0]) {
        machine_sleep_us(LOOK_US);
    }
    if (!pipe->is_open[0]) {
        return fail(EPIPE);
    }
    room = PIPE_BYTES - pipe->len;
    len = len < room ? len : room;
    memcpy(pipe->bytes + pipe->len, data, len);
    pipe->len += len;
    return (ssize_t)len;
}

/* What poll(2) would say of it. */
static short events_of(const struct item *item)
{
    const struct pipe *pipe = item->pipe;

    if (item->is_writer) {
        return (short)((pipe->len < PIPE_BYTES ? POLLOUT : 0) | (pipe->is_open[0] ? 0 : POLLERR));
    }
    return (short)((pipe->len > 0 ? POLLIN : 0) | (pipe->is_open[1] ? 0 : POLLHUP));
}

/* ---- the kernel's calls (--wrap) */

int __real_close(int fd);
ssize_t __real_read(int fd, void *data, size_t len);
ssize_t __real_write(int fd, const void *data, size_t len);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_listen(int fd, int backlog);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *len);
int __wrap_close(int fd);
int __wrap_eventfd(unsigned count, int flags);
int __wrap_pipe2(int fds[2], int flags);
int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __real_mdb_env_copyfd2(struct MDB_env *env, int fd, unsigned flags);
int __wrap_mdb_env_copyfd2(struct MDB_env *env, int fd, unsigned flags);
ssize_t __wrap_read(int fd, void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len);

int __wrap_socket(int domain, int type, int protocol)
{
    (void)type;
    (void)protocol;
    return domain == AF_INET ? add_item(net_socket_new(machine_here())) : fail(EAFNOSUPPORT);
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    (void)len;
    return answer(net_bind(fds_socket(fd), (const struct sockaddr_in *)(const void *)address));
}

int __wrap_listen(int fd, int backlog)
{
    (void)backlog;
    return answer(net_listen(fds_socket(fd)));
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    struct net_socket *socket = fds_socket(fd);
    int number = 0;

    if (len >= sizeof(number)) {
        memcpy(&number, value, sizeof(number));
    }
    if (level == SOL_SOCKET && name == SO_REUSEPORT) {
        net_share_port(socket);
    } else if (level == IPPROTO_TCP && name == TCP_USER_TIMEOUT) {
        net_set_user_timeout(socket, (uint32_t)number);
    }
    return 0;
}

int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *len)
{
    struct sockaddr_in found = net_local(fds_socket(fd));

    memcpy(address, &found, sizeof(found));
    *len = sizeof(found);
    return 0;
}

int __wrap_close(int fd)
{
    struct item *item = item_of(fd);

    if (item == NULL) {
        return __real_close(fd);
    }
    if (item->socket != NULL) {
        net_close(item->socket);
    }
    if (item->pipe != NULL) {
        item->pipe->is_open[item->is_writer ? 1 : 0] = false;
    }
    return 0;
}

int __wrap_pipe2(int fds[2], int flags)
{
    struct pipe *pipe = calloc(1, sizeof(*pipe));

    (void)flags;
    if (pipe == NULL) {
        abort();
    }
    for (int end = 0; end < 2; end++) {
        pipe->is_open[end] = true;
        fds[end] = add_item(NULL);
        item_of(fds[end])->pipe = pipe;
        item_of(fds[end])->is_writer = end == 1;
    }
    return 0;
}

/* That a pipe is not to block means nothing here: a thread that waits for it gives its turn away.
 */
int __wrap_fcntl(int fd, int command, ...)
{
    va_list args;
    long argument;

    if (item_of(fd) != NULL) {
        return 0;
    }
    va_start(args, command);
    argument = va_arg(args, long);
    va_end(args);
    return __real_fcntl(fd, command, argument);
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    const struct item *item = count == 1 ? item_of(fds->fd) : NULL;
    uint64_t until_us =
        timeout_ms < 0 ? SIM_FOREVER : machine_now_us() + (uint64_t)timeout_ms * 1000;

    if (item == NULL) {
        return __real_poll(fds, count, timeout_ms);
    }
    while (true) {
        fds->revents = (short)(events_of(item) & (fds->events | POLLERR | POLLHUP));
        if (fds->revents != 0 || machine_now_us() >= until_us) {
            return fds->revents != 0;
        }
        machine_sleep_us(LOOK_US);
    }
}

/* LMDB writes with the kernel's own write(2), which must not wait here: so into a file first. */
int __wrap_mdb_env_copyfd2(struct MDB_env *env, int fd, unsigned flags)
{
    uint8_t bytes[4096];
    int file = memfd_create("copy", MFD_CLOEXEC);
    int rc = __real_mdb_env_copyfd2(env, file, flags);
    ssize_t len = 0;

    (void)lseek(file, 0, SEEK_SET);
    while (rc == 0 && (len = __real_read(file, bytes, sizeof(bytes))) > 0) {
        for (ssize_t at = 0; at < len && rc == 0;) {
            ssize_t written = __wrap_write(fd, bytes + at, (size_t)(len - at));

            rc = written < 0 ? errno : 0;
            at += written;
        }
    }
    (void)__real_close(file);
    return rc;
}

int __wrap_eventfd(unsigned count, int flags)
{
    int fd = add_item(NULL);

    (void)flags;
    item_of(fd)->count = count;
    return fd;
}

ssize_t __wrap_read(int fd, void *data, size_t len)
{
    struct item *item = item_of(fd);

    if (item == NULL) {
        return __real_read(fd, data, len);
    }
    if (item->pipe != NULL) {
        return read_pipe(item->pipe, data, len);
    }
    if (item->count == 0) {
        return fail(EAGAIN);
    }
    memcpy(data, &item->count, sizeof(item->count));
    item->count = 0;
    return sizeof(item->count);
}

ssize_t __wrap_write(int fd, const void *data, size_t len)
{
    struct item *item = item_of(fd);
    uint64_t more;

    if (item == NULL && machine_here() != NULL && machine_here()->is_full) {
        return fail(ENOSPC);
    }
    if (item == NULL) {
        return __real_write(fd, data, len);
    }
    if (item->pipe != NULL) {
        return write_pipe(item->pipe, data, len);
    }
    memcpy(&more, data, sizeof(more));
    item->count += more;
    if (item->on_change != NULL) {
        item->on_change(item->ctx);
    }
    return (ssize_t)len;
}
