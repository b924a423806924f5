/* source - gives a copy of this node's store to one that is behind. */
#include "node/base/clock.h"
#include "node/base/copy_pipe.h"
#include "node/base/log.h"
#include "node/base/mem.h"
#include "raft/snapshot/internal.h"

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

/* ---------------------------------------------------------------- the source thread */

static bool is_cancelled(struct snapshot *snapshot)
{
    bool cancelled;

    (void)pthread_mutex_lock(&snapshot->mutex);
    cancelled = snapshot->source.cancelled || snapshot->stopping;
    (void)pthread_mutex_unlock(&snapshot->mutex);
    return cancelled;
}

/* The copy that is under way: on the thread that writes it, write_copy() alone. */
struct writer {
    struct snapshot *snapshot;
    uint64_t applied;
};

static int write_copy(void *ctx, int fd)
{
    struct writer *writer = ctx;
    const struct snapshot_config *config = &writer->snapshot->config;

    return config->write_copy(config->ctx, fd, &writer->applied);
}

static bool ask_cancelled(void *ctx)
{
    const struct writer *writer = ctx;

    return is_cancelled(writer->snapshot);
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
static int relay(struct snapshot *snapshot, const struct source_job *job, struct copy_pipe *copy,
                 EVP_MD_CTX *digest, uint64_t *length_out)
{
    uint8_t *chunk = mem_alloc(COPY_CHUNK_BYTES_MAX);
    uint64_t offset = 0;
    size_t len = 1;
    int rc = 0;

    while (rc == 0 && len > 0) {
        rc = copy_pipe_read(copy, chunk, COPY_CHUNK_BYTES_MAX, &len);
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
    struct copy_pipe copy = {
        .write = write_copy, .is_cancelled = ask_cancelled, .ctx = &writer, .name = "copy-writer"};
    int status;
    int rc;

    if (snapshot->config.copied_index(snapshot->config.ctx) < job->index_min) {
        return ERR_BUSY; /* this node's own store is behind: ask later, or another */
    }
    rc = copy_pipe_open(&copy);
    if (rc != 0) {
        return rc;
    }
    rc = relay(snapshot, job, &copy, digest, &end_out->offset);
    status = copy_pipe_close(&copy);
    if (rc != 0 || status != 0) {
        return rc != 0 ? rc : status;
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
