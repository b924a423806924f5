/* kv_private - what is inside struct kv, for the files of this folder. */
#ifndef STORAGE_KV_KV_PRIVATE_H
#define STORAGE_KV_KV_PRIVATE_H

#include "storage/kv/checkpoint.h"

struct kv {
    struct store store;
    struct checkpoint checkpoint;
    size_t unwritten_bytes_max;
    uint64_t reserve_bytes;

    /* State thread. */
    MDB_txn *reader; /* one for good: reset between turns, renewed when something is read */
    bool reader_active;
    size_t iter_count;
    struct window *open;
    struct window *closed_newest; /* down by "older", up by "newer" */
    struct window *closed_oldest;
    size_t closed_count;

    /* For other threads. */
    atomic_size_t open_bytes;
    atomic_size_t open_rows;
};

/** The snapshot of LMDB for reading. What can not be read ends the process: a replica must not go
 * on with rows missing. */
MDB_txn *kv_reader(struct kv *kv);
/** Log what LMDB said to a read and end the process. */
_Noreturn void kv_read_failed(struct kv *kv, int rc);

#endif
