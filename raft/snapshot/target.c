/* target - fetches a copy of another node's store into a file. */
#include "node/base/clock.h"
#include "node/base/crypto.h"
#include "node/base/log.h"
#include "node/base/mem.h"
#include "raft/snapshot/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Sync as the copy grows: one large sync at its end would hold up the log on the same disk. */
#define SYNC_BYTES (8 * 1024 * 1024)

void target_clear(struct target *target)
{
    while (target->first != NULL) {
        struct chunk *chunk = target->first;

        target->first = chunk->next;
        mem_free(&chunk);
    }
    target->last = NULL;
    target->received = 0;
    target->written = 0;
    target->request = 0;
    target->ended = false;
    target->status = 0;
}

/* ---------------------------------------------------------------- raft thread, mutex held */

static int take_data(struct target *target, const struct copy_frame *frame)
{
    struct chunk *chunk;

    if (frame->offset != target->received) {
        return ERR_CORRUPT; /* a gap: a frame was lost, which a link never does */
    }
    if (target->received - target->written + frame->bytes.len > COPY_WINDOW_BYTES_MAX) {
        return ERR_LIMIT;
    }
    chunk = mem_alloc(sizeof(*chunk) + frame->bytes.len);
    *chunk = (struct chunk){.len = frame->bytes.len};
    memcpy(chunk->bytes, frame->bytes.data, frame->bytes.len);
    if (target->first == NULL) {
        target->first = chunk;
    } else {
        target->last->next = chunk;
    }
    target->last = chunk;
    target->received += chunk->len;
    return 0;
}

static int take_frame(struct target *target, const struct copy_frame *frame)
{
    if (frame->type == COPY_REFUSE) {
        return frame->status;
    }
    if (frame->type == COPY_DATA) {
        return take_data(target, frame);
    }
    if (frame->offset != target->received) {
        return ERR_CORRUPT;
    }
    target->end = *frame;
    target->ended = true;
    return 0;
}

void target_on_frame(struct snapshot *snapshot, uint32_t node, const struct copy_frame *frame)
{
    struct target *target = &snapshot->target;

    if (node != target->node || target->request == 0 || frame->request != target->request ||
        target->ended || target->status != 0) {
        return; /* of a fetch that was given up */
    }
    target->status = take_frame(target, frame);
}

void target_on_link_down(struct snapshot *snapshot, uint32_t node)
{
    if (snapshot->target.node == node && snapshot->target.request != 0) {
        snapshot->target.status = ERR_CLOSED;
    }
}

/* ---------------------------------------------------------------- the target thread */

/* What one fetch needs besides the shared job. */
struct fetch {
    struct snapshot *snapshot;
    uint32_t node;
    uint64_t index_min;
    uint64_t request;
    int fd;
    uint64_t offset;
    uint64_t synced;
    EVP_MD_CTX *digest;
};

static int write_all(int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, data, len);

        if (written < 0 && errno != EINTR) {
            return errno == ENOSPC ? ERR_NO_SPACE : ERR_IO;
        }
        if (written > 0) {
            data += written;
            len -= (size_t)written;
        }
    }
    return 0;
}

static int write_chunk(struct fetch *fetch, const struct chunk *chunk)
{
    int rc = write_all(fetch->fd, chunk->bytes, chunk->len);

    if (rc != 0) {
        return rc;
    }
    (void)EVP_DigestUpdate(fetch->digest, chunk->bytes, chunk->len);
    fetch->offset += chunk->len;
    if (fetch->offset - fetch->synced >= SYNC_BYTES) {
        fetch->synced = fetch->offset;
        return fdatasync(fetch->fd) == 0 ? 0 : ERR_IO;
    }
    return 0;
}

/* Take all queued chunks, waiting for the first. NULL and 0: the end has come. */
static int take_chunks(struct snapshot *snapshot, struct chunk **out)
{
    struct target *target = &snapshot->target;
    uint64_t deadline_ms = clock_mono_ms() + COPY_STALL_MS;
    int rc = 0;

    (void)pthread_mutex_lock(&snapshot->mutex);
    while (rc == 0 && target->first == NULL && !target->ended) {
        if (target->status != 0 || snapshot->stopping) {
            rc = target->status != 0 ? target->status : ERR_CLOSED;
        } else if (!snapshot_wait(snapshot, deadline_ms)) {
            rc = ERR_TIMEOUT;
        }
    }
    *out = target->first;
    target->first = NULL;
    target->last = NULL;
    (void)pthread_mutex_unlock(&snapshot->mutex);
    return rc;
}

/* Write a list of chunks and free it. */
static int write_chunks(struct fetch *fetch, struct chunk *chunk)
{
    int rc = 0;

    while (chunk != NULL) {
        struct chunk *next = chunk->next;

        if (rc == 0) {
            rc = write_chunk(fetch, chunk);
        }
        mem_free(&chunk);
        chunk = next;
    }
    return rc;
}

/* Tell the source how far we are, so that it goes on. */
static int acknowledge(struct fetch *fetch)
{
    struct snapshot *snapshot = fetch->snapshot;

    (void)pthread_mutex_lock(&snapshot->mutex);
    snapshot->target.written = fetch->offset;
    (void)pthread_mutex_unlock(&snapshot->mutex);
    return snapshot_send(
        snapshot, fetch->node,
        &(struct copy_frame){.type = COPY_ACK, .request = fetch->request, .offset = fetch->offset});
}

static int receive(struct fetch *fetch)
{
    int rc =
        snapshot_send(fetch->snapshot, fetch->node,
                      &(struct copy_frame){
                          .type = COPY_ASK, .request = fetch->request, .index = fetch->index_min});

    while (rc == 0) {
        struct chunk *chunks;

        rc = take_chunks(fetch->snapshot, &chunks);
        if (rc == 0 && chunks == NULL) {
            return 0;
        }
        if (rc == 0) {
            rc = write_chunks(fetch, chunks);
        }
        if (rc == 0) {
            rc = acknowledge(fetch);
        }
    }
    return rc;
}

/* The end has come: is the file what the source sent? */
static int check(struct fetch *fetch, const struct copy_frame *end)
{
    uint8_t hash[EVP_MAX_MD_SIZE];

    (void)EVP_DigestFinal_ex(fetch->digest, hash, NULL);
    if (fetch->offset != end->offset || end->index < fetch->index_min ||
        memcmp(hash, end->hash, COPY_HASH_BYTES) != 0) {
        return ERR_CORRUPT;
    }
    return fsync(fetch->fd) == 0 ? 0 : ERR_IO;
}

static int fetch_into(struct fetch *fetch, uint64_t *applied_out)
{
    struct snapshot *snapshot = fetch->snapshot;
    struct copy_frame end;
    int rc = receive(fetch);

    if (rc != 0) {
        return rc;
    }
    (void)pthread_mutex_lock(&snapshot->mutex);
    end = snapshot->target.end;
    (void)pthread_mutex_unlock(&snapshot->mutex);
    *applied_out = end.index;
    return check(fetch, &end);
}

static int fetch_once(struct fetch *fetch, uint64_t *applied_out)
{
    const char *path = fetch->snapshot->config.path;
    int rc = ERR_IO;

    fetch->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    fetch->digest = EVP_MD_CTX_new();
    if (fetch->fd >= 0 && EVP_DigestInit_ex(fetch->digest, EVP_sha256(), NULL) == 1) {
        rc = fetch_into(fetch, applied_out);
    }
    EVP_MD_CTX_free(fetch->digest);
    if (fetch->fd >= 0) {
        (void)close(fetch->fd);
    }
    if (rc != 0) {
        (void)unlink(path); /* its bytes are of no use to the next try, and take room */
    }
    return rc;
}

/* Carry out the fetch that is wanted. The mutex is held. */
static void run_fetch(struct snapshot *snapshot)
{
    struct target *target = &snapshot->target;
    struct fetch fetch = {
        .snapshot = snapshot, .node = target->node, .index_min = target->index_min, .fd = -1};
    uint64_t began_ms = clock_mono_ms();
    uint64_t applied = 0;
    bool stopping;
    int rc;

    target_clear(target);
    fetch.request = random_u64() | 1; /* 0 means none */
    target->request = fetch.request;
    (void)pthread_mutex_unlock(&snapshot->mutex);
    log_info("snapshot.fetching", LOG_UINT("node", fetch.node));
    rc = fetch.node == 0 ? ERR_NOT_FOUND : fetch_once(&fetch, &applied);
    (void)pthread_mutex_lock(&snapshot->mutex);
    target_clear(target);
    target->wanted = false; /* the next snapshot_fetch() begins anew */
    stopping = snapshot->stopping;
    (void)pthread_mutex_unlock(&snapshot->mutex);
    if (rc == 0) {
        log_info("snapshot.fetched", LOG_UINT("node", fetch.node), LOG_UINT("bytes", fetch.offset),
                 LOG_UINT("index", applied), LOG_UINT("ms", clock_mono_ms() - began_ms));
    } else {
        log_warn("snapshot.fetch_failed", LOG_UINT("node", fetch.node),
                 LOG_UINT("bytes", fetch.offset), LOG_STR("cause", err_text(rc)));
    }
    if (!stopping) {
        snapshot->config.on_fetched(snapshot->config.ctx, rc == 0 ? applied : 0, rc);
    }
    (void)pthread_mutex_lock(&snapshot->mutex);
}

void *target_main(void *ctx)
{
    struct snapshot *snapshot = ctx;

    (void)pthread_setname_np(pthread_self(), "copy-target");
    (void)pthread_mutex_lock(&snapshot->mutex);
    while (!snapshot->stopping) {
        if (!snapshot->target.wanted) {
            (void)pthread_cond_wait(&snapshot->changed, &snapshot->mutex);
        } else {
            run_fetch(snapshot);
        }
    }
    (void)pthread_mutex_unlock(&snapshot->mutex);
    return NULL;
}
