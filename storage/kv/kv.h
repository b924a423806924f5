/* kv - the ordered store of the replicated state: an in-memory delta over LMDB (DESIGN 4). The
 * state thread reads and writes here; nothing it does waits for the disk. A window is closed by a
 * mark; the checkpoint thread writes closed windows, with the applied index, in one synced
 * transaction. The only home of lmdb.h. */
#ifndef STORAGE_KV_KV_H
#define STORAGE_KV_KV_H

#include "node/base/buf.h"
#include "node/base/err.h"

#include <stdbool.h>

#define KV_KEY_BYTES_MAX   500 /* LMDB's limit is 511 */
#define KV_VALUE_BYTES_MAX (2 * 1024 * 1024)
#define KV_TABLES_MAX      64

struct kv;

/** The state at one index: everything in LMDB belongs to the last mark written. */
struct kv_mark {
    uint64_t index; /* of the last entry applied, 0 in a new store */
    uint64_t term;
    uint64_t hash; /* sum of kv_row_hash() over all rows */
};

struct kv_config {
    const char *dir;           /* exists, mode 0700 */
    const char *const *tables; /* names, in the order of the table numbers; static. A newer program
                                  may add some at the end, and change nothing else */
    size_t table_count;
    uint32_t schema; /* version of what the rows mean; a store with a higher one is refused */
    uint32_t schema_oldest; /* so is one with a lower one than this; a new store has it */
    /* How many of the tables a store of this schema has; NULL: all. */
    size_t (*tables_of)(uint32_t schema);
    uint64_t map_bytes;         /* LMDB map size; 0: 64 GiB of address space */
    size_t unwritten_bytes_max; /* above it kv_pressure() says so */
    uint64_t reserve_bytes;     /* kv_has_room() is false when less than this would stay free */
    /** A window is durable: called on the checkpoint thread. hash is the state hash at the newest
     * mark written; status is 0 or an error (then nothing is durable any more: stop the node). */
    void (*on_durable)(void *ctx, uint64_t mark_index, uint64_t hash, int status);
    void *ctx;
};

/** Open or create the store and start the checkpoint thread. ERR_STORAGE, ERR_CORRUPT,
 * ERR_NO_SPACE, ERR_BUSY (another process has it), ERR_VERSION (another version of the program
 * wrote it); all logged. */
NODISCARD int kv_open(const struct kv_config *config, struct kv **out);
/** State thread. Write what is closed, stop the thread, close; waits for scrubs and copies, which
 * end early. What was not closed by a mark is forgotten: the log replays it. */
void kv_close(struct kv **kv);

/** Any thread. What the store holds durably: index and term of the last entry applied in it, 0 when
 * empty. */
void kv_applied(struct kv *kv, uint64_t *index_out, uint64_t *term_out);
/** The same, with its hash. */
void kv_durable_mark(struct kv *kv, struct kv_mark *out);

/* State thread only. Values read are valid until the next kv_put, kv_delete, kv_close_window or
 * kv_end_turn. Keys have 1 to KV_KEY_BYTES_MAX bytes. A read that the disk fails ends the process.
 */
bool kv_get(struct kv *kv, unsigned table, struct slice key, struct slice *value_out);
void kv_put(struct kv *kv, unsigned table, struct slice key, struct slice value);
void kv_delete(struct kv *kv, unsigned table, struct slice key);

struct kv_iter; /* merges delta and LMDB; sees neither writes nor deletes made after it was opened
                   beyond its position in any defined way: collect first, then change */
/** First key >= from in table. Close it before the state thread's turn ends. */
struct kv_iter *kv_iter_open(struct kv *kv, unsigned table, struct slice from);
/** Only the keys that start with prefix. */
struct kv_iter *kv_iter_open_prefix(struct kv *kv, unsigned table, struct slice prefix);
/** Next row: true and the row, false at the end. Slices are valid until the next call. */
bool kv_iter_next(struct kv_iter *iter, struct slice *key_out, struct slice *value_out);
void kv_iter_close(struct kv_iter **iter);

/** Before the state thread waits for new work: give up the snapshot of LMDB. A snapshot that is
 * held makes the file grow with every window written. */
void kv_end_turn(struct kv *kv);

/** From now on the store needs a program that knows this schema, between that of kv_config and the
 * one before: what is put next has rows or tables of it. Says so with the next mark. */
void kv_set_schema(struct kv *kv, uint32_t schema);

/** Close the window: everything put since the last call belongs to the entry at mark_index. Hands
 * it to the checkpoint thread. */
void kv_close_window(struct kv *kv, uint64_t mark_index, uint64_t mark_term);
/** Is more closed and unwritten than allowed (then take no further entries)? Any thread. */
bool kv_pressure(struct kv *kv);
/** Is there room in map and disk for what is unwritten, with the reserve left over? Else take
 * nothing that makes the store grow: a map or disk that is full ends all writing. As of the last
 * write. Any thread. */
bool kv_has_room(struct kv *kv);
/** The same in bytes: what is left, and how much of it there has to be. Any thread. */
void kv_room(struct kv *kv, uint64_t *left_out, uint64_t *wanted_out);
/** Bytes in memory not yet durable, and rows in the open window. Any thread. */
void kv_usage(struct kv *kv, size_t *unwritten_bytes_out, size_t *open_rows_out);

/** Any thread: recompute the state hash from a read snapshot of LMDB (scrub), with pauses. It
 * belongs to *mark_out, which has the hash that was summed up as windows were written. ERR_CORRUPT:
 * the two differ (both results are set); ERR_CLOSED: ended early by kv_close(), kv_replace() or
 * kv_end_guests(). */
NODISCARD int kv_scrub(struct kv *kv, struct kv_mark *mark_out, uint64_t *hash_out);
/** State thread: end scrubs and copies and admit no more; kv_close() is to follow. */
void kv_end_guests(struct kv *kv);
/** Any thread: write a compacted copy of a read snapshot to fd; *mark_out is its mark. The file
 * grows meanwhile: be quick. ERR_IO: fd failed; ERR_CLOSED: ended early by kv_close() or
 * kv_replace(), at once when fd is non-blocking. The copy is not synced. */
NODISCARD int kv_copy(struct kv *kv, int fd, struct kv_mark *mark_out);
/** State thread: replace the store by the LMDB file at path (synced before, on the file system of
 * the store), forgetting all deltas. The file is moved. ERR_CORRUPT, ERR_VERSION: refused, nothing
 * has changed; ERR_STORAGE: only kv_close() is legal any more. */
NODISCARD int kv_replace(struct kv *kv, const char *path, uint64_t *applied_out);

/** Hash of one row, as summed up (modulo 2^64) in the state hash. */
uint64_t kv_row_hash(unsigned table, struct slice key, struct slice value);

#endif
