#include "node/base/log.h"

#include "node/base/buf.h"
#include "node/base/clock.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

static atomic_int threshold = LOG_INFO; /* the process has one log; everything else is per object */

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

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    struct buf line = BUF_EMPTY;
    struct slice out;

    if ((int)level < atomic_load_explicit(&threshold, memory_order_relaxed)) {
        return;
    }
    append_time(&line);
    buf_printf(&line, " %s %s", level_names[level], event);
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
    buf_append_u8(&line, '\n');
    out = buf_slice(&line);
    if (write(STDERR_FILENO, out.data, out.len) < 0) {
        /* nowhere left to say it */
    }
    buf_deinit(&line);
}
