#include "node/admin/backup.h"

#include "node/base/clock.h"
#include "node/base/crypto.h"
#include "node/base/log.h"
#include "node/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define DURABLE_POLL_US (10 * 1000)
#define DURABLE_WAIT_MS 20000 /* a mark comes twice a second; a disk may be slow */
#define CANCEL_POLL_MS  100
/* Who takes no part for so long is gone or hangs: the copy holds a snapshot of the store. */
#define STALL_MS 60000

struct backup {
    struct admin *admin;
    const struct control *owner;
    uint64_t index; /* least that the copy must have applied */
    pthread_t thread;
    uint8_t *part;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    bool cancelled;
    bool is_over;          /* the thread takes no requests any more */
    struct request *asked; /* for a part */
};

/* LMDB writes into a pipe on a thread; the backup thread reads the other end. */
struct copier {
    struct core *core;
    pthread_t thread;
    int read_fd;
    int write_fd;
    int status;
    struct kv_mark mark;
};

/* ---- the copy */

static void *copier_main(void *ctx)
{
    struct copier *copier = ctx;
    sigset_t pipe_signal;

    (void)pthread_setname_np(pthread_self(), "backup-writer");
    (void)sigemptyset(&pipe_signal);
    (void)sigaddset(&pipe_signal, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    copier->status = core_copy(copier->core, copier->write_fd, &copier->mark);
    (void)close(copier->write_fd);
    return NULL;
}

static int copier_start(struct copier *copier)
{
    int fds[2];
    int rc;

    if (pipe2(fds, O_CLOEXEC) != 0) {
        return ERR_IO;
    }
    copier->read_fd = fds[0];
    copier->write_fd = fds[1];
    rc = pthread_create(&copier->thread, NULL, copier_main, copier);
    ASSERT(rc == 0);
    return 0;
}

/* Ends the copy when it has not ended. */
static void copier_stop(struct copier *copier)
{
    (void)close(copier->read_fd);
    (void)pthread_join(copier->thread, NULL);
}

/* ---- the backup thread */

static bool is_cancelled(struct backup *backup)
{
    bool cancelled;

    (void)pthread_mutex_lock(&backup->mutex);
    cancelled = backup->cancelled;
    (void)pthread_mutex_unlock(&backup->mutex);
    return cancelled;
}

/* What was applied when the backup was asked for has to be in it. */
static int wait_durable(struct backup *backup)
{
    uint64_t deadline_ms = clock_mono_ms() + DURABLE_WAIT_MS;

    while (core_durable_index(backup->admin->core) < backup->index) {
        if (is_cancelled(backup)) {
            return ERR_CLOSED;
        }
        if (clock_mono_ms() >= deadline_ms) {
            return ERR_TIMEOUT;
        }
        (void)usleep(DURABLE_POLL_US);
    }
    return 0;
}

/* The next request for a part, NULL when there will be none. */
static struct request *next_request(struct backup *backup)
{
    uint64_t until_ms = clock_mono_ms() + STALL_MS;
    const struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                                   .tv_nsec = (long)(until_ms % 1000) * 1000000};
    struct request *request;
    int rc = 0;

    (void)pthread_mutex_lock(&backup->mutex);
    while (rc == 0 && !backup->cancelled && backup->asked == NULL) {
        rc = pthread_cond_timedwait(&backup->changed, &backup->mutex, &until);
    }
    request = backup->cancelled ? NULL : backup->asked;
    if (request != NULL) {
        backup->asked = NULL;
    }
    (void)pthread_mutex_unlock(&backup->mutex);
    return request;
}

/* Read until the part is full or the copy ends: then *len_out is less. */
static int read_part(struct backup *backup, int fd, size_t *len_out)
{
    size_t len = 0;

    while (len < BACKUP_PART_BYTES_MAX) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        ssize_t count;

        if (is_cancelled(backup)) {
            return ERR_CLOSED;
        }
        if (poll(&poll_fd, 1, CANCEL_POLL_MS) <= 0) {
            continue;
        }
        count = read(fd, backup->part + len, BACKUP_PART_BYTES_MAX - len);
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

static json_t *part_item(const struct backup *backup, size_t len)
{
    struct buf text = BUF_EMPTY;
    json_t *item;

    base64_encode(slice_make(backup->part, len), &text);
    item = json_pack("{s:s}", "bytes", buf_text(&text));
    buf_deinit(&text);
    return item;
}

static json_t *mark_item(const struct kv_mark *mark)
{
    char hash[17];

    (void)snprintf(hash, sizeof(hash), "%016" PRIx64, mark->hash);
    return json_pack("{s:{s:I,s:I,s:s}}", "mark", "index", (json_int_t)mark->index, "term",
                     (json_int_t)mark->term, "hash", hash);
}

static void answer(struct request *request, int rc, json_t *result)
{
    request->rc = rc;
    request->result = result;
    request_post(request, request_conclude);
}

/* Parts to who asks, until the copy ends. */
static int serve(struct backup *backup, struct copier *copier)
{
    struct request *request;
    size_t len = 1;
    int rc = 0;

    while (rc == 0 && len > 0) {
        request = next_request(backup);
        if (request == NULL) {
            return ERR_CLOSED;
        }
        rc = read_part(backup, copier->read_fd, &len);
        if (rc == 0 && len > 0) {
            answer(request, 0, part_item(backup, len));
            continue;
        }
        copier_stop(copier);
        copier->read_fd = -1;
        rc = rc != 0 ? rc : copier->status;
        answer(request, rc, rc == 0 ? mark_item(&copier->mark) : NULL);
    }
    return rc;
}

static int stream(struct backup *backup)
{
    struct copier copier = {.core = backup->admin->core};
    int rc = wait_durable(backup);

    if (rc == 0) {
        rc = copier_start(&copier);
    }
    if (rc == 0) {
        rc = serve(backup, &copier);
        if (copier.read_fd >= 0) {
            copier_stop(&copier);
        }
    }
    return rc;
}

/* What was asked meanwhile gets an answer, and what is asked from now on is refused at once. */
static void close_doors(struct backup *backup, int rc)
{
    struct request *request;

    (void)pthread_mutex_lock(&backup->mutex);
    backup->is_over = true;
    request = backup->asked;
    backup->asked = NULL;
    (void)pthread_mutex_unlock(&backup->mutex);
    if (request != NULL) {
        answer(request, rc != 0 ? rc : ERR_CLOSED, NULL);
    }
}

static void *backup_main(void *ctx)
{
    struct backup *backup = ctx;
    uint64_t began_ms = clock_mono_ms();
    int rc;

    (void)pthread_setname_np(pthread_self(), "backup");
    rc = stream(backup);
    if (rc == 0) {
        log_info("backup.done", LOG_UINT("ms", clock_mono_ms() - began_ms));
    } else {
        log_warn("backup.failed", LOG_STR("cause", err_text(rc)));
    }
    close_doors(backup, rc);
    return NULL;
}

/* ---- the control thread */

static bool is_over(struct backup *backup)
{
    bool over;

    (void)pthread_mutex_lock(&backup->mutex);
    over = backup->is_over;
    (void)pthread_mutex_unlock(&backup->mutex);
    return over;
}

bool backup_is_busy(struct request *request)
{
    struct backup *backup = request->admin->backup;

    if (backup == NULL || is_over(backup)) {
        return false;
    }
    request_fail(request, ERR_BUSY, "another backup is under way at this node");
    return true;
}

void backup_begin(struct request *request, uint64_t index)
{
    struct backup *backup;
    pthread_condattr_t attributes;
    int rc;

    backup_end(request->admin); /* an earlier one that is over */
    backup = mem_zalloc(sizeof(*backup));
    backup->admin = request->admin;
    backup->owner = request->control;
    backup->index = index;
    backup->part = mem_alloc(BACKUP_PART_BYTES_MAX);
    (void)pthread_mutex_init(&backup->mutex, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&backup->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    request->admin->backup = backup;
    log_info("backup.begins", LOG_UINT("index", index));
    rc = pthread_create(&backup->thread, NULL, backup_main, backup);
    ASSERT(rc == 0);
}

void backup_read(struct request *request)
{
    struct backup *backup = request->admin->backup;
    bool is_taken = false;

    if (backup != NULL && backup->owner == request->control) {
        (void)pthread_mutex_lock(&backup->mutex);
        is_taken = !backup->is_over && backup->asked == NULL;
        if (is_taken) {
            backup->asked = request;
            (void)pthread_cond_signal(&backup->changed);
        }
        (void)pthread_mutex_unlock(&backup->mutex);
    }
    if (!is_taken) {
        request_fail(request, ERR_NOT_FOUND, "no backup is under way for this connection");
    }
}

void backup_on_control_closed(struct admin *admin, const struct control *control)
{
    if (admin->backup != NULL && admin->backup->owner == control) {
        backup_end(admin);
    }
}

void backup_end(struct admin *admin)
{
    struct backup *backup = admin->backup;

    if (backup == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&backup->mutex);
    backup->cancelled = true;
    (void)pthread_cond_signal(&backup->changed);
    (void)pthread_mutex_unlock(&backup->mutex);
    (void)pthread_join(backup->thread, NULL);
    (void)pthread_cond_destroy(&backup->changed);
    (void)pthread_mutex_destroy(&backup->mutex);
    mem_free(&backup->part);
    mem_free(&admin->backup);
}
