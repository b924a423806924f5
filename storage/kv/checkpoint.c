#include "storage/kv/checkpoint.h"

#include "node/base/log.h"
#include "storage/kv/merge.h"

/* The windows of one transaction. */
struct group {
    struct window *first;
    const struct window *last;
    size_t count;
    size_t bytes;
};

static int write_row(MDB_cursor *cursor, unsigned table, const struct delta_row *row,
                     uint64_t *hash)
{
    struct slice key = delta_row_key(row);
    struct slice value = delta_row_value(row);
    MDB_val found_key = store_val(key);
    MDB_val found_value;
    MDB_val new_value = store_val(value);
    unsigned flags = 0;
    int rc = mdb_cursor_get(cursor, &found_key, &found_value, MDB_SET_RANGE);

    if (rc == MDB_NOTFOUND) {
        flags = MDB_APPEND; /* behind the last key: fills pages instead of splitting them in half */
    } else if (rc != 0) {
        return rc;
    } else if (slice_eq(store_slice(found_key), key)) {
        if (!row->deleted && slice_eq(store_slice(found_value), value)) {
            return 0; /* changed and changed back: no page gets dirty */
        }
        *hash -= kv_row_hash(table, key, store_slice(found_value));
        flags = MDB_CURRENT;
    }
    if (row->deleted) {
        return flags == MDB_CURRENT ? mdb_cursor_del(cursor, 0) : 0;
    }
    *hash += kv_row_hash(table, key, value);
    found_key = store_val(key);
    return mdb_cursor_put(cursor, &found_key, &new_value, flags);
}

static int write_table(struct store *store, MDB_txn *txn, unsigned table, const struct group *group,
                       uint64_t *hash)
{
    const struct delta_row *row;
    struct merge merge;
    MDB_cursor *cursor = NULL;
    int rc;

    merge_init(&merge, group->count);
    for (const struct window *window = group->first;; window = window->newer) {
        merge_add(&merge, delta_seek(&window->tables[table], slice_make(NULL, 0)));
        if (window == group->last) {
            break; /* what comes after it belongs to the state thread */
        }
    }
    rc = mdb_cursor_open(txn, store->tables[table], &cursor);
    while (rc == 0 && (row = merge_peek(&merge)) != NULL) {
        rc = write_row(cursor, table, row, hash);
        merge_skip(&merge, row);
    }
    if (cursor != NULL) {
        mdb_cursor_close(cursor); /* before its transaction ends */
    }
    merge_deinit(&merge);
    return rc;
}

/* One transaction. 0 and *mark_out, or an error, logged; then LMDB is as it was before. */
static int write_group(struct store *store, const struct group *group,
                       const struct kv_mark *mark_before, struct kv_mark *mark_out)
{
    struct kv_mark mark = {.index = group->last->mark_index,
                           .term = group->last->mark_term,
                           .hash = mark_before->hash};
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(store->env, NULL, 0, &txn);

    for (unsigned table = 0; rc == 0 && table < store->table_count; table++) {
        rc = write_table(store, txn, table, group, &mark.hash);
    }
    if (rc == 0) {
        rc = store_write_mark(store, txn, &mark);
    }
    if (rc == 0) {
        pthread_mutex_lock(&store->commit_mutex);
        rc = mdb_txn_commit(txn);
        pthread_mutex_unlock(&store->commit_mutex);
        txn = NULL; /* commit frees it, even when it fails */
    }
    if (rc != 0) {
        rc = store_write_cause(store, rc);
        log_error("kv.write_failed", LOG_STR("dir", store->dir), LOG_UINT("mark", mark.index),
                  LOG_STR("cause", mdb_strerror(rc)));
        mdb_txn_abort(txn);
        return store_err(rc);
    }
    *mark_out = mark;
    return 0;
}

/* Take the oldest windows, at least one. With the mutex held. */
static void take_group(struct checkpoint *checkpoint, struct group *group)
{
    struct window *window = checkpoint->next;
    size_t rows = 0;

    *group = (struct group){.first = window};
    do {
        rows += window_row_count(window);
        if (group->count > 0 && rows > CHECKPOINT_ROWS_MAX) {
            break;
        }
        group->last = window;
        group->count++;
        group->bytes += window_bytes(window);
        window = window->newer;
    } while (window != NULL);
    checkpoint->next = window;
}

/* Write one group, with the mutex released meanwhile. */
static void run_once(struct checkpoint *checkpoint)
{
    struct kv_mark mark = checkpoint->mark;
    struct group group;
    int status;

    take_group(checkpoint, &group);
    checkpoint->writing = true;
    pthread_mutex_unlock(&checkpoint->mutex);

    status = write_group(checkpoint->store, &group, &mark, &mark);
    if (status == 0) {
        store_measure_room(checkpoint->store);
    }

    pthread_mutex_lock(&checkpoint->mutex);
    checkpoint->status = status;
    checkpoint->mark = mark;
    if (status == 0) {
        atomic_fetch_sub(&checkpoint->bytes, group.bytes);
        /* From here on the state thread may free the windows of the group. */
        atomic_store(&checkpoint->durable_number, group.last->number);
    }
    pthread_mutex_unlock(&checkpoint->mutex);

    checkpoint->on_durable(checkpoint->ctx, mark.index, mark.hash, status);

    pthread_mutex_lock(&checkpoint->mutex);
    checkpoint->writing = false;
    pthread_cond_broadcast(&checkpoint->changed);
}

static void *thread_main(void *argument)
{
    struct checkpoint *checkpoint = argument;

    (void)pthread_setname_np(pthread_self(), "checkpoint");
    pthread_mutex_lock(&checkpoint->mutex);
    for (;;) {
        if (checkpoint->next != NULL && checkpoint->status == 0) {
            run_once(checkpoint);
        } else if (checkpoint->stopping) {
            break;
        } else {
            pthread_cond_wait(&checkpoint->changed, &checkpoint->mutex);
        }
    }
    pthread_mutex_unlock(&checkpoint->mutex);
    return NULL;
}

void checkpoint_init(struct checkpoint *checkpoint, struct store *store,
                     const struct kv_config *config, const struct kv_mark *mark)
{
    int rc;

    *checkpoint = (struct checkpoint){
        .store = store, .on_durable = config->on_durable, .ctx = config->ctx, .mark = *mark};
    pthread_mutex_init(&checkpoint->mutex, NULL);
    pthread_cond_init(&checkpoint->changed, NULL);
    rc = pthread_create(&checkpoint->thread, NULL, thread_main, checkpoint);
    ASSERT(rc == 0);
}

void checkpoint_deinit(struct checkpoint *checkpoint)
{
    pthread_mutex_lock(&checkpoint->mutex);
    checkpoint->stopping = true;
    pthread_cond_broadcast(&checkpoint->changed);
    pthread_mutex_unlock(&checkpoint->mutex);
    (void)pthread_join(checkpoint->thread, NULL);
    pthread_cond_destroy(&checkpoint->changed);
    pthread_mutex_destroy(&checkpoint->mutex);
}

void checkpoint_add(struct checkpoint *checkpoint, struct window *newest, struct window *window)
{
    pthread_mutex_lock(&checkpoint->mutex);
    if (newest != NULL) {
        newest->newer = window;
    }
    if (checkpoint->next == NULL) {
        checkpoint->next = window;
    }
    atomic_fetch_add(&checkpoint->bytes, window_bytes(window));
    pthread_cond_broadcast(&checkpoint->changed);
    pthread_mutex_unlock(&checkpoint->mutex);
}

void checkpoint_clear(struct checkpoint *checkpoint)
{
    pthread_mutex_lock(&checkpoint->mutex);
    checkpoint->next = NULL;
    while (checkpoint->writing) {
        pthread_cond_wait(&checkpoint->changed, &checkpoint->mutex);
    }
    atomic_store(&checkpoint->bytes, 0);
    pthread_mutex_unlock(&checkpoint->mutex);
}

void checkpoint_restart(struct checkpoint *checkpoint, const struct kv_mark *mark)
{
    pthread_mutex_lock(&checkpoint->mutex);
    checkpoint->mark = *mark;
    checkpoint->status = 0;
    pthread_mutex_unlock(&checkpoint->mutex);
}

void checkpoint_mark(struct checkpoint *checkpoint, struct kv_mark *out)
{
    pthread_mutex_lock(&checkpoint->mutex);
    *out = checkpoint->mark;
    pthread_mutex_unlock(&checkpoint->mutex);
}
