#include "storage/kv/store.h"

#include "node/base/log.h"
#include "node/base/mem.h"
#include "storage/kv/meta.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAP_BYTES_DEFAULT ((size_t)64 << 30)
#define NEW_FILE          "data.mdb.new"
#define FILE_MODE         0600
#define REJOIN_HINT       "join again under a new raft id: musterctl node replace"
#define SUM_ROWS_STEP     1024 /* how often a scrub looks whether it must stop */
#define SUM_PAUSE_US      5000 /* after each step: leaves processor and disk to others */

int store_err(int rc)
{
    switch (rc) {
    case 0:
        return 0;
    case MDB_NOTFOUND:
        return ERR_NOT_FOUND;
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
        return ERR_CORRUPT;
    case MDB_VERSION_MISMATCH:
        return ERR_VERSION;
    default:
        return ERR_STORAGE;
    }
}

static int read_mark(const struct store *store, MDB_txn *txn, struct kv_mark *out,
                     uint32_t *schema_out)
{
    MDB_val key = store_val(slice_str(META_MARK_KEY));
    MDB_val value;
    int rc = mdb_get(txn, store->meta, &key, &value);

    if (rc == MDB_NOTFOUND) {
        *out = (struct kv_mark){0};
        *schema_out = store->schema_oldest;
        return 0;
    }
    if (rc != 0) {
        return store_err(rc);
    }
    rc = meta_decode_mark(store_slice(value), out, schema_out);
    if (rc != 0) {
        return rc;
    }
    if (*schema_out > store->schema || *schema_out < store->schema_oldest) {
        log_error("kv.schema_refused", LOG_UINT("schema", *schema_out),
                  LOG_UINT("oldest", store->schema_oldest), LOG_UINT("newest", store->schema),
                  LOG_STR("hint", *schema_out > store->schema
                                      ? "a newer program wrote this store: start that one"
                                      : "no program carries these rows over any more"));
        return ERR_VERSION;
    }
    return 0;
}

int store_read_mark(const struct store *store, MDB_txn *txn, struct kv_mark *out)
{
    uint32_t schema;

    return read_mark(store, txn, out, &schema);
}

static int put_meta(const struct store *store, MDB_txn *txn, const char *name,
                    const struct buf *buf)
{
    MDB_val key = store_val(slice_str(name));
    MDB_val value = store_val(buf_slice(buf));

    return mdb_put(txn, store->meta, &key, &value, 0);
}

/* A program that knows fewer tables than a store lists refuses it: those of a schema are listed
 * once it is written. Never fewer than before. */
static void encode_tables(const struct store *store, uint32_t schema, struct buf *out)
{
    meta_encode_tables(store->table_names,
                       store->tables_of == NULL ? store->table_count : store->tables_of(schema),
                       out);
}

int store_write_mark(struct store *store, MDB_txn *txn, const struct kv_mark *mark)
{
    uint32_t schema = (uint32_t)atomic_load(&store->schema_written);
    struct buf bytes = BUF_EMPTY;
    int rc;

    meta_encode_mark(mark, schema, &bytes);
    rc = put_meta(store, txn, META_MARK_KEY, &bytes);
    if (rc == 0 && schema != store->schema_listed) {
        buf_clear(&bytes);
        encode_tables(store, schema, &bytes);
        rc = put_meta(store, txn, META_TABLES_KEY, &bytes);
        store->schema_listed = schema; /* when it is not committed nothing is written any more */
    }
    buf_deinit(&bytes);
    return rc;
}

/* Make the tables that this program has, and list those of the store's schema; nothing is written
 * when they are there. Those of a later schema stay empty until then. */
static int adopt_tables(struct store *store, MDB_txn *txn, uint32_t schema)
{
    MDB_val key = store_val(slice_str(META_TABLES_KEY));
    MDB_val value = {0};
    struct buf wanted = BUF_EMPTY;
    int rc = mdb_get(txn, store->meta, &key, &value);

    encode_tables(store, schema, &wanted);
    if (rc == 0) {
        rc = meta_check_tables(store_slice(value), store->table_names, store->table_count);
        if (rc != 0) {
            goto done;
        }
    } else if (rc != MDB_NOTFOUND) {
        rc = store_err(rc);
        goto done;
    }
    if (value.mv_size < buf_len(&wanted)) {
        rc = store_err(put_meta(store, txn, META_TABLES_KEY, &wanted));
    }
    for (size_t i = 0; rc == 0 && i < store->table_count; i++) {
        rc = store_err(mdb_dbi_open(txn, store->table_names[i], MDB_CREATE, &store->tables[i]));
    }

done:
    buf_deinit(&wanted);
    return rc;
}

static int open_tables(struct store *store)
{
    struct kv_mark mark;
    MDB_txn *txn = NULL;
    uint32_t schema = 0;
    int rc = store_err(mdb_txn_begin(store->env, NULL, 0, &txn));

    if (rc != 0) {
        return rc;
    }
    rc = store_err(mdb_dbi_open(txn, META_TABLE, MDB_CREATE, &store->meta));
    if (rc == 0) {
        rc = read_mark(store, txn, &mark, &schema);
    }
    if (rc == 0) {
        rc = adopt_tables(store, txn, schema);
    }
    if (rc == 0) {
        atomic_store(&store->schema_written, schema);
        store->schema_listed = schema;
    }
    if (rc != 0) {
        mdb_txn_abort(txn);
        return rc;
    }
    return store_err(mdb_txn_commit(txn));
}

static int open_env(struct store *store, const char *path, unsigned flags)
{
    int rc = store_err(mdb_env_create(&store->env));

    if (rc == 0) {
        rc = store_err(mdb_env_set_mapsize(store->env, store->map_bytes));
    }
    if (rc == 0) {
        rc = store_err(mdb_env_set_maxdbs(store->env, KV_TABLES_MAX + 1));
    }
    if (rc ==
        0) { /* no MDB_NOSYNC, no MDB_NOMETASYNC: a commit that returned survives power loss */
        rc = store_err(mdb_env_open(store->env, path, flags | MDB_NOTLS, FILE_MODE));
    }
    if (rc == 0) {
        rc = open_tables(store);
    }
    if (rc != 0) {
        store_close_file(store);
    }
    return rc;
}

/* LMDB does not sync the first pages of a file: after a power loss they may be zeros, which it can
 * not open any more. So a new file gets its name only when it is complete. */
static int create_file(struct store *store)
{
    struct buf path = BUF_EMPTY;
    int rc;

    if (unlinkat(store->dir_fd, NEW_FILE, 0) != 0 && errno != ENOENT) {
        return ERR_STORAGE;
    }
    buf_printf(&path, "%s/%s", store->dir, NEW_FILE);
    rc = open_env(store, buf_text(&path), MDB_NOSUBDIR | MDB_NOLOCK);
    if (rc == 0) {
        store_close_file(store);
        rc = store_swap_file(store, buf_text(&path));
    }
    buf_deinit(&path);
    return rc;
}

int store_open_file(struct store *store)
{
    int dead_readers = 0;
    int rc = 0;

    if (faccessat(store->dir_fd, STORE_DATA_FILE, F_OK, 0) != 0) {
        rc = errno == ENOENT ? create_file(store) : ERR_STORAGE;
    }
    if (rc == 0) {
        rc = open_env(store, store->dir, 0);
    }
    if (rc == 0) { /* an inspector that was killed would keep pages from being used again */
        rc = store_err(mdb_reader_check(store->env, &dead_readers));
    }
    if (rc == 0) {
        store_measure_room(store);
    }
    if (rc != 0) {
        store_close_file(store);
    }
    return rc;
}

void store_close_file(struct store *store)
{
    if (store->env != NULL) {
        mdb_env_close(store->env);
        store->env = NULL;
    }
}

/* A compacted copy holds all its pages: of a shorter file a part was lost on the way, and reading
 * there would raise SIGBUS. (A live file may end before pages that were never used.) */
static int check_complete(MDB_env *env)
{
    MDB_envinfo info;
    MDB_stat sizes;
    struct stat file;
    int fd;
    int rc = mdb_env_get_fd(env, &fd);

    if (rc == 0) {
        rc = mdb_env_info(env, &info);
    }
    if (rc == 0) {
        rc = mdb_env_stat(env, &sizes);
    }
    if (rc != 0 || fstat(fd, &file) != 0) {
        return ERR_STORAGE;
    }
    return (uint64_t)file.st_size / sizes.ms_psize > info.me_last_pgno ? 0 : ERR_CORRUPT;
}

int store_check_file(const struct store *store, const char *path, struct kv_mark *out)
{
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    /* the same expectations, another file */
    struct store file = {.schema = store->schema, .schema_oldest = store->schema_oldest};
    MDB_val key = store_val(slice_str(META_TABLES_KEY));
    MDB_val tables;
    int rc = store_err(mdb_env_create(&env));

    if (rc == 0) {
        rc = store_err(mdb_env_set_maxdbs(env, 1));
    }
    if (rc == 0) {
        rc = store_err(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK, FILE_MODE));
    }
    if (rc == 0) {
        rc = check_complete(env);
    }
    if (rc == 0) {
        rc = store_err(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn));
    }
    if (rc == 0) {
        rc = store_err(mdb_dbi_open(txn, META_TABLE, 0, &file.meta));
    }
    if (rc == 0) {
        rc = store_err(mdb_get(txn, file.meta, &key, &tables));
    }
    if (rc == 0) {
        rc = meta_check_tables(store_slice(tables), store->table_names, store->table_count);
    }
    if (rc == 0) {
        rc = store_read_mark(&file, txn, out);
    }
    mdb_txn_abort(txn); /* NULL is fine */
    mdb_env_close(env);
    return rc == ERR_NOT_FOUND ? ERR_CORRUPT : rc;
}

int store_swap_file(struct store *store, const char *path)
{
    /* A reader table of the old file must not be taken for one of the new. */
    if (unlinkat(store->dir_fd, STORE_LOCK_FILE, 0) != 0 && errno != ENOENT) {
        return ERR_STORAGE;
    }
    if (renameat(AT_FDCWD, path, store->dir_fd, STORE_DATA_FILE) != 0) {
        return ERR_STORAGE;
    }
    return fsync(store->dir_fd) == 0 ? 0 : ERR_STORAGE;
}

int store_init(struct store *store, const struct kv_config *config)
{
    int rc;

    *store = (struct store){
        .dir = mem_strdup(config->dir),
        .table_names = config->tables,
        .table_count = config->table_count,
        .map_bytes = config->map_bytes == 0 ? MAP_BYTES_DEFAULT : (size_t)config->map_bytes,
        .schema = config->schema,
        .schema_oldest = config->schema_oldest,
        .tables_of = config->tables_of,
        .room_enough = store_room_wanted(config->reserve_bytes, config->unwritten_bytes_max),
    };
    pthread_mutex_init(&store->commit_mutex, NULL);
    pthread_mutex_init(&store->guest_mutex, NULL);
    pthread_cond_init(&store->guest_left, NULL);

    store->dir_fd = open(config->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->dir_fd < 0) {
        rc = ERR_STORAGE;
    } else if (flock(store->dir_fd, LOCK_EX | LOCK_NB) != 0) {
        rc = errno == EWOULDBLOCK ? ERR_BUSY : ERR_STORAGE;
    } else {
        rc = store_open_file(store);
    }
    if (rc != 0) {
        log_error("kv.open_failed", LOG_STR("dir", config->dir), LOG_STR("cause", err_text(rc)),
                  LOG_STR("hint", rc == ERR_CORRUPT ? REJOIN_HINT : ""));
        store_deinit(store);
    }
    return rc;
}

void store_deinit(struct store *store)
{
    store_close_file(store);
    if (store->dir_fd >= 0) {
        (void)close(store->dir_fd);
    }
    pthread_cond_destroy(&store->guest_left);
    pthread_mutex_destroy(&store->guest_mutex);
    pthread_mutex_destroy(&store->commit_mutex);
    mem_free(&store->dir);
}

/* A search must come to the same bytes as the walk along the leaves: it goes by the keys of the
 * pages above them, which the walk does not look at. */
static bool is_found(MDB_txn *txn, MDB_dbi dbi, MDB_val key, MDB_val value)
{
    MDB_val found;

    return mdb_get(txn, dbi, &key, &found) == 0 && found.mv_data == value.mv_data;
}

int store_sum_table(MDB_txn *txn, MDB_dbi dbi, unsigned table, const atomic_bool *stop,
                    uint64_t *hash)
{
    MDB_cursor *cursor = NULL;
    MDB_val key;
    MDB_val value;
    bool stopped = false;
    int rc = mdb_cursor_open(txn, dbi, &cursor);

    for (size_t row = 0; rc == 0 && !stopped; row++) {
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
        if (rc == 0 && is_found(txn, dbi, key, value)) { /* else it is as good as lost */
            *hash += kv_row_hash(table, store_slice(key), store_slice(value));
        }
        if (stop != NULL && row % SUM_ROWS_STEP == SUM_ROWS_STEP - 1) {
            (void)usleep(SUM_PAUSE_US);
            stopped = atomic_load(stop);
        }
    }
    if (cursor != NULL) {
        mdb_cursor_close(cursor);
    }
    if (rc == 0) {
        return ERR_CLOSED;
    }
    return rc == MDB_NOTFOUND ? 0 : store_err(rc);
}

int store_guest_enter(struct store *store, struct store_guest *guest)
{
    int rc = ERR_CLOSED;

    pthread_mutex_lock(&store->guest_mutex);
    if (!atomic_load(&store->guests_barred)) {
        *guest = (struct store_guest){.next = store->guests};
        store->guests = guest;
        rc = 0;
    }
    pthread_mutex_unlock(&store->guest_mutex);
    return rc;
}

void store_guest_reads(struct store *store, struct store_guest *guest, MDB_txn *txn)
{
    pthread_mutex_lock(&store->guest_mutex);
    guest->snapshot = mdb_txn_id(txn);
    pthread_mutex_unlock(&store->guest_mutex);
}

uint64_t store_guests_oldest(struct store *store)
{
    uint64_t oldest = UINT64_MAX;

    pthread_mutex_lock(&store->guest_mutex);
    for (const struct store_guest *guest = store->guests; guest != NULL; guest = guest->next) {
        oldest = guest->snapshot < oldest ? guest->snapshot : oldest;
    }
    pthread_mutex_unlock(&store->guest_mutex);
    return oldest;
}

void store_guest_leave(struct store *store, struct store_guest *guest)
{
    struct store_guest **link = &store->guests;

    pthread_mutex_lock(&store->guest_mutex);
    while (*link != guest) {
        link = &(*link)->next;
    }
    *link = guest->next;
    pthread_cond_signal(&store->guest_left);
    pthread_mutex_unlock(&store->guest_mutex);
}

void store_guests_bar(struct store *store)
{
    pthread_mutex_lock(&store->guest_mutex);
    atomic_store(&store->guests_barred, true);
    while (store->guests != NULL) {
        pthread_cond_wait(&store->guest_left, &store->guest_mutex);
    }
    pthread_mutex_unlock(&store->guest_mutex);
}

void store_guests_admit(struct store *store)
{
    atomic_store(&store->guests_barred, false);
}
