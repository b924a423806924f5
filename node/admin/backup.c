#include "node/admin/backup.h"

#include "node/base/clock.h"
#include "node/base/copy_pipe.h"
#include "node/base/crypto.h"
#include "node/base/log.h"
#include "node/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define DURABLE_POLL_US (10 * 1000)
#define DURABLE_WAIT_MS 20000 /* a mark comes twice a second; a disk may be slow */
/* Who takes no part for so long is gone or hangs: the copy holds a snapshot of the store. */
#define STALL_MS 60000

struct backup {
    struct admin *admin;
    const struct control *owner;
    uint64_t index; /* least that the copy must have applied */
    pthread_t thread;
    uint8_t *part;
    struct kv_mark mark; /* of the copy, once it ends */

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    bool cancelled;
    bool is_over;          /* the thread takes no requests any more */
    struct request *asked; /* for a part */
};

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

static bool ask_cancelled(void *ctx)
{
    return is_cancelled(ctx);
}

static int write_copy(void *ctx, int fd)
{
    struct backup *backup = ctx;

    return core_copy(backup->admin->core, fd, &backup->mark);
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

/* A copy keeps pages from being used again: as long as it lasts the store grows with every write.
 * It must not be what makes this node refuse content. */
static int next_part(struct backup *backup, struct copy_pipe *copy, struct request *request,
                     size_t *len_out)
{
    if (!core_has_room(backup->admin->core)) {
        request->fault =
            mem_strdup("this node has hardly any room left, and a copy takes of it: give "
                       "it room, or ask another node");
        return ERR_NO_SPACE;
    }
    return copy_pipe_read(copy, backup->part, BACKUP_PART_BYTES_MAX, len_out);
}

/* Parts to who asks, until the copy ends. */
static int serve(struct backup *backup, struct copy_pipe *copy)
{
    struct request *request;
    size_t len = 1;
    int rc = 0;

    while (rc == 0 && len > 0) {
        request = next_request(backup);
        if (request == NULL) {
            return ERR_CLOSED;
        }
        rc = next_part(backup, copy, request, &len);
        if (rc == 0 && len > 0) {
            answer(request, 0, part_item(backup, len));
            continue;
        }
        if (rc == 0) {
            rc = copy_pipe_close(copy);
        }
        answer(request, rc, rc == 0 ? mark_item(&backup->mark) : NULL);
    }
    return rc;
}

static int stream(struct backup *backup)
{
    struct copy_pipe copy = {
        .write = write_copy, .is_cancelled = ask_cancelled, .ctx = backup, .name = "backup-writer"};
    int rc = wait_durable(backup);

    if (rc == 0) {
        rc = copy_pipe_open(&copy);
    }
    if (rc == 0) {
        rc = serve(backup, &copy);
        (void)copy_pipe_close(&copy);
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

static struct backup *backup_new(const struct request *request, uint64_t index)
{
    struct backup *backup = mem_zalloc(sizeof(*backup));
    pthread_condattr_t attributes;

    backup->admin = request->admin;
    backup->owner = request->control;
    backup->index = index;
    backup->part = mem_alloc(BACKUP_PART_BYTES_MAX);
    (void)pthread_mutex_init(&backup->mutex, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&backup->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return backup;
}

static void backup_free(struct backup **address)
{
    struct backup *backup = *address;

    (void)pthread_cond_destroy(&backup->changed);
    (void)pthread_mutex_destroy(&backup->mutex);
    mem_free(&backup->part);
    mem_free(address);
}

int backup_begin(struct request *request, uint64_t index)
{
    struct backup *backup;

    backup_end(request->admin); /* an earlier one that is over */
    backup = backup_new(request, index);
    if (pthread_create(&backup->thread, NULL, backup_main, backup) != 0) {
        backup_free(&backup);
        return ERR_BUSY;
    }
    request->admin->backup = backup;
    log_info("backup.begins", LOG_UINT("index", index));
    return 0;
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
    backup_free(&admin->backup);
}
