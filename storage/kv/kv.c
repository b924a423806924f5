#include "storage/kv/kv_private.h"

#include "node/base/log.h"
#include "node/base/mem.h"

static void open_window(struct kv *kv)
{
    uint64_t number = kv->open == NULL ? 1 : kv->open->number + 1;

    kv->open = window_new(number, kv->store.table_count);
    atomic_store(&kv->open_bytes, 0);
    atomic_store(&kv->open_rows, 0);
}

static int begin_reader(struct kv *kv)
{
    int rc = mdb_txn_begin(kv->store.env, NULL, MDB_RDONLY, &kv->reader);

    kv->reader_active = rc == 0;
    return store_err(rc);
}

int kv_open(const struct kv_config *config, struct kv **out)
{
    struct kv *kv = mem_zalloc(sizeof(*kv));
    struct kv_mark mark;
    int rc;

    ASSERT(config->table_count > 0);
    ASSERT(config->table_count <= KV_TABLES_MAX);
    ASSERT(config->on_durable != NULL);

    rc = store_init(&kv->store, config);
    if (rc != 0) {
        mem_free(&kv);
        return rc;
    }
    rc = begin_reader(kv);
    if (rc == 0) {
        rc = store_read_mark(&kv->store, kv->reader, &mark);
    }
    if (rc != 0) {
        log_error("kv.open_failed", LOG_STR("dir", config->dir), LOG_STR("cause", err_text(rc)));
        mdb_txn_abort(kv->reader);
        store_deinit(&kv->store);
        mem_free(&kv);
        return rc;
    }
    kv->unwritten_bytes_max = config->unwritten_bytes_max;
    kv->reserve_bytes = config->reserve_bytes;
    open_window(kv);
    checkpoint_init(&kv->checkpoint, &kv->store, config, &mark);
    kv_end_turn(kv);
    log_info("kv.opened", LOG_STR("dir", config->dir), LOG_UINT("applied", mark.index));
    *out = kv;
    return 0;
}

static void free_closed_up_to(struct kv *kv, uint64_t number)
{
    while (kv->closed_oldest != NULL && kv->closed_oldest->number <= number) {
        struct window *window = kv->closed_oldest;

        kv->closed_oldest = window->newer;
        kv->closed_count--;
        if (kv->closed_oldest == NULL) {
            kv->closed_newest = NULL;
        } else {
            kv->closed_oldest->older = NULL;
        }
        window_free(&window);
    }
}

void kv_close(struct kv **kv)
{
    ASSERT((*kv)->iter_count == 0);

    store_guests_bar(&(*kv)->store);
    checkpoint_deinit(&(*kv)->checkpoint);
    mdb_txn_abort((*kv)->reader);
    free_closed_up_to(*kv, UINT64_MAX);
    window_free(&(*kv)->open);
    store_deinit(&(*kv)->store);
    mem_free(kv);
}

void kv_applied(struct kv *kv, uint64_t *index_out, uint64_t *term_out)
{
    struct kv_mark mark;

    checkpoint_mark(&kv->checkpoint, &mark);
    *index_out = mark.index;
    *term_out = mark.term;
}

void kv_durable_mark(struct kv *kv, struct kv_mark *out)
{
    checkpoint_mark(&kv->checkpoint, out);
}

_Noreturn void kv_read_failed(struct kv *kv, int rc)
{
    log_error("kv.read_failed", LOG_STR("dir", kv->store.dir), LOG_STR("cause", mdb_strerror(rc)));
    fail_stop();
}

MDB_txn *kv_reader(struct kv *kv)
{
    if (!kv->reader_active) {
        int rc = mdb_txn_renew(kv->reader);

        if (rc != 0) {
            kv_read_failed(kv, rc);
        }
        kv->reader_active = true;
    }
    return kv->reader;
}

/* A closed window may go once it is in LMDB and the snapshot that does not show it is given up. */
static void drop_durable(struct kv *kv)
{
    uint64_t durable = atomic_load(&kv->checkpoint.durable_number);

    if (kv->iter_count > 0 || kv->closed_oldest == NULL || kv->closed_oldest->number > durable) {
        return;
    }
    if (kv->reader_active) {
        mdb_txn_reset(kv->reader);
        kv->reader_active = false;
    }
    free_closed_up_to(kv, durable);
}

void kv_end_turn(struct kv *kv)
{
    ASSERT(kv->iter_count == 0);

    if (kv->reader_active) {
        mdb_txn_reset(kv->reader);
        kv->reader_active = false;
    }
    drop_durable(kv);
}

/* The newest layer of memory that knows the key, or NULL: then LMDB decides. */
static const struct delta_row *find_in_windows(const struct kv *kv, unsigned table,
                                               struct slice key)
{
    const struct delta_row *row = delta_find(&kv->open->tables[table], key);

    for (const struct window *window = kv->closed_newest; row == NULL && window != NULL;
         window = window->older) {
        row = delta_find(&window->tables[table], key);
    }
    return row;
}

bool kv_get(struct kv *kv, unsigned table, struct slice key, struct slice *value_out)
{
    const struct delta_row *row;
    MDB_val disk_key = store_val(key);
    MDB_val disk_value;
    int rc;

    ASSERT(table < kv->store.table_count);
    ASSERT(key.len > 0);
    ASSERT(key.len <= KV_KEY_BYTES_MAX);

    row = find_in_windows(kv, table, key);
    if (row != NULL) {
        if (!row->deleted) {
            *value_out = delta_row_value(row);
        }
        return !row->deleted;
    }
    rc = mdb_get(kv_reader(kv), kv->store.tables[table], &disk_key, &disk_value);
    if (rc == MDB_NOTFOUND) {
        return false;
    }
    if (rc != 0) {
        kv_read_failed(kv, rc);
    }
    *value_out = store_slice(disk_value);
    return true;
}

/* One change to the open window; value NULL deletes. */
static void change(struct kv *kv, unsigned table, struct slice key, const struct slice *value)
{
    struct delta *delta;
    size_t bytes;
    size_t rows;

    ASSERT(table < kv->store.table_count);
    ASSERT(key.len > 0);
    ASSERT(key.len <= KV_KEY_BYTES_MAX);

    delta = &kv->open->tables[table];
    bytes = delta->bytes;
    rows = delta->row_count;
    if (value != NULL) {
        delta_put(delta, key, *value);
    } else {
        delta_delete(delta, key);
    }
    atomic_fetch_add_explicit(&kv->open_bytes, delta->bytes - bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&kv->open_rows, delta->row_count - rows, memory_order_relaxed);
    drop_durable(kv); /* not before: key and value may lie in what goes */
}

void kv_put(struct kv *kv, unsigned table, struct slice key, struct slice value)
{
    ASSERT(value.len <= KV_VALUE_BYTES_MAX);

    change(kv, table, key, &value);
}

void kv_delete(struct kv *kv, unsigned table, struct slice key)
{
    change(kv, table, key, NULL);
}

void kv_set_schema(struct kv *kv, uint32_t schema)
{
    ASSERT(schema <= kv->store.schema);

    /* At once, though windows before may be unwritten: one mark too early refuses a program that
     * the log would stop. */
    if (schema > atomic_load(&kv->store.schema_written)) {
        atomic_store(&kv->store.schema_written, schema);
    }
}

void kv_close_window(struct kv *kv, uint64_t mark_index, uint64_t mark_term)
{
    struct window *window = kv->open;

    ASSERT(kv->iter_count == 0);
    ASSERT(kv->closed_newest == NULL || mark_index > kv->closed_newest->mark_index);

    window->mark_index = mark_index;
    window->mark_term = mark_term;
    window->older = kv->closed_newest;
    open_window(kv);

    checkpoint_add(&kv->checkpoint, kv->closed_newest, window);
    kv->closed_newest = window;
    if (kv->closed_oldest == NULL) {
        kv->closed_oldest = window;
    }
    kv->closed_count++;
    kv_end_turn(kv);
}

bool kv_pressure(struct kv *kv)
{
    return atomic_load(&kv->checkpoint.bytes) > kv->unwritten_bytes_max;
}

void kv_room(struct kv *kv, uint64_t *left_out, uint64_t *wanted_out)
{
    size_t unwritten_bytes;
    size_t open_rows;

    kv_usage(kv, &unwritten_bytes, &open_rows);
    *left_out = atomic_load(&kv->store.room_bytes);
    *wanted_out = store_room_wanted(kv->reserve_bytes, unwritten_bytes);
}

bool kv_has_room(struct kv *kv)
{
    uint64_t left;
    uint64_t wanted;

    kv_room(kv, &left, &wanted);
    return left >= wanted;
}

void kv_usage(struct kv *kv, size_t *unwritten_bytes_out, size_t *open_rows_out)
{
    *unwritten_bytes_out = atomic_load(&kv->checkpoint.bytes) + atomic_load(&kv->open_bytes);
    *open_rows_out = atomic_load(&kv->open_rows);
}

/* Forget every window. The checkpoint thread has none any more. */
static void forget_windows(struct kv *kv)
{
    struct window *open = kv->open;

    free_closed_up_to(kv, UINT64_MAX);
    open_window(kv);
    window_free(&open);
}

int kv_replace(struct kv *kv, const char *path, uint64_t *applied_out)
{
    struct kv_mark mark;
    int rc = store_check_file(&kv->store, path, &mark);

    ASSERT(kv->iter_count == 0);

    if (rc != 0) {
        log_error("kv.replacement_refused", LOG_STR("path", path), LOG_STR("cause", err_text(rc)));
        return rc;
    }
    store_guests_bar(&kv->store);
    checkpoint_clear(&kv->checkpoint);
    mdb_txn_abort(kv->reader);
    kv->reader = NULL;
    kv->reader_active = false;
    store_close_file(&kv->store);

    rc = store_swap_file(&kv->store, path);
    if (rc == 0) {
        rc = store_open_file(&kv->store);
    }
    if (rc == 0) {
        rc = begin_reader(kv);
    }
    if (rc != 0) {
        log_error("kv.replace_failed", LOG_STR("path", path), LOG_STR("cause", err_text(rc)));
        return ERR_STORAGE; /* whatever it was: the old store is closed */
    }
    forget_windows(kv);
    checkpoint_restart(&kv->checkpoint, &mark);
    kv_end_turn(kv);
    store_guests_admit(&kv->store);
    log_info("kv.replaced", LOG_STR("dir", kv->store.dir), LOG_UINT("applied", mark.index));
    *applied_out = mark.index;
    return 0;
}
