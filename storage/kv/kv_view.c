#include "storage/kv/kv_view.h"

#include "node/base/mem.h"
#include "storage/kv/meta.h"
#include "storage/kv/store.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

struct kv_view {
    MDB_env *env;
    MDB_txn *txn;
    MDB_cursor *cursor; /* of the table last sought, or NULL */
    MDB_cursor_op next_op;
    bool at_end; /* kept here: LMDB's cursor would begin again at the first row */
    struct kv_view_info info;
    char *names[KV_TABLES_MAX];
    MDB_dbi tables[KV_TABLES_MAX];
};

static int view_err(int rc)
{
    switch (rc) {
    case ENOENT:
        return ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_NOT_ALLOWED;
    default:
        return store_err(rc);
    }
}

/* How LMDB must open the path. Without its lock file nobody writes the store, and none must be
 * made: it would belong to whoever looks, and the node could not use it. */
static int open_flags(const char *path, unsigned *flags_out)
{
    struct buf lock_path = BUF_EMPTY;
    struct stat status;

    if (stat(path, &status) != 0) {
        return view_err(errno);
    }
    if (!S_ISDIR(status.st_mode)) {
        *flags_out = MDB_NOSUBDIR | MDB_NOLOCK;
        return 0;
    }
    buf_printf(&lock_path, "%s/%s", path, STORE_LOCK_FILE);
    *flags_out = access(buf_text(&lock_path), F_OK) == 0 ? 0 : MDB_NOLOCK;
    buf_deinit(&lock_path);
    return 0;
}

static int open_env(struct kv_view *view, const char *path)
{
    unsigned flags = 0;
    int rc = open_flags(path, &flags);

    if (rc == 0) {
        rc = view_err(mdb_env_create(&view->env));
    }
    if (rc == 0) {
        rc = view_err(mdb_env_set_maxdbs(view->env, KV_TABLES_MAX + 1));
    }
    if (rc == 0) {
        rc = view_err(mdb_env_open(view->env, path, flags | MDB_RDONLY | MDB_NOTLS, 0));
    }
    if (rc == 0) {
        rc = view_err(mdb_txn_begin(view->env, NULL, MDB_RDONLY, &view->txn));
    }
    return rc;
}

static int get_meta(struct kv_view *view, MDB_dbi meta, const char *name, struct slice *out)
{
    MDB_val key = store_val(slice_str(name));
    MDB_val value;
    int rc = view_err(mdb_get(view->txn, meta, &key, &value));

    if (rc == 0) {
        *out = store_slice(value);
    }
    return rc;
}

static int read_meta(struct kv_view *view)
{
    struct slice bytes;
    const char *name;
    MDB_dbi meta;
    int rc = view_err(mdb_dbi_open(view->txn, META_TABLE, 0, &meta));

    if (rc == 0) {
        rc = get_meta(view, meta, META_MARK_KEY, &bytes);
        if (rc == 0) {
            rc = meta_decode_mark(bytes, &view->info.mark, &view->info.schema);
        } else if (rc == ERR_NOT_FOUND) {
            rc = 0; /* no window was written yet */
        }
    }
    if (rc == 0) {
        rc = get_meta(view, meta, META_TABLES_KEY, &bytes);
    }
    while (rc == 0 && view->info.table_count < KV_TABLES_MAX && meta_next_table(&bytes, &name)) {
        size_t table = view->info.table_count++;

        view->names[table] = mem_strdup(name);
        rc = view_err(mdb_dbi_open(view->txn, name, 0, &view->tables[table]));
    }
    return rc == ERR_NOT_FOUND ? ERR_CORRUPT : rc; /* LMDB's, but not a store */
}

static int read_sizes(struct kv_view *view)
{
    MDB_envinfo info;
    struct stat status;
    int fd;
    int rc = mdb_env_info(view->env, &info);

    if (rc == 0) {
        rc = mdb_env_get_fd(view->env, &fd);
    }
    if (rc == 0 && fstat(fd, &status) != 0) {
        rc = errno;
    }
    if (rc == 0) {
        view->info.map_bytes = info.me_mapsize;
        view->info.file_bytes = (uint64_t)status.st_size;
    }
    return view_err(rc);
}

int kv_view_open(const char *path, struct kv_view **out)
{
    struct kv_view *view = mem_zalloc(sizeof(*view));
    int rc = open_env(view, path);

    if (rc == 0) {
        rc = read_meta(view);
    }
    if (rc == 0) {
        rc = read_sizes(view);
    }
    if (rc != 0) {
        kv_view_close(&view);
        return rc;
    }
    *out = view;
    return 0;
}

void kv_view_close(struct kv_view **view)
{
    if ((*view)->cursor != NULL) {
        mdb_cursor_close((*view)->cursor);
    }
    mdb_txn_abort((*view)->txn);
    mdb_env_close((*view)->env);
    for (size_t i = 0; i < KV_TABLES_MAX; i++) {
        mem_free(&(*view)->names[i]);
    }
    mem_free(view);
}

void kv_view_info(const struct kv_view *view, struct kv_view_info *out)
{
    *out = view->info;
}

int kv_view_table(const struct kv_view *view, unsigned table, struct kv_view_table *out)
{
    MDB_stat stat;
    int rc;

    ASSERT(table < view->info.table_count);

    rc = view_err(mdb_stat(view->txn, view->tables[table], &stat));
    if (rc == 0) {
        *out = (struct kv_view_table){
            .name = view->names[table],
            .row_count = stat.ms_entries,
            .bytes = (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) *
                     stat.ms_psize,
        };
    }
    return rc;
}

int kv_view_hash(const struct kv_view *view, uint64_t *hash_out)
{
    uint64_t hash = 0;
    int rc = 0;

    for (unsigned table = 0; rc == 0 && table < view->info.table_count; table++) {
        rc = store_sum_table(view->txn, view->tables[table], table, NULL, &hash);
    }
    if (rc == 0) {
        *hash_out = hash;
    }
    return rc;
}

int kv_view_seek(struct kv_view *view, unsigned table, struct slice from)
{
    MDB_val key = store_val(from);
    MDB_val value;
    int rc;

    ASSERT(table < view->info.table_count);

    if (view->cursor != NULL) {
        mdb_cursor_close(view->cursor);
        view->cursor = NULL;
    }
    rc = mdb_cursor_open(view->txn, view->tables[table], &view->cursor);
    if (rc == 0) {
        rc = mdb_cursor_get(view->cursor, &key, &value, from.len == 0 ? MDB_FIRST : MDB_SET_RANGE);
    }
    view->next_op = MDB_GET_CURRENT;
    view->at_end = rc == MDB_NOTFOUND;
    return view->at_end ? 0 : view_err(rc);
}

int kv_view_next(struct kv_view *view, struct slice *key_out, struct slice *value_out)
{
    MDB_val key;
    MDB_val value;
    int rc;

    ASSERT(view->cursor != NULL);

    if (view->at_end) {
        return 0;
    }
    rc = mdb_cursor_get(view->cursor, &key, &value, view->next_op);
    view->next_op = MDB_NEXT;
    if (rc == MDB_NOTFOUND) {
        view->at_end = true;
        return 0;
    }
    if (rc != 0) {
        return view_err(rc);
    }
    *key_out = store_slice(key);
    *value_out = store_slice(value);
    return 1;
}
