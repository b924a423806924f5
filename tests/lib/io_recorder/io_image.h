/* io_image - a directory as a power loss may leave it: what was synced is there; of the rest, any
 * part. Follows a record of io_recorder event by event. */
#ifndef TESTS_LIB_IO_RECORDER_IO_IMAGE_H
#define TESTS_LIB_IO_RECORDER_IO_IMAGE_H

#include "node/base/buf.h"
#include "tests/lib/io_recorder/io_recorder.h"

enum io_survival {
    IO_SURVIVES_NONE,  /* nothing that was not synced */
    IO_SURVIVES_ALL,   /* all of it */
    IO_SURVIVES_RANDOM /* any sectors of it, and the first so many changes of names */
};

struct io_names {
    char names[IO_FILES_MAX][IO_NAME_BYTES]; /* by file; empty: none */
};

struct io_image {
    struct io_names names;           /* durable */
    struct buf files[IO_FILES_MAX];  /* durable */
    const struct io_event **pending; /* in order; borrowed from the record */
    size_t pending_count;
    size_t pending_capacity;
};

void io_image_init(struct io_image *image);
void io_image_deinit(struct io_image *image);
/** The event has happened. It is borrowed until io_image_deinit(). */
void io_image_apply(struct io_image *image, const struct io_event *event);
/** Write a directory that a power loss now may leave into dir, which is empty. */
void io_image_write(const struct io_image *image, enum io_survival survival, uint64_t seed,
                    const char *dir);

#endif
