/* log - one line an event, the event's name first: log_info("session.bound", LOG_STR("jid", jid)).
 * error = someone must act; warn = degraded; info = life cycle; debug = per stanza, off by default.
 * Never bodies, passwords or tokens. An event that comes too often in one second is left out; its
 * next line tells how often (suppressed=). When stderr does not take what comes, lines are left
 * out, too, and log.lines_lost says how many. Any thread. */
#ifndef NODE_BASE_LOG_H
#define NODE_BASE_LOG_H

#include "node/base/slice.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_field_kind { LOG_FIELD_NONE, LOG_FIELD_SLICE, LOG_FIELD_INT, LOG_FIELD_UINT };

struct log_field {
    const char *name;
    enum log_field_kind kind;
    struct slice text;
    int64_t number;
    uint64_t unsigned_number;
};

#define LOG_STR(field, value)                                                                      \
    ((struct log_field){.name = (field), .kind = LOG_FIELD_SLICE, .text = slice_str(value)})
#define LOG_SLICE(field, value)                                                                    \
    ((struct log_field){.name = (field), .kind = LOG_FIELD_SLICE, .text = (value)})
#define LOG_INT(field, value)                                                                      \
    ((struct log_field){.name = (field), .kind = LOG_FIELD_INT, .number = (int64_t)(value)})
#define LOG_UINT(field, value)                                                                     \
    ((struct log_field){                                                                           \
        .name = (field), .kind = LOG_FIELD_UINT, .unsigned_number = (uint64_t)(value)})

#define LOG_AT(level, event, ...)                                                                  \
    log_write((level), (event), (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})
#define log_debug(event, ...) LOG_AT(LOG_DEBUG, event __VA_OPT__(, ) __VA_ARGS__)
#define log_info(event, ...)  LOG_AT(LOG_INFO, event __VA_OPT__(, ) __VA_ARGS__)
#define log_warn(event, ...)  LOG_AT(LOG_WARN, event __VA_OPT__(, ) __VA_ARGS__)
#define log_error(event, ...) LOG_AT(LOG_ERROR, event __VA_OPT__(, ) __VA_ARGS__)

/** Lines below level are not written. Default LOG_INFO. Any thread, any time. */
void log_set_level(enum log_level level);
/** From now on no thread waits for stderr but one that is started here. For main(), once. */
void log_start(void);
/** Before the end of the process: wait for the lines under way, but not long. */
void log_flush(void);
/** Write one line to stderr; fields end with a zeroed one. Use the macros above. */
void log_write(enum log_level level, const char *event, const struct log_field *fields);

#endif
