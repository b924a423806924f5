#include "node/base/log_writer.h"

#include "node/base/assert.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_BYTES_MAX (1024 * 1024)
/* At the end of a process, also of one that must end now: a pipe or a disk that lives takes the
 * whole queue meanwhile. */
#define FLUSH_MS 200

/* The process has one stderr. Both buffers have all their memory from the start, so that nothing
 * can fail while the mutex is held. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_lines = PTHREAD_COND_INITIALIZER;
static bool is_started;
static bool is_writing;
static struct buf queue;
static uint64_t lost_count; /* lines after those in the queue */

/* False: it is lost, and nowhere left to say it. */
static bool write_line(struct slice line)
{
    while (line.len > 0) {
        ssize_t len = write(STDERR_FILENO, line.data, line.len);

        if (len >= 0) {
            line = slice_sub(line, (size_t)len, line.len);
        } else if (errno == EAGAIN) {
            struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};

            (void)poll(&room, 1, -1);
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

/* Each line by a write of its own: another process may write to the same file. */
static uint64_t write_lines(struct slice lines)
{
    uint64_t failed_count = 0;

    while (lines.len > 0) {
        const uint8_t *end = memchr(lines.data, '\n', lines.len);
        size_t len = end == NULL ? lines.len : (size_t)(end - lines.data) + 1;

        failed_count += write_line(slice_sub(lines, 0, len)) ? 0 : 1;
        lines = slice_sub(lines, len, lines.len);
    }
    return failed_count;
}

/* Wait for lines and swap them with *taken, which is empty. Returns how many are lost. */
static uint64_t take_lines(struct buf *taken)
{
    struct buf empty = *taken;
    uint64_t lost;

    (void)pthread_mutex_lock(&mutex);
    is_writing = false;
    while (buf_len(&queue) == 0) {
        (void)pthread_cond_wait(&has_lines, &mutex);
    }
    is_writing = true;
    *taken = queue;
    queue = empty;
    lost = lost_count;
    lost_count = 0;
    (void)pthread_mutex_unlock(&mutex);
    return lost;
}

/* What could not be written is told with the next line that comes. */
static void add_lost(uint64_t count)
{
    (void)pthread_mutex_lock(&mutex);
    lost_count += count;
    (void)pthread_mutex_unlock(&mutex);
}

static void (*append_lost_line)(struct buf *line, uint64_t count);

static void *run(void *ctx)
{
    struct buf lines = BUF_EMPTY;
    struct buf lost_line = BUF_EMPTY;

    (void)ctx;
    (void)pthread_setname_np(pthread_self(), "log");
    (void)buf_reserve(&lines, QUEUE_BYTES_MAX);
    for (;;) {
        uint64_t lost = take_lines(&lines);

        add_lost(write_lines(buf_slice(&lines)));
        buf_clear(&lines);
        if (lost > 0) {
            append_lost_line(&lost_line, lost);
            add_lost(write_line(buf_slice(&lost_line)) ? 0 : lost);
            buf_clear(&lost_line);
        }
    }
    return NULL;
}

void log_writer_start(void (*append_lost)(struct buf *line, uint64_t count))
{
    pthread_t thread;
    int rc;

    append_lost_line = append_lost;
    (void)buf_reserve(&queue, QUEUE_BYTES_MAX);
    rc = pthread_create(&thread, NULL, run, NULL);
    ASSERT(rc == 0);
    (void)pthread_detach(thread); /* at the end it may be stuck in a write */
    (void)pthread_mutex_lock(&mutex);
    is_started = true;
    (void)pthread_mutex_unlock(&mutex);
}

void log_writer_put(struct slice line)
{
    bool is_queued;

    (void)pthread_mutex_lock(&mutex);
    is_queued = is_started;
    if (is_queued && line.len <= QUEUE_BYTES_MAX - buf_len(&queue)) {
        buf_append(&queue, line);
        (void)pthread_cond_signal(&has_lines);
    } else if (is_queued) {
        lost_count++;
    }
    (void)pthread_mutex_unlock(&mutex);
    if (!is_queued) {
        (void)write_line(line);
    }
}

static bool is_flushed(void)
{
    bool result;

    (void)pthread_mutex_lock(&mutex);
    result = !is_started || (buf_len(&queue) == 0 && !is_writing);
    (void)pthread_mutex_unlock(&mutex);
    return result;
}

void log_writer_flush(void)
{
    const struct timespec moment = {.tv_nsec = 1000 * 1000};

    for (int ms = 0; ms < FLUSH_MS && !is_flushed(); ms++) {
        (void)nanosleep(&moment, NULL);
    }
}
