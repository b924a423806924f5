#include "raft/log/report.h"

#include <string.h>

/* version, flags, role, gate, log and schema version, alarms, services, sessions, five indexes,
 * length of the program's version, which follows. Version 1 ends there; newer ones append. */
#define REPORT_VERSION     1
#define REPORT_HEAD_BYTES  61
#define REPORT_BYTES_MAX   1024
#define REPORT_ROLE_MAX    3
#define REPORT_FLAG_SERVES 1
#define REPORT_FLAG_LEADS  2

void report_encode(const struct rlog_report *report, struct buf *out)
{
    size_t len = strlen(report->program);

    ASSERT(len <= REPORT_PROGRAM_BYTES_MAX);
    buf_append_u8(out, REPORT_VERSION);
    buf_append_u8(out, (uint8_t)((report->serves ? REPORT_FLAG_SERVES : 0) |
                                 (report->leads ? REPORT_FLAG_LEADS : 0)));
    buf_append_u8(out, report->role);
    buf_append_u8(out, report->gate);
    buf_append_u16(out, report->log_version);
    buf_append_u16(out, report->schema_version);
    buf_append_u32(out, report->alarms);
    buf_append_u32(out, report->services_down);
    buf_append_u32(out, report->sessions);
    buf_append_u64(out, report->applied_index);
    buf_append_u64(out, report->durable_index);
    buf_append_u64(out, report->term);
    buf_append_u64(out, report->last_index);
    buf_append_u64(out, report->commit_index);
    buf_append_u8(out, (uint8_t)len);
    buf_append(out, slice_make(report->program, len));
}

static bool is_printable(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] <= ' ' || text.data[i] > '~') {
            return false;
        }
    }
    return true;
}

/* The program's version, behind the head. */
static int read_program(struct slice bytes, char out[REPORT_PROGRAM_BYTES_MAX + 1])
{
    size_t len = bytes.data[REPORT_HEAD_BYTES - 1];
    size_t left = bytes.len - REPORT_HEAD_BYTES;
    struct slice text;

    if (len > REPORT_PROGRAM_BYTES_MAX || len > left ||
        (bytes.data[0] == REPORT_VERSION && len != left)) {
        return ERR_MALFORMED;
    }
    text = slice_sub(bytes, REPORT_HEAD_BYTES, REPORT_HEAD_BYTES + len);
    if (!is_printable(text)) {
        return ERR_MALFORMED; /* it is shown to operators */
    }
    if (len > 0) {
        memcpy(out, text.data, len);
    }
    out[len] = '\0';
    return 0;
}

int report_decode(struct slice bytes, struct rlog_report *out)
{
    struct rlog_report report;
    const uint8_t *data = bytes.data;

    if (bytes.len < REPORT_HEAD_BYTES || bytes.len > REPORT_BYTES_MAX || data[0] < REPORT_VERSION ||
        data[2] > REPORT_ROLE_MAX) {
        return ERR_MALFORMED;
    }
    report = (struct rlog_report){.serves = (data[1] & REPORT_FLAG_SERVES) != 0,
                                  .leads = (data[1] & REPORT_FLAG_LEADS) != 0,
                                  .role = data[2],
                                  .gate = data[3],
                                  .log_version = get_u16(data + 4),
                                  .schema_version = get_u16(data + 6),
                                  .alarms = get_u32(data + 8),
                                  .services_down = get_u32(data + 12),
                                  .sessions = get_u32(data + 16),
                                  .applied_index = get_u64(data + 20),
                                  .durable_index = get_u64(data + 28),
                                  .term = get_u64(data + 36),
                                  .last_index = get_u64(data + 44),
                                  .commit_index = get_u64(data + 52)};
    if (read_program(bytes, report.program) != 0) {
        return ERR_MALFORMED;
    }
    *out = report;
    return 0;
}
