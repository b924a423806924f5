/* entry - the bytes of one Raft entry: a batch of commands, or the mark that closes a window
 * (DESIGN 3 and 4). Header and container are fixed binary, so that the raft thread can stamp and
 * read times without decoding commands; commands inside are opaque here. Pure. */
#ifndef STORAGE_STATE_ENTRY_H
#define STORAGE_STATE_ENTRY_H

#include "node/base/buf.h"
#include "node/base/err.h"
#include "storage/state/versions.h"

/* An entry has the version that was written when it was proposed; the first form had 1. */
#define ENTRY_VERSION_MIN  1
#define ENTRY_VERSION      STATE_LOG_VERSION /* the newest that this program reads */
#define ENTRY_HEADER_BYTES 48
#define ENTRY_SEED_BYTES   16
/* A batch stays below this, so that one entry never delays a heartbeat; a single larger command
 * goes alone, up to ENTRY_COMMAND_BYTES_MAX. */
#define ENTRY_BATCH_BYTES_SOFT  (64 * 1024)
#define ENTRY_BATCH_COUNT_MAX   2048
#define ENTRY_COMMAND_BYTES_MAX (1024 * 1024)

enum entry_kind {
    ENTRY_BATCH = 1,
    ENTRY_MARK = 2, /* closes a checkpoint window; carries time only */
    ENTRY_STAMP = 3 /* moves cluster time on while a deadline runs */
};

/** What the leader stamps. seed feeds every random number and id that apply needs. */
struct entry_stamp {
    uint16_t version; /* of the entry; below ENTRY_VERSION_MIN: that */
    uint64_t time_ms; /* cluster time, never falls from entry to entry */
    uint64_t wall_ms; /* label only */
    uint8_t seed[ENTRY_SEED_BYTES];
};

/** One command with its origin. incarnation 0: a leader's own decision, or START (seq is 0 too). */
struct entry_command {
    uint64_t incarnation;
    uint64_t seq;
    struct slice bytes; /* encoded Command of schema.proto */
};

struct entry_writer {
    struct buf *out;
    size_t start;
    uint32_t count;
};

/** Begin an entry at the end of out. */
void entry_begin(struct entry_writer *writer, struct buf *out, enum entry_kind kind,
                 const struct entry_stamp *stamp);
/** Add one command to a batch. */
void entry_add(struct entry_writer *writer, const struct entry_command *command);
/** Fill in length and count, pad with zeros to a multiple of 8. */
void entry_finish(struct entry_writer *writer);

struct entry_reader {
    enum entry_kind kind;
    struct entry_stamp stamp;
    uint32_t count;
    struct slice rest; /* what entry_next() has not read yet */
};

/** Check the header. ERR_VERSION: written by a newer program, the node must stop;
 * ERR_MALFORMED: not an entry. */
NODISCARD int entry_open(struct slice bytes, struct entry_reader *out);
/** Next command: 1 and *out, 0 at the end, or ERR_MALFORMED. */
NODISCARD int entry_next(struct entry_reader *reader, struct entry_command *out);

#endif
