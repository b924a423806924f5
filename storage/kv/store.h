/* store - the LMDB file below the deltas: opening it, its own "kv_meta" table, and who may use it
 * while it is swapped. Everything in it belongs to one mark: the last one that was written. */
#ifndef STORAGE_KV_STORE_H
#define STORAGE_KV_STORE_H

#include "storage/kv/kv.h"

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#define STORE_DATA_FILE "data.mdb"
#define STORE_LOCK_FILE "lock.mdb"

/* Who reads the file on a thread of its own. Guarded by guest_mutex. */
struct store_guest {
    struct store_guest *next;
    uint64_t snapshot; /* LMDB's number of the transaction that it sees the end of; 0: not known */
};

struct store {
    char *dir;
    const char *const *table_names;
    size_t table_count;
    size_t map_bytes;
    uint32_t schema; /* the newest that this program reads */
    uint32_t schema_oldest;
    size_t (*tables_of)(uint32_t schema);
    atomic_uint_fast32_t schema_written; /* what the store is marked with */
    uint32_t schema_listed;              /* its list of tables is that of; checkpoint thread */
    int dir_fd;                          /* locked: one process writes a store */
    MDB_env *env;                        /* NULL while closed */
    MDB_dbi meta;
    MDB_dbi tables[KV_TABLES_MAX];

    uint64_t room_enough;            /* store_measure_room() need not look for more */
    atomic_uint_fast64_t room_bytes; /* as of the last store_measure_room() */

    /* Held while a transaction is committed, so that kv_copy() can learn which state it copies. */
    pthread_mutex_t commit_mutex;

    /* Scrubs and copies, on any thread, against the swap and the end of the file. */
    pthread_mutex_t guest_mutex;
    pthread_cond_t guest_left;
    struct store_guest *guests;
    atomic_bool guests_barred;
};

/** Lock dir and open or create the store there. ERR_BUSY, ERR_STORAGE, ERR_CORRUPT, ERR_VERSION,
 * ERR_NO_SPACE; all logged. After an error nothing needs closing. */
NODISCARD int store_init(struct store *store, const struct kv_config *config);
void store_deinit(struct store *store);

/** Open and close the file alone. No transaction may be open at store_close_file(). */
NODISCARD int store_open_file(struct store *store);
void store_close_file(struct store *store);
/** Check that the file at path is a store that this program can read, without changing it. */
NODISCARD int store_check_file(const struct store *store, const char *path, struct kv_mark *out);
/** Put the file at path in the place of the closed one; durable when it returns 0. */
NODISCARD int store_swap_file(struct store *store, const char *path);

/** The mark that txn sees; zeros in a new store. */
NODISCARD int store_read_mark(const struct store *store, MDB_txn *txn, struct kv_mark *out);
/** With the schema that is written now, and its tables. Returns LMDB's code. */
int store_write_mark(struct store *store, MDB_txn *txn, const struct kv_mark *mark);

/** Room that is wanted beside the reserve for so many bytes: a row costs more than its bytes, since
 * pages are copied before they are changed. */
static inline uint64_t store_room_wanted(uint64_t reserve_bytes, size_t unwritten_bytes)
{
    return reserve_bytes + 2 * (uint64_t)unwritten_bytes;
}
/** Bring room_bytes up to date: what more the file can take. Not while a transaction writes. */
void store_measure_room(struct store *store);
/** Why a transaction failed to write: LMDB says EIO when a write was cut short, as is the last one
 * that a disk has some room for. Then ENOSPC, else rc as it is. */
int store_write_cause(const struct store *store, int rc);

/** Add the hash of every row of a table to *hash. stop (may be NULL): looked at now and then; when
 * set, ERR_CLOSED. */
NODISCARD int store_sum_table(MDB_txn *txn, MDB_dbi dbi, unsigned table, const atomic_bool *stop,
                              uint64_t *hash);

/** Come in to read the file on a thread of one's own; ERR_CLOSED when it is being swapped or
 * closed. A guest looks at guests_barred now and then, and leaves when it is set; it is the
 * caller's until then. */
NODISCARD int store_guest_enter(struct store *store, struct store_guest *guest);
/** The guest reads what txn sees, and nothing older. */
void store_guest_reads(struct store *store, struct store_guest *guest, MDB_txn *txn);
void store_guest_leave(struct store *store, struct store_guest *guest);
/** Before it all that guests need was written: UINT64_MAX when there are none, 0 when one has not
 * said yet what it reads. */
uint64_t store_guests_oldest(struct store *store);
/** Let no more guests in and wait until the last one has left. */
void store_guests_bar(struct store *store);
void store_guests_admit(struct store *store);

/** LMDB's or the system's code as ours; 0 for 0. */
int store_err(int rc);

static inline MDB_val store_val(struct slice bytes)
{
    return (MDB_val){.mv_size = bytes.len, .mv_data = (void *)(uintptr_t)bytes.data};
}

static inline struct slice store_slice(MDB_val val)
{
    return slice_make(val.mv_data, val.mv_size);
}

#endif
