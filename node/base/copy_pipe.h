/* copy_pipe - a copy that one function writes to a file descriptor, read part by part by another
 * thread: a pipe between, and a thread that writes. Who writes never waits inside write() for who
 * reads, and so sees at once when it is to end; who reads can give up at any time. */
#ifndef NODE_BASE_COPY_PIPE_H
#define NODE_BASE_COPY_PIPE_H

#include "node/base/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct copy_pipe {
    /** On the thread that writes: fd is non-blocking, and EPIPE when nobody reads any more. */
    int (*write)(void *ctx, int fd);
    /** Is the reader to give up? On its thread, ten times a second while it waits. */
    bool (*is_cancelled)(void *ctx);
    void *ctx;
    const char *name; /* of the thread; static */

    int read_fd; /* -1: closed */
    int write_fd;
    pthread_t thread;
    int status; /* what write() returned */
};

/** Begin to write; the four fields above are set. ERR_IO: no pipe; ERR_BUSY: no thread. Then
 * nothing is open. */
NODISCARD int copy_pipe_open(struct copy_pipe *copy);
/** Wait until so many bytes are there or the copy ends: then *len_out is less. ERR_CLOSED:
 * cancelled. */
NODISCARD int copy_pipe_read(struct copy_pipe *copy, uint8_t *bytes, size_t len, size_t *len_out);
/** End the writer when it has not ended; what write() returned. The same once it is closed. */
int copy_pipe_close(struct copy_pipe *copy);

#endif
