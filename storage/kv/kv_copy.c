/* kv_copy, kv_scrub - read all of LMDB on a thread of the caller, next to the state thread. */
#include "storage/kv/kv_private.h"

#include "node/base/buf.h"
#include "node/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#define RELAY_BYTES   (64 * 1024)
#define RELAY_WAIT_MS 100 /* how long an end of the store may go unnoticed */

/* LMDB writes the copy into a pipe, on a thread of its own; the caller's thread passes it on. So
 * the copy can be ended however long the far end waits, and its first byte tells that LMDB has
 * taken its snapshot. */
struct copy {
    struct kv *kv;
    int pipe_write;
    int status;
};

static void *copy_thread_main(void *argument)
{
    struct copy *copy = argument;
    int rc;

    (void)pthread_setname_np(pthread_self(), "copy-reader");
    rc = mdb_env_copyfd2(copy->kv->store.env, copy->pipe_write, MDB_CP_COMPACT);

    copy->status = rc == EPIPE ? ERR_CLOSED : store_err(rc);
    (void)close(copy->pipe_write);
    return NULL;
}

/* Wait until fd is ready. ERR_CLOSED when the store is to be closed first. */
static int wait_ready(struct store *store, int fd, short events)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};

    for (;;) {
        int ready = poll(&poll_fd, 1, RELAY_WAIT_MS);

        if (atomic_load(&store->guests_barred)) {
            return ERR_CLOSED;
        }
        if (ready > 0) {
            return 0;
        }
        if (ready < 0 && errno != EINTR) {
            return ERR_IO;
        }
    }
}

static int write_all(struct store *store, int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        int rc = wait_ready(store, fd, POLLOUT);
        ssize_t written;

        if (rc != 0) {
            return rc;
        }
        written = write(fd, data, len);
        if (written < 0 && errno != EAGAIN && errno != EINTR) {
            return errno == ENOSPC ? ERR_NO_SPACE : ERR_IO;
        }
        if (written > 0) {
            data += written;
            len -= (size_t)written;
        }
    }
    return 0;
}

/* Pass on everything that LMDB writes, up to the end of the pipe. */
static int relay(struct store *store, int pipe_read, int fd)
{
    uint8_t bytes[RELAY_BYTES];

    for (;;) {
        int rc = wait_ready(store, pipe_read, POLLIN);
        ssize_t count = rc != 0 ? 0 : read(pipe_read, bytes, sizeof(bytes));

        if (rc != 0 || count == 0) {
            return rc;
        }
        if (count < 0 && errno != EINTR) {
            return ERR_IO;
        }
        rc = count < 0 ? 0 : write_all(store, fd, bytes, (size_t)count);
        if (rc != 0) {
            return rc;
        }
    }
}

static int read_mark_now(struct store *store, struct store_guest *guest, struct kv_mark *out)
{
    MDB_txn *txn = NULL;
    int rc = store_err(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn));

    if (rc == 0) {
        store_guest_reads(store, guest, txn); /* LMDB's copy sees the same: no commit between */
        rc = store_read_mark(store, txn, out);
    }
    mdb_txn_abort(txn);
    return rc;
}

static int copy_as_guest(struct kv *kv, struct store_guest *guest, int fd, struct kv_mark *out)
{
    struct copy copy = {.kv = kv};
    int pipe_fds[2];
    pthread_t thread;
    int rc;

    if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
        return ERR_IO;
    }
    copy.pipe_write = pipe_fds[1];

    /* No commit until the copy has begun: then the mark read here is the mark of the copy. */
    pthread_mutex_lock(&kv->store.commit_mutex);
    rc = read_mark_now(&kv->store, guest, out);
    if (rc == 0 && pthread_create(&thread, NULL, copy_thread_main, &copy) != 0) {
        rc = ERR_STORAGE;
    }
    if (rc != 0) {
        pthread_mutex_unlock(&kv->store.commit_mutex);
        (void)close(pipe_fds[0]);
        (void)close(pipe_fds[1]);
        return rc;
    }
    rc = wait_ready(&kv->store, pipe_fds[0], POLLIN);
    pthread_mutex_unlock(&kv->store.commit_mutex);

    if (rc == 0) {
        rc = relay(&kv->store, pipe_fds[0], fd);
    }
    (void)close(pipe_fds[0]); /* LMDB gets EPIPE when it has not finished */
    (void)pthread_join(thread, NULL);
    return rc != 0 ? rc : copy.status;
}

int kv_copy(struct kv *kv, int fd, struct kv_mark *mark_out)
{
    struct store_guest guest;
    struct kv_mark mark;
    int rc = store_guest_enter(&kv->store, &guest);

    if (rc != 0) {
        return rc;
    }
    rc = copy_as_guest(kv, &guest, fd, &mark);
    if (rc == 0) {
        *mark_out = mark;
    } else {
        log_warn("kv.copy_failed", LOG_STR("dir", kv->store.dir), LOG_STR("cause", err_text(rc)));
    }
    store_guest_leave(&kv->store, &guest); /* from here on kv may be gone */
    return rc;
}

static int scrub_as_guest(struct store *store, struct store_guest *guest, struct kv_mark *mark_out,
                          uint64_t *hash_out)
{
    MDB_txn *txn = NULL;
    struct kv_mark mark;
    uint64_t hash = 0;
    int rc = store_err(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn));

    if (rc == 0) {
        store_guest_reads(store, guest, txn);
        rc = store_read_mark(store, txn, &mark);
    }
    for (unsigned table = 0; rc == 0 && table < store->table_count; table++) {
        rc = store_sum_table(txn, store->tables[table], table, &store->guests_barred, &hash);
    }
    mdb_txn_abort(txn);
    if (rc != 0) {
        return rc;
    }
    *mark_out = mark;
    *hash_out = hash;
    if (hash != mark.hash) {
        log_error("kv.hash_differs", LOG_STR("dir", store->dir), LOG_UINT("mark", mark.index));
        return ERR_CORRUPT;
    }
    return 0;
}

int kv_scrub(struct kv *kv, struct kv_mark *mark_out, uint64_t *hash_out)
{
    struct store_guest guest;
    int rc = store_guest_enter(&kv->store, &guest);

    if (rc == 0) {
        rc = scrub_as_guest(&kv->store, &guest, mark_out, hash_out);
        store_guest_leave(&kv->store, &guest); /* from here on kv may be gone */
    }
    return rc;
}

void kv_end_guests(struct kv *kv)
{
    store_guests_bar(&kv->store);
}
