#include "tests/lib/disk_recorder/trace.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct header {
    uint8_t kind;
    uint8_t flag;
    uint16_t name_bytes;
    int32_t fd;
    uint32_t number;
    uint32_t unused;
    uint64_t clock_ns;
    uint64_t offset;
    uint64_t content_bytes;
};

_Static_assert(sizeof(struct header) == 40, "as tests/crash/trace.py reads it");

/* Functions that stand before libc's have nothing but the process to keep their state in. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* the order of the records */
static atomic_uint last_number;
static int trace_fd = -1;

uint32_t trace_number(void)
{
    return atomic_fetch_add(&last_number, 1) + 1;
}

void trace_open(const char *prefix)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s.%d", prefix, (int)getpid());
    trace_fd =
        (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (trace_fd < 0) {
        abort(); /* a recording that lacks something says nothing */
    }
}

static void append(const void *data, uint64_t len)
{
    const char *bytes = data;

    while (len > 0) {
        long written = syscall(SYS_write, trace_fd, bytes, len);

        if (written <= 0) {
            abort();
        }
        bytes += written;
        len -= (uint64_t)written;
    }
}

static uint64_t clock_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void trace_add(const struct trace_event *event)
{
    uint64_t rest = event->content_bytes;
    size_t name_bytes = event->name == NULL ? 0 : strlen(event->name);
    struct header header = {
        .kind = (uint8_t)event->kind,
        .flag = event->flag,
        .name_bytes = (uint16_t)name_bytes,
        .fd = event->fd,
        .number = event->number,
        .offset = event->offset,
        .content_bytes = rest,
    };

    pthread_mutex_lock(&mutex);
    header.clock_ns = clock_ns();
    append(&header, sizeof(header));
    append(event->name, name_bytes);
    for (int i = 0; i < event->part_count && rest > 0; i++) {
        uint64_t len = event->parts[i].iov_len < rest ? event->parts[i].iov_len : rest;

        append(event->parts[i].iov_base, len);
        rest -= len;
    }
    pthread_mutex_unlock(&mutex);
}
