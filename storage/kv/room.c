/* room - what more the store can take: pages that were freed, and what map and disk leave for the
 * file to grow. A full map is no state that LMDB works in: even a delete needs pages. */
#include "storage/kv/store.h"

#include "node/base/log.h"

#include <errno.h>
#include <sys/statvfs.h>

#define WRITE_BYTES_MAX (1 << 20) /* that LMDB writes by one call */

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Pages on LMDB's list of free pages (table 0: a count and the numbers, for each transaction that
 * freed some, by its number). What was freed by the transaction that a guest sees the end of, or
 * later, LMDB does not use before the guest has left. */
static int count_free_pages(struct store *store, uint64_t *count_out)
{
    uint64_t oldest = store_guests_oldest(store);
    MDB_txn *txn = NULL;
    MDB_cursor *cursor = NULL;
    MDB_val key;
    MDB_val value;
    uint64_t count = 0;
    size_t pages;
    size_t freed_by;
    int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);

    if (rc == 0) {
        rc = mdb_cursor_open(txn, 0, &cursor);
    }
    while (rc == 0 && (rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        memcpy(&freed_by, key.mv_data, sizeof(freed_by));
        memcpy(&pages, value.mv_data, sizeof(pages));
        count += freed_by < oldest ? pages : 0;
    }
    if (cursor != NULL) {
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    *count_out = count;
    return rc == MDB_NOTFOUND ? 0 : rc;
}

void store_measure_room(struct store *store)
{
    struct statvfs disk;
    MDB_envinfo info;
    MDB_stat sizes;
    uint64_t used;
    uint64_t room;
    uint64_t free_pages = 0;
    int rc = mdb_env_info(store->env, &info);

    if (rc == 0) {
        rc = mdb_env_stat(store->env, &sizes);
    }
    if (rc != 0 || fstatvfs(store->dir_fd, &disk) != 0) {
        log_warn("kv.room_unknown", LOG_STR("dir", store->dir));
        return;
    }
    used = (uint64_t)(info.me_last_pgno + 1) * sizes.ms_psize;
    room = min_u64(store->map_bytes - min_u64(used, store->map_bytes),
                   (uint64_t)disk.f_bavail * disk.f_frsize);
    if (room < store->room_enough) {
        if (count_free_pages(store, &free_pages) != 0) {
            free_pages = 0;
        }
        room += free_pages * sizes.ms_psize;
    }
    atomic_store(&store->room_bytes, room);
}

int store_write_cause(const struct store *store, int rc)
{
    struct statvfs disk;

    return rc == EIO && fstatvfs(store->dir_fd, &disk) == 0 &&
                   (uint64_t)disk.f_bavail * disk.f_frsize < WRITE_BYTES_MAX
               ? ENOSPC
               : rc;
}
