#include "tests/lib/io_recorder/io_image.h"

#include "node/base/mem.h"

#include <fcntl.h>
#include <unistd.h>

#define SECTOR_BYTES 512 /* what a disk writes wholly or not at all */

void io_image_init(struct io_image *image)
{
    *image = (struct io_image){0};
}

void io_image_deinit(struct io_image *image)
{
    for (size_t i = 0; i < IO_FILES_MAX; i++) {
        buf_deinit(&image->files[i]);
    }
    mem_free(&image->pending);
}

static bool is_name_change(const struct io_event *event)
{
    return event->kind == IO_CREATE || event->kind == IO_RENAME || event->kind == IO_UNLINK;
}

static void change_names(struct io_names *names, const struct io_event *event)
{
    for (unsigned file = 0; file < IO_FILES_MAX; file++) {
        if (strcmp(names->names[file], event->name) == 0) {
            names->names[file][0] = '\0'; /* unlinked, or replaced */
        }
    }
    if (event->kind != IO_UNLINK) {
        memcpy(names->names[event->file], event->name, IO_NAME_BYTES);
    }
}

/* Bytes from..to (offsets in the write) reach the file. */
static void write_bytes(struct buf *file, const struct io_event *event, size_t from, size_t to)
{
    size_t end = (size_t)event->offset + to;

    if (buf_len(file) < end) {
        size_t gap = end - buf_len(file);

        memset(buf_reserve(file, gap), 0, gap);
        buf_commit(file, gap);
    }
    memcpy(file->data + file->start + event->offset + from, event->data + from, to - from);
}

/* Make durable what is pending and belongs to a file, or to the names. */
static void settle(struct io_image *image, bool names, unsigned file)
{
    size_t kept = 0;

    for (size_t i = 0; i < image->pending_count; i++) {
        const struct io_event *event = image->pending[i];

        if (names && is_name_change(event)) {
            change_names(&image->names, event);
        } else if (!names && event->kind == IO_WRITE && event->file == file) {
            write_bytes(&image->files[file], event, 0, event->len);
        } else {
            image->pending[kept++] = event;
        }
    }
    image->pending_count = kept;
}

void io_image_apply(struct io_image *image, const struct io_event *event)
{
    if (event->kind == IO_SYNC || event->kind == IO_SYNC_DIR) {
        settle(image, event->kind == IO_SYNC_DIR, event->file);
        return;
    }
    if (event->kind == IO_NOTE) {
        return;
    }
    if (image->pending_count == image->pending_capacity) {
        image->pending_capacity = image->pending_capacity * 2 + 16;
        image->pending =
            mem_realloc(image->pending, image->pending_capacity * sizeof(const struct io_event *));
    }
    image->pending[image->pending_count++] = event;
}

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u); /* splitmix64 */

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* The file after the pending writes, as far as they survive. A write through O_DSYNC always does,
 * and it stays in its place among the others. */
static void compose_file(const struct io_image *image, unsigned file, enum io_survival survival,
                         uint64_t *random, struct buf *out)
{
    buf_append(out, buf_slice(&image->files[file]));
    for (size_t i = 0; i < image->pending_count; i++) {
        const struct io_event *event = image->pending[i];

        if (event->kind != IO_WRITE || event->file != file) {
            continue;
        }
        for (size_t from = 0; from < event->len; from += SECTOR_BYTES) {
            size_t to = from + SECTOR_BYTES < event->len ? from + SECTOR_BYTES : event->len;
            bool lucky = survival == IO_SURVIVES_RANDOM && next_random(random) % 2 == 0;

            if (event->durable || survival == IO_SURVIVES_ALL || lucky) {
                write_bytes(out, event, from, to);
            }
        }
    }
}

static void compose_names(const struct io_image *image, enum io_survival survival, uint64_t *random,
                          struct io_names *out)
{
    *out = image->names;
    for (size_t i = 0; i < image->pending_count && survival != IO_SURVIVES_NONE; i++) {
        if (!is_name_change(image->pending[i])) {
            continue;
        }
        if (survival == IO_SURVIVES_RANDOM && next_random(random) % 2 == 0) {
            break;
        }
        change_names(out, image->pending[i]);
    }
}

static void write_file(const char *dir, const char *name, struct slice bytes)
{
    struct buf path = BUF_EMPTY;
    ssize_t written;
    int fd;

    buf_printf(&path, "%s/%s", dir, name);
    fd = open(buf_text(&path), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    ASSERT(fd >= 0);
    written = write(fd, bytes.data, bytes.len);
    ASSERT(written == (ssize_t)bytes.len);
    (void)close(fd);
    buf_deinit(&path);
}

void io_image_write(const struct io_image *image, enum io_survival survival, uint64_t seed,
                    const char *dir)
{
    struct io_names names;

    compose_names(image, survival, &seed, &names);
    for (unsigned file = 0; file < IO_FILES_MAX; file++) {
        struct buf bytes = BUF_EMPTY;

        if (names.names[file][0] == '\0') {
            continue;
        }
        compose_file(image, file, survival, &seed, &bytes);
        write_file(dir, names.names[file], buf_slice(&bytes));
        buf_deinit(&bytes);
    }
}
