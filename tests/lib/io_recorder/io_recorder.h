/* io_recorder - what a program does to the files of one directory, in order: creations, writes,
 * syncs, renames. Linked into a test it stands before libc's functions, also for shared libraries
 * such as LMDB. From the record io_image builds what a power loss may leave. Not recorded, so not
 * to be used by what is tested: writes through a mapping, and truncation (which is asserted). */
#ifndef TESTS_LIB_IO_RECORDER_IO_RECORDER_H
#define TESTS_LIB_IO_RECORDER_IO_RECORDER_H

#include "node/base/slice.h"

#define IO_NAME_BYTES 32
#define IO_FILES_MAX  32

enum io_kind {
    IO_CREATE,   /* name now shows file */
    IO_RENAME,   /* name now shows file, which was shown by another */
    IO_UNLINK,   /* name is gone */
    IO_SYNC_DIR, /* creations, renames and unlinks so far are durable */
    IO_WRITE,
    IO_SYNC, /* writes to file so far are durable */
    IO_NOTE  /* from the test: what it was promised at this moment */
};

struct io_event {
    enum io_kind kind;
    unsigned file; /* counts creations: a file keeps it when it is renamed */
    char name[IO_NAME_BYTES];
    char old_name[IO_NAME_BYTES]; /* of a rename */
    uint64_t offset;
    uint8_t *data;
    size_t len;
    bool durable; /* of a write: to a descriptor opened with O_DSYNC */
    uint64_t note;
};

/** Record what happens in dir (absolute, still empty) from now on. Files called *ignored are not
 * recorded. One recording at a time. */
void io_recorder_start(const char *dir, const char *ignored);
/** Put a note into the record. Any thread. */
void io_recorder_note(uint64_t note);
/** End the recording. The caller frees the events: io_events_free(). */
void io_recorder_stop(struct io_event **events_out, size_t *count_out);
void io_events_free(struct io_event **events, size_t count);

/** Let fsync() and fdatasync() do nothing, for tests that only look at images. */
void io_recorder_skip_syncs(bool skip);

#endif
