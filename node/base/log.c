#include "node/base/log.h"

#include "node/base/clock.h"
#include "node/base/log_writer.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/* The process has one log; everything else in the program is per object. */
static atomic_int threshold = LOG_INFO;

/* A stranger can cause some events as often as it likes; it must not fill the disk. */
#define EVENT_LINES_PER_S 50
#define EVENTS_MAX        256 /* names known at once; further ones are not limited */

struct event_rate {
    const char *event; /* a literal: compared by address */
    uint64_t second;
    unsigned lines;
    unsigned suppressed;
};

static struct event_rate rates[EVENTS_MAX];
static pthread_mutex_t rates_mutex = PTHREAD_MUTEX_INITIALIZER;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&threshold, level, memory_order_relaxed);
}

/* Values from peers may hold line ends or quotes: escape them, one event stays one line. */
static void append_escaped(struct buf *line, struct slice text)
{
    buf_append_u8(line, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if (c == '"' || c == '\\') {
            buf_append_u8(line, '\\');
            buf_append_u8(line, c);
        } else if (c < 0x20 || c == 0x7f) {
            buf_printf(line, "\\x%02x", c);
        } else {
            buf_append_u8(line, c);
        }
    }
    buf_append_u8(line, '"');
}

static void append_time(struct buf *line)
{
    uint64_t now_ms = clock_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm utc;
    char text[32];

    (void)gmtime_r(&seconds, &utc);
    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    buf_printf(line, "%s.%03uZ", text, (unsigned)(now_ms % 1000));
}

static void append_head(struct buf *line, enum log_level level, const char *event)
{
    append_time(line);
    buf_printf(line, " %s %s", level_names[level], event);
}

static struct event_rate *rate_of(const char *event)
{
    size_t start = ((uintptr_t)event >> 3) % EVENTS_MAX;

    for (size_t i = 0; i < EVENTS_MAX; i++) {
        struct event_rate *rate = &rates[(start + i) % EVENTS_MAX];

        if (rate->event == NULL) {
            rate->event = event;
        }
        if (rate->event == event) {
            return rate;
        }
    }
    return NULL;
}

/* May one more line of this event be written? If so, *suppressed_out were left out before it. */
static bool take_line(const char *event, unsigned *suppressed_out)
{
    uint64_t second = clock_mono_ms() / 1000;
    struct event_rate *rate;
    bool is_allowed = true;

    *suppressed_out = 0;
    (void)pthread_mutex_lock(&rates_mutex);
    rate = rate_of(event);
    if (rate != NULL) {
        if (rate->second != second) {
            rate->second = second;
            rate->lines = 0;
        }
        is_allowed = rate->lines < EVENT_LINES_PER_S;
        if (is_allowed) {
            rate->lines++;
            *suppressed_out = rate->suppressed;
            rate->suppressed = 0;
        } else {
            rate->suppressed++;
        }
    }
    (void)pthread_mutex_unlock(&rates_mutex);
    return is_allowed;
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    struct buf line = BUF_EMPTY;
    unsigned suppressed;

    if ((int)level < atomic_load_explicit(&threshold, memory_order_relaxed) ||
        !take_line(event, &suppressed)) {
        return;
    }
    append_head(&line, level, event);
    for (; fields->name != NULL; fields++) {
        buf_printf(&line, " %s=", fields->name);
        switch (fields->kind) {
        case LOG_FIELD_SLICE:
            append_escaped(&line, fields->text);
            break;
        case LOG_FIELD_INT:
            buf_printf(&line, "%" PRId64, fields->number);
            break;
        case LOG_FIELD_UINT:
            buf_printf(&line, "%" PRIu64, fields->unsigned_number);
            break;
        case LOG_FIELD_NONE:
            break;
        }
    }
    if (suppressed > 0) {
        buf_printf(&line, " suppressed=%u", suppressed);
    }
    buf_append_u8(&line, '\n');
    log_writer_put(buf_slice(&line));
    buf_deinit(&line);
}

static void append_lost(struct buf *line, uint64_t count)
{
    append_head(line, LOG_WARN, "log.lines_lost");
    buf_printf(line, " lines=%" PRIu64 "\n", count);
}

void log_start(void)
{
    log_writer_start(append_lost);
}

void log_flush(void)
{
    log_writer_flush();
}
