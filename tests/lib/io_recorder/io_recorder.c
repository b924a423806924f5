#include "tests/lib/io_recorder/io_recorder.h"

#include "node/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 1024

enum descriptor_kind { DESCRIPTOR_UNKNOWN, DESCRIPTOR_DIR, DESCRIPTOR_FILE };

struct descriptor {
    enum descriptor_kind kind;
    unsigned file;
    bool durable;
};

/* Functions that stand before libc's have nothing but the process to keep their state in. */
static struct {
    pthread_mutex_t mutex;
    bool recording;
    bool skip_syncs;
    char dir[PATH_MAX];
    char ignored[IO_NAME_BYTES];
    struct descriptor descriptors[DESCRIPTORS_MAX];
    char names[IO_FILES_MAX][IO_NAME_BYTES]; /* by file; empty: it has no name any more */
    unsigned file_count;
    struct io_event *events;
    size_t count;
    size_t capacity;
} recorder = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* --- what follows is called with the mutex held --- */

static struct io_event *add_event(enum io_kind kind)
{
    if (recorder.count == recorder.capacity) {
        recorder.capacity = recorder.capacity * 2 + 64;
        recorder.events =
            mem_realloc(recorder.events, recorder.capacity * sizeof(recorder.events[0]));
    }
    recorder.events[recorder.count] = (struct io_event){.kind = kind};
    return &recorder.events[recorder.count++];
}

static void copy_name(char to[IO_NAME_BYTES], const char *name)
{
    ASSERT(strlen(name) < IO_NAME_BYTES);
    memcpy(to, name, strlen(name) + 1);
}

static struct descriptor *descriptor(int fd)
{
    static struct descriptor unknown;

    return fd >= 0 && fd < DESCRIPTORS_MAX ? &recorder.descriptors[fd] : &unknown;
}

/* The name in the recorded directory that the path means, or NULL. */
static const char *recorded_name(int dir_fd, const char *path)
{
    size_t len = strlen(recorder.dir);

    if (!recorder.recording) {
        return NULL;
    }
    if (path[0] == '/' && strncmp(path, recorder.dir, len) == 0 && path[len] == '/') {
        path += len + 1;
    } else if (path[0] == '/' || descriptor(dir_fd)->kind != DESCRIPTOR_DIR) {
        return NULL;
    }
    return strcmp(path, recorder.ignored) == 0 ? NULL : path;
}

/* The file that a name shows, or IO_FILES_MAX. */
static unsigned file_of(const char *name)
{
    unsigned file = 0;

    while (file < recorder.file_count && strcmp(recorder.names[file], name) != 0) {
        file++;
    }
    return file < recorder.file_count ? file : IO_FILES_MAX;
}

static unsigned create_file(const char *name)
{
    struct io_event *event = add_event(IO_CREATE);

    ASSERT(recorder.file_count < IO_FILES_MAX);
    event->file = recorder.file_count++;
    copy_name(event->name, name);
    copy_name(recorder.names[event->file], name);
    return event->file;
}

static void note_open(int fd, const char *path, int flags)
{
    struct descriptor *opened = descriptor(fd);
    const char *name = recorded_name(AT_FDCWD, path);

    *opened = (struct descriptor){0};
    if (recorder.recording && strcmp(path, recorder.dir) == 0) {
        opened->kind = DESCRIPTOR_DIR;
    } else if (name != NULL) {
        unsigned file = file_of(name);

        ASSERT((flags & O_TRUNC) == 0 || file == IO_FILES_MAX);
        opened->kind = DESCRIPTOR_FILE;
        opened->file = file == IO_FILES_MAX ? create_file(name) : file;
        opened->durable = (flags & O_DSYNC) != 0;
    }
}

static void note_write(int fd, const void *data, ssize_t len, off_t offset)
{
    const struct descriptor *written = descriptor(fd);
    struct io_event *event;

    if (!recorder.recording || written->kind != DESCRIPTOR_FILE || len <= 0) {
        return;
    }
    event = add_event(IO_WRITE);
    event->file = written->file;
    event->durable = written->durable;
    event->offset = (uint64_t)offset;
    event->len = (size_t)len;
    event->data = mem_alloc((size_t)len);
    memcpy(event->data, data, (size_t)len);
}

static void note_sync(int fd)
{
    const struct descriptor *synced = descriptor(fd);

    if (!recorder.recording) {
        return;
    }
    if (synced->kind == DESCRIPTOR_DIR) {
        (void)add_event(IO_SYNC_DIR);
    } else if (synced->kind == DESCRIPTOR_FILE) {
        add_event(IO_SYNC)->file = synced->file;
    }
}

static void note_unlink(const char *name)
{
    unsigned file = file_of(name);

    if (file != IO_FILES_MAX) {
        copy_name(add_event(IO_UNLINK)->name, name);
        recorder.names[file][0] = '\0';
    }
}

static void note_rename(const char *from, const char *to)
{
    unsigned replaced = file_of(to);
    unsigned file = file_of(from);
    struct io_event *event;

    ASSERT(file != IO_FILES_MAX);
    if (replaced != IO_FILES_MAX) {
        recorder.names[replaced][0] = '\0';
    }
    copy_name(recorder.names[file], to);
    event = add_event(IO_RENAME);
    event->file = file;
    copy_name(event->name, to);
    copy_name(event->old_name, from);
}

/* --- the test's side --- */

void io_recorder_start(const char *dir, const char *ignored)
{
    pthread_mutex_lock(&recorder.mutex);
    ASSERT(!recorder.recording);
    ASSERT(strlen(dir) < sizeof(recorder.dir));
    memcpy(recorder.dir, dir, strlen(dir) + 1);
    copy_name(recorder.ignored, ignored);
    memset(recorder.descriptors, 0, sizeof(recorder.descriptors));
    recorder.file_count = 0;
    recorder.recording = true;
    pthread_mutex_unlock(&recorder.mutex);
}

void io_recorder_note(uint64_t note)
{
    pthread_mutex_lock(&recorder.mutex);
    if (recorder.recording) {
        add_event(IO_NOTE)->note = note;
    }
    pthread_mutex_unlock(&recorder.mutex);
}

void io_recorder_stop(struct io_event **events_out, size_t *count_out)
{
    pthread_mutex_lock(&recorder.mutex);
    *events_out = recorder.events;
    *count_out = recorder.count;
    recorder.events = NULL;
    recorder.count = 0;
    recorder.capacity = 0;
    recorder.recording = false;
    pthread_mutex_unlock(&recorder.mutex);
}

void io_events_free(struct io_event **events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mem_free(&(*events)[i].data);
    }
    mem_free(events);
}

void io_recorder_skip_syncs(bool skip)
{
    pthread_mutex_lock(&recorder.mutex);
    recorder.skip_syncs = skip;
    pthread_mutex_unlock(&recorder.mutex);
}

/* --- before libc's; the mutex makes the order of the record the order of the effects --- */

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    int fd;

    if ((flags & O_CREAT) != 0) {
        va_list arguments;

        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    pthread_mutex_lock(&recorder.mutex);
    fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (fd >= 0) {
        note_open(fd, path, flags);
    }
    pthread_mutex_unlock(&recorder.mutex);
    return fd;
}

int close(int fd)
{
    pthread_mutex_lock(&recorder.mutex);
    *descriptor(fd) = (struct descriptor){0}; /* the number may come back as a pipe */
    pthread_mutex_unlock(&recorder.mutex);
    return (int)syscall(SYS_close, fd);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    ssize_t written;

    pthread_mutex_lock(&recorder.mutex);
    written = syscall(SYS_pwrite64, fd, data, len, offset);
    note_write(fd, data, written, offset);
    pthread_mutex_unlock(&recorder.mutex);
    return written;
}

ssize_t write(int fd, const void *data, size_t len)
{
    ssize_t written;

    /* What is not recorded may block (a pipe): without the mutex. */
    if (descriptor(fd)->kind != DESCRIPTOR_FILE) {
        return syscall(SYS_write, fd, data, len);
    }
    pthread_mutex_lock(&recorder.mutex);
    written = syscall(SYS_write, fd, data, len);
    note_write(fd, data, written, lseek(fd, 0, SEEK_CUR) - written);
    pthread_mutex_unlock(&recorder.mutex);
    return written;
}

ssize_t writev(int fd, const struct iovec *parts, int part_count)
{
    ssize_t written;
    ssize_t noted = 0;
    off_t start;

    if (descriptor(fd)->kind != DESCRIPTOR_FILE) {
        return syscall(SYS_writev, fd, parts, part_count);
    }
    pthread_mutex_lock(&recorder.mutex);
    start = lseek(fd, 0, SEEK_CUR);
    written = syscall(SYS_writev, fd, parts, part_count);
    for (int i = 0; noted < written; i++) {
        ssize_t rest = written - noted;
        ssize_t len = (ssize_t)parts[i].iov_len < rest ? (ssize_t)parts[i].iov_len : rest;

        note_write(fd, parts[i].iov_base, len, start + noted);
        noted += len;
    }
    pthread_mutex_unlock(&recorder.mutex);
    return written;
}

static int sync_by(long number, int fd)
{
    int rc;

    pthread_mutex_lock(&recorder.mutex);
    rc = recorder.skip_syncs ? 0 : (int)syscall(number, fd);
    if (rc == 0) {
        note_sync(fd);
    }
    pthread_mutex_unlock(&recorder.mutex);
    return rc;
}

int fsync(int fd)
{
    return sync_by(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_by(SYS_fdatasync, fd);
}

int ftruncate(int fd, off_t len)
{
    ASSERT(!recorder.recording || descriptor(fd)->kind != DESCRIPTOR_FILE);
    return (int)syscall(SYS_ftruncate, fd, len);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    int rc;

    pthread_mutex_lock(&recorder.mutex);
    rc = (int)syscall(SYS_renameat, from_fd, from, to_fd, to);
    if (rc == 0 && recorded_name(to_fd, to) != NULL) {
        note_rename(recorded_name(from_fd, from), recorded_name(to_fd, to));
    }
    pthread_mutex_unlock(&recorder.mutex);
    return rc;
}

int unlinkat(int dir_fd, const char *path, int flags)
{
    int rc;

    pthread_mutex_lock(&recorder.mutex);
    rc = (int)syscall(SYS_unlinkat, dir_fd, path, flags);
    if (rc == 0 && recorded_name(dir_fd, path) != NULL) {
        note_unlink(recorded_name(dir_fd, path));
    }
    pthread_mutex_unlock(&recorder.mutex);
    return rc;
}
