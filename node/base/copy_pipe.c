#include "node/base/copy_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#define CANCEL_POLL_MS 100

static void *write_main(void *ctx)
{
    struct copy_pipe *copy = ctx;
    sigset_t pipe_signal;

    (void)pthread_setname_np(pthread_self(), copy->name);
    (void)sigemptyset(&pipe_signal);
    (void)sigaddset(&pipe_signal, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    copy->status = copy->write(copy->ctx, copy->write_fd);
    (void)close(copy->write_fd);
    return NULL;
}

int copy_pipe_open(struct copy_pipe *copy)
{
    int fds[2];
    int rc;

    copy->read_fd = -1;
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return ERR_IO;
    }
    copy->write_fd = fds[1];
    rc = fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0 ? 0 : ERR_IO; /* this end alone */
    if (rc == 0 && pthread_create(&copy->thread, NULL, write_main, copy) != 0) {
        rc = ERR_BUSY;
    }
    if (rc != 0) {
        (void)close(fds[0]);
        (void)close(fds[1]);
        return rc;
    }
    copy->read_fd = fds[0];
    return 0;
}

int copy_pipe_read(struct copy_pipe *copy, uint8_t *bytes, size_t len, size_t *len_out)
{
    size_t have = 0;

    while (have < len) {
        struct pollfd poll_fd = {.fd = copy->read_fd, .events = POLLIN};
        ssize_t count;

        if (copy->is_cancelled(copy->ctx)) {
            return ERR_CLOSED;
        }
        if (poll(&poll_fd, 1, CANCEL_POLL_MS) <= 0) {
            continue;
        }
        count = read(copy->read_fd, bytes + have, len - have);
        if (count < 0 && errno != EINTR) {
            return ERR_IO;
        }
        if (count == 0) {
            break;
        }
        have += count > 0 ? (size_t)count : 0;
    }
    *len_out = have;
    return 0;
}

int copy_pipe_close(struct copy_pipe *copy)
{
    if (copy->read_fd >= 0) {
        (void)close(copy->read_fd);
        copy->read_fd = -1;
        (void)pthread_join(copy->thread, NULL);
    }
    return copy->status;
}
