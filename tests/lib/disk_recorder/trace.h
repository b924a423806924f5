/* trace - the file that disk_recorder writes: one record after the other, in the order in which the
 * process did things. tests/crash/trace.py reads it. Any thread. */
#ifndef TESTS_LIB_DISK_RECORDER_TRACE_H
#define TESTS_LIB_DISK_RECORDER_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

enum trace_kind {
    TRACE_START = 1, /* a process begins; FOLDER and FILE say what it finds */
    TRACE_FOLDER,    /* name */
    TRACE_FILE,      /* name and content */
    TRACE_OPEN,      /* name, as descriptor; created when it was not there */
    TRACE_CLOSE,
    TRACE_MKDIR,    /* name */
    TRACE_UNLINK,   /* name */
    TRACE_RENAME,   /* name, and the new one as content */
    TRACE_LINK,     /* name, and the new one as content */
    TRACE_TRUNCATE, /* descriptor, length as offset */
    TRACE_ALLOCATE, /* descriptor, end as offset: the file is at least so long */
    TRACE_MAPPED,   /* descriptor: what it has may change without a word from now on */
    TRACE_WRITE,    /* begins: number, descriptor, offset, content; durable: when it ends */
    TRACE_SYNC,     /* begins: number, descriptor */
    TRACE_END       /* of the write or sync of this number; result as offset */
};

struct trace_event {
    enum trace_kind kind;
    bool flag; /* durable (WRITE), empties it (OPEN) */
    int32_t fd;
    uint32_t number;
    uint64_t offset;
    const char *name; /* below the recorded folder, "" is the folder itself; NULL: none */
    const struct iovec *parts;
    int part_count;
    uint64_t content_bytes; /* at most so many bytes of the parts */
};

/** Begin the file of this process: prefix and its process id. */
void trace_open(const char *prefix);
/** Write it down, with the time of the monotonic clock. */
void trace_add(const struct trace_event *event);
/** A number for a write or a sync. */
uint32_t trace_number(void);

#endif
