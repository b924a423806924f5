/* report - what a node says of itself to all others, once a second (FRAME_REPORT): data for people
 * and for decisions of the leader, never a precondition of what is safe. The codec is pure. */
#ifndef RAFT_LOG_REPORT_H
#define RAFT_LOG_REPORT_H

#include "node/base/buf.h"
#include "node/base/err.h"

#include <stdbool.h>

#define REPORT_PROGRAM_BYTES_MAX 32

/* What gate, alarms and services mean is not raft's: the numbers are those of ha/gate and
 * ha/health. A bit or a number that a newer program made up is kept as it came. */
struct rlog_report {
    /* of the state thread */
    char program[REPORT_PROGRAM_BYTES_MAX + 1]; /* version of the program, printable ASCII */
    uint16_t log_version;                       /* the newest that it reads (versions.h) */
    uint16_t schema_version;                    /* the schema that is written */
    bool serves;
    uint8_t gate;           /* why it does not serve: enum gate_reason */
    uint32_t alarms;        /* set of enum health_alarm */
    uint32_t services_down; /* set of enum health_service */
    uint32_t sessions;      /* of clients that are connected to it */
    uint64_t applied_index;
    uint64_t durable_index; /* newest mark on disk */
    /* of the raft thread */
    bool leads;
    uint8_t role; /* enum rlog_role, 0: no member */
    uint64_t term;
    uint64_t last_index;
    uint64_t commit_index;
};

void report_encode(const struct rlog_report *report, struct buf *out);
/** ERR_MALFORMED: no report. What a newer version has behind the known fields is passed over. */
NODISCARD int report_decode(struct slice bytes, struct rlog_report *out);

#endif
