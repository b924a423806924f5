/* source - gives a copy of this node's store to one that is behind. */
#include "node/base/clock.h"
#include "node/base/log.h"
#include "node/base/mem.h"
#include "raft/snapshot/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#define CANCEL_POLL_MS 100 /* how long a cancelled copy may go on waiting for the store */

/* ---------------------------------------------------------------- raft thread, mutex held */

static void refuse(struct snapshot *snapshot, uint32_t node, uint64_t request, int status)
{
    const struct copy_frame frame = {.type = COPY_REFUSE, .request = request, .status = status};
    struct buf bytes = BUF_EMPTY;
    struct slice part;
    int rc;

    copy_frame_encode(&frame, &bytes);
    part = buf_slice(&bytes);
    rc = rlog_extension_send(snapshot->rlog, node, COPY_REFUSE, &part, 1);
    buf_deinit(&bytes);
    if (rc != 0) { /* the asker gives up by itself after a time */
        log_warn("snapshot.refuse_failed", LOG_UINT("node", node), LOG_STR("cause", err_text(rc)));
    }
}

static void on_ask(struct snapshot *snapshot, uint32_t node, const struct copy_frame *frame)
{
    struct source *source = &snapshot->source;

    if ((source->running.node != 0 && source->running.node != node) ||
        (source->wanted.node != 0 && source->wanted.node != node)) {
        refuse(snapshot, node, frame->request, ERR_BUSY);
        return;
    }
    source->cancelled = true; /* it asks anew: what it got before is of no use to it */
    source->wanted =
        (struct source_job){.node = node, .request = frame->request, .index_min = frame->index};
}

void source_on_frame(struct snapshot *snapshot, uint32_t node, const struct copy_frame *frame)
{
    struct source *source = &snapshot->source;

    if (frame->type == COPY_ASK) {
        on_ask(snapshot, node, frame);
    } else if (node == source->running.node && frame->request == source->running.request &&
               frame->offset > source->acked && frame->offset <= source->sent) {
        source->acked = frame->offset;
    }
}

void source_on_link_down(struct snapshot *snapshot, uint32_t node)
{
    struct source *source = &snapshot->source;

    if (source->running.node == node) {
        source->cancelled = true;
    }
    if (source->wanted.node == node) {
        source->wanted = (struct source_job){.node = 0};
    }
}

/* ---------------------------------------------------------------- the thread that writes the copy
 */

struct writer {
    struct snapshot *snapshot;
    int fd;
    int status;
    uint64_t applied;
};

static void *writer_main(void *ctx)
{
    struct writer *writer = ctx;
    const struct snapshot_config *config = &writer->snapshot->config;
    sigset_t pipe_signal;

    (void)pthread_setname_np(pthread_self(), "copy-writer");
    (void)sigemptyset(&pipe_signal);
    (void)sigaddset(&pipe_signal, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    writer->status = config->write_copy(config->ctx, writer->fd, &writer->applied);
    (void)close(writer->fd);
    return NULL;
}

/* ---------------------------------------------------------------- the source thread */

static bool is_cancelled(struct snapshot *snapshot)
{
    bool cancelled;

    (void)pthread_mutex_lock(&snapshot->mutex);
    cancelled = snapshot->source.cancelled || snapshot->stopping;
    (void)pthread_mutex_unlock(&snapshot->mutex);
    return cancelled;
}

/* Read until the chunk is full or the copy ends. */
static int read_chunk(struct snapshot *snapshot, int fd, uint8_t *chunk, size_t *len_out)
{
    size_t len = 0;

    while (len < COPY_CHUNK_BYTES_MAX) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        ssize_t count;

        if (is_cancelled(snapshot)) {
            return ERR_CLOSED;
        }
        if (poll(&poll_fd, 1, CANCEL_POLL_MS) <= 0) {
            continue;
        }
        count = read(fd, chunk + len, COPY_CHUNK_BYTES_MAX - len);
        if (count < 0 && errno != EINTR) {
            return ERR_IO;
        }
        if (count == 0) {
            break;
        }
        len += count > 0 ? (size_t)count : 0;
    }
    *len_out = len;
    return 0;
}

/* Wait until the receiver has written so much that len more bytes fit into the window. */
static int wait_for_window(struct snapshot *snapshot, size_t len)
{
    struct source *source = &snapshot->source;
    uint64_t deadline_ms = clock_mono_ms() + COPY_STALL_MS;
    int rc = 0;

    (void)pthread_mutex_lock(&snapshot->mutex);
    while (rc == 0 && source->sent + len > source->acked + COPY_WINDOW_BYTES_MAX) {
        if (source->cancelled || snapshot->stopping) {
            rc = ERR_CLOSED;
        } else if (!snapshot_wait(snapshot, deadline_ms)) {
            rc = ERR_TIMEOUT;
        }
    }
    if (rc == 0) {
        source->sent += len;
    }
    (void)pthread_mutex_unlock(&snapshot->mutex);
    return rc;
}

/* Send everything that comes out of the pipe; the hash of it goes to digest. */
static int relay(struct snapshot *snapshot, const struct source_job *job, int fd,
                 EVP_MD_CTX *digest, uint64_t *length_out)
{
    uint8_t *chunk = mem_alloc(COPY_CHUNK_BYTES_MAX);
    uint64_t offset = 0;
    size_t len = 1;
    int rc = 0;

    while (rc == 0 && len > 0) {
        rc = read_chunk(snapshot, fd, chunk, &len);
        if (rc == 0 && len > 0) {
            rc = wait_for_window(snapshot, len);
        }
        if (rc == 0 && len > 0) {
            (void)EVP_DigestUpdate(digest, chunk, len);
            rc = snapshot_send(snapshot, job->node,
                               &(struct copy_frame){.type = COPY_DATA,
                                                    .request = job->request,
                                                    .offset = offset,
                                                    .bytes = slice_make(chunk, len)});
            offset += len;
        }
    }
    mem_free(&chunk);
    *length_out = offset;
    return rc;
}

/* Stream a copy; on success *end_out is what concludes it. */
static int stream(struct snapshot *snapshot, const struct source_job *job, EVP_MD_CTX *digest,
                  struct copy_frame *end_out)
{
    struct writer writer = {.snapshot = snapshot};
    pthread_t thread;
    int fds[2];
    int rc;

    if (snapshot->config.copied_index(snapshot->config.ctx) < job->index_min) {
        return ERR_BUSY; /* this node's own store is behind: ask later, or another */
    }
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return ERR_IO;
    }
    writer.fd = fds[1];
    rc = pthread_create(&thread, NULL, writer_main, &writer);
    ASSERT(rc == 0);
    rc = relay(snapshot, job, fds[0], digest, &end_out->offset);
    (void)close(fds[0]); /* ends the writer if it has not ended */
    (void)pthread_join(thread, NULL);
    if (rc != 0 || writer.status != 0) {
        return rc != 0 ? rc : writer.status;
    }
    end_out->index = writer.applied;
    (void)EVP_DigestFinal_ex(digest, end_out->hash, NULL);
    return 0;
}

static void serve(struct snapshot *snapshot, const struct source_job *job)
{
    struct copy_frame last = {.type = COPY_END, .request = job->request};
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    uint64_t began_ms = clock_mono_ms();
    int rc = EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 ? 0 : ERR_IO;

    log_info("snapshot.serving", LOG_UINT("node", job->node),
             LOG_UINT("index_min", job->index_min));
    if (rc == 0) {
        rc = stream(snapshot, job, digest, &last);
    }
    EVP_MD_CTX_free(digest);
    if (rc != 0) {
        last = (struct copy_frame){.type = COPY_REFUSE, .request = job->request, .status = rc};
    }
    if (!is_cancelled(snapshot)) {
        int sent = snapshot_send(snapshot, job->node, &last);

        rc = rc != 0 ? rc : sent;
    }
    if (rc != 0) {
        log_warn("snapshot.serve_failed", LOG_UINT("node", job->node),
                 LOG_STR("cause", err_text(rc)));
        return;
    }
    log_info("snapshot.served", LOG_UINT("node", job->node), LOG_UINT("bytes", last.offset),
             LOG_UINT("index", last.index), LOG_UINT("ms", clock_mono_ms() - began_ms));
}

void *source_main(void *ctx)
{
    struct snapshot *snapshot = ctx;
    struct source *source = &snapshot->source;

    (void)pthread_setname_np(pthread_self(), "copy-source");
    (void)pthread_mutex_lock(&snapshot->mutex);
    while (!snapshot->stopping) {
        if (source->wanted.node == 0) {
            (void)pthread_cond_wait(&snapshot->changed, &snapshot->mutex);
            continue;
        }
        source->running = source->wanted;
        source->wanted = (struct source_job){.node = 0};
        source->cancelled = false;
        source->sent = 0;
        source->acked = 0;
        (void)pthread_mutex_unlock(&snapshot->mutex);
        serve(snapshot, &source->running);
        (void)pthread_mutex_lock(&snapshot->mutex);
        source->running = (struct source_job){.node = 0};
    }
    (void)pthread_mutex_unlock(&snapshot->mutex);
    return NULL;
}
