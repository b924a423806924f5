#include "node/base/clock.h"
#include "node/base/log.h"
#include "node/base/mem.h"
#include "raft/snapshot/internal.h"

#include <time.h>
#include <unistd.h>

#define FULL_RETRY_US (5 * 1000)

/* ---------------------------------------------------------------- raft thread */

static void on_frame(void *ctx, uint32_t node_id, uint8_t type, struct slice bytes)
{
    struct snapshot *snapshot = ctx;
    struct copy_frame frame;
    int rc = copy_frame_decode(type, bytes, &frame);

    if (rc != 0) {
        log_warn("snapshot.bad_frame", LOG_UINT("node", node_id), LOG_UINT("type", type),
                 LOG_STR("cause", err_text(rc)));
        return;
    }
    (void)pthread_mutex_lock(&snapshot->mutex);
    if (snapshot->rlog != NULL && !snapshot->stopping) {
        if (frame.type == COPY_ASK || frame.type == COPY_ACK) {
            source_on_frame(snapshot, node_id, &frame);
        } else {
            target_on_frame(snapshot, node_id, &frame);
        }
        (void)pthread_cond_broadcast(&snapshot->changed);
    }
    (void)pthread_mutex_unlock(&snapshot->mutex);
}

static void on_link(void *ctx, uint32_t node_id, bool up)
{
    struct snapshot *snapshot = ctx;

    if (up) {
        return;
    }
    (void)pthread_mutex_lock(&snapshot->mutex);
    source_on_link_down(snapshot, node_id);
    target_on_link_down(snapshot, node_id);
    (void)pthread_cond_broadcast(&snapshot->changed);
    (void)pthread_mutex_unlock(&snapshot->mutex);
}

/* A frame on its way from a helper thread to the raft thread, which the helper waits for. */
struct handover {
    struct snapshot *snapshot;
    uint32_t node;
    uint8_t type;
    struct slice parts[2];
    bool done;
    int status;
};

static void hand_over(struct rlog *rlog, void *ctx)
{
    struct handover *handover = ctx;
    struct snapshot *snapshot = handover->snapshot;
    int status = rlog_extension_send(rlog, handover->node, handover->type, handover->parts,
                                     ARRAY_COUNT(handover->parts));

    (void)pthread_mutex_lock(&snapshot->mutex);
    handover->status = status;
    handover->done = true;
    (void)pthread_cond_broadcast(&snapshot->changed);
    (void)pthread_mutex_unlock(&snapshot->mutex); /* from here on handover may be gone */
}

/* ---------------------------------------------------------------- helper threads */

bool snapshot_wait(struct snapshot *snapshot, uint64_t deadline_ms)
{
    const struct timespec deadline = {.tv_sec = (time_t)(deadline_ms / 1000),
                                      .tv_nsec = (long)(deadline_ms % 1000) * 1000000};

    return pthread_cond_timedwait(&snapshot->changed, &snapshot->mutex, &deadline) == 0;
}

int snapshot_send(struct snapshot *snapshot, uint32_t node, const struct copy_frame *frame)
{
    uint64_t deadline_ms = clock_mono_ms() + COPY_STALL_MS;
    struct handover handover = {
        .snapshot = snapshot, .node = node, .type = (uint8_t)frame->type, .status = ERR_BUSY};
    struct buf head = BUF_EMPTY;

    copy_frame_encode(frame, &head);
    handover.parts[0] = buf_slice(&head);
    handover.parts[1] = frame->bytes;
    for (;;) {
        handover.done = false;
        rlog_extension_call(snapshot->rlog, hand_over, &handover);
        (void)pthread_mutex_lock(&snapshot->mutex);
        while (!handover.done) {
            (void)pthread_cond_wait(&snapshot->changed, &snapshot->mutex);
        }
        (void)pthread_mutex_unlock(&snapshot->mutex);
        if (handover.status != ERR_BUSY) {
            break;
        }
        if (clock_mono_ms() > deadline_ms) {
            handover.status = ERR_TIMEOUT;
            break;
        }
        (void)usleep(FULL_RETRY_US);
    }
    buf_deinit(&head);
    return handover.status;
}

/* ---------------------------------------------------------------- life */

struct snapshot *snapshot_new(const struct snapshot_config *config)
{
    struct snapshot *snapshot = mem_zalloc(sizeof(*snapshot));
    pthread_condattr_t attributes;

    snapshot->config = *config;
    snapshot->config.path = mem_strdup(config->path);
    snapshot->extension =
        (struct rlog_extension){.ctx = snapshot, .on_frame = on_frame, .on_link = on_link};
    (void)pthread_mutex_init(&snapshot->mutex, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&snapshot->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)unlink(config->path);
    return snapshot;
}

const struct rlog_extension *snapshot_extension(struct snapshot *snapshot)
{
    return &snapshot->extension;
}

void snapshot_start(struct snapshot *snapshot, struct rlog *rlog)
{
    int rc;

    (void)pthread_mutex_lock(&snapshot->mutex);
    snapshot->rlog = rlog;
    (void)pthread_mutex_unlock(&snapshot->mutex);
    rc = pthread_create(&snapshot->source.thread, NULL, source_main, snapshot);
    ASSERT(rc == 0);
    rc = pthread_create(&snapshot->target.thread, NULL, target_main, snapshot);
    ASSERT(rc == 0);
}

void snapshot_fetch(struct snapshot *snapshot, uint32_t from_node, uint64_t index_min)
{
    struct target *target = &snapshot->target;

    (void)pthread_mutex_lock(&snapshot->mutex);
    ASSERT(!target->wanted);
    target->wanted = true;
    target->node = from_node;
    target->index_min = index_min;
    (void)pthread_cond_broadcast(&snapshot->changed);
    (void)pthread_mutex_unlock(&snapshot->mutex);
}

void snapshot_stop(struct snapshot *snapshot)
{
    bool started;

    (void)pthread_mutex_lock(&snapshot->mutex);
    started = snapshot->rlog != NULL && !snapshot->stopping;
    snapshot->stopping = true;
    (void)pthread_cond_broadcast(&snapshot->changed);
    (void)pthread_mutex_unlock(&snapshot->mutex);
    if (started) {
        (void)pthread_join(snapshot->source.thread, NULL);
        (void)pthread_join(snapshot->target.thread, NULL);
    }
}

void snapshot_free(struct snapshot **snapshot_address)
{
    struct snapshot *snapshot = *snapshot_address;

    target_clear(&snapshot->target);
    (void)pthread_cond_destroy(&snapshot->changed);
    (void)pthread_mutex_destroy(&snapshot->mutex);
    mem_release((char *)snapshot->config.path);
    mem_free(snapshot_address);
}
