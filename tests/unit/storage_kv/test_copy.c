/* Copies of a store: made beside the state thread, swapped in, refused, scrubbed. */
#include "node/base/copy_pipe.h"
#include "tests/unit/storage_kv/fixture.h"

#include <fcntl.h>
#include <signal.h>

/* A copy on a thread of its own. */
struct copy_job {
    struct kv *kv;
    int fd;
    struct kv_mark mark;
    int rc;
    pthread_t thread;
};

static void *copy_main(void *argument)
{
    struct copy_job *job = argument;

    job->rc = kv_copy(job->kv, job->fd, &job->mark);
    return NULL;
}

static void copy_start(struct copy_job *job, struct kv *kv, int fd)
{
    *job = (struct copy_job){.kv = kv, .fd = fd};
    assert_int_equal(pthread_create(&job->thread, NULL, copy_main, job), 0);
}

static int open_copy_file(const struct test_dir *dir)
{
    int fd = open(test_path(dir, "copy.mdb"), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    return fd;
}

/* Goal: a copy taken while windows are written is exactly the state at the index that it names, and
 * a node that swaps it in has that state, whatever it had. Method: copy the store of one directory
 * while the workload runs, swap it in at another, build the model up to the index named, compare
 * rows and hash; the other store then goes on by itself. */
static void test_copy_then_replace(void **state)
{
    static struct model model;
    struct test_dir dirs[2];
    struct test_store stores[2];
    struct copy_job job;
    struct kv_mark mark;
    uint64_t applied = 0;
    (void)state;

    model_init(&model);
    for (size_t i = 0; i < 2; i++) {
        test_dir_make(&dirs[i]);
        test_store_open(&stores[i], dirs[i].path);
    }
    for (uint64_t round = 0; round < 10; round++) {
        int fd = open_copy_file(&dirs[1]);

        copy_start(&job, stores[0].kv, fd);
        for (uint64_t entry = 1; entry <= 20; entry++) {
            workload_apply(round * 20 + entry, &model, stores[0].kv);
        }
        assert_int_equal(pthread_join(job.thread, NULL), 0);
        assert_int_equal(job.rc, 0);
        assert_int_equal(close(fd), 0);

        kv_put(stores[1].kv, 0, slice_str("forgotten"), slice_str("by the swap"));
        kv_close_window(stores[1].kv, 1000 + round, 1);
        kv_put(stores[1].kv, 0, slice_str("open too"), slice_str("forgotten"));
        assert_int_equal(kv_replace(stores[1].kv, test_path(&dirs[1], "copy.mdb"), &applied), 0);
        assert_true(applied == job.mark.index);
        stores[1].durable_index = applied; /* what it had before is gone */

        model_deinit(&model);
        for (uint64_t entry = 1; entry <= applied; entry++) {
            workload_apply(entry, &model, NULL);
        }
        model_check(&model, stores[1].kv);
        kv_durable_mark(stores[1].kv, &mark);
        assert_true(mark.index == applied && mark.hash == model_hash(&model));
        for (uint64_t entry = applied + 1; entry <= (round + 1) * 20; entry++) {
            workload_apply(entry, &model, stores[1].kv);
        }
        test_store_wait(&stores[1], (round + 1) * 20);
        kv_durable_mark(stores[1].kv, &mark);
        assert_true(mark.index == (round + 1) * 20 && mark.hash == model_hash(&model));
        model_check(&model, stores[1].kv);
    }
    for (size_t i = 0; i < 2; i++) {
        kv_close(&stores[i].kv);
        test_dir_remove(&dirs[i]);
    }
    model_deinit(&model);
}

static int write_job(void *ctx, int fd)
{
    struct copy_job *job = ctx;

    return kv_copy(job->kv, fd, &job->mark);
}

static bool is_never_cancelled(void *ctx)
{
    (void)ctx;
    return false;
}

/* Goal: a copy whose far end stands still does not keep a node from closing or swapping its store.
 * Method: copy as a backup does; read a little, so that a part of what comes next finds room in the
 * pipe; then nothing more; close the store. */
static void test_close_ends_a_stuck_copy(void **state)
{
    static uint8_t bytes[1 << 20];
    struct test_dir dir;
    struct test_store store;
    struct copy_job job;
    struct copy_pipe copy = {
        .write = write_job, .is_cancelled = is_never_cancelled, .ctx = &job, .name = "test-writer"};
    size_t len = 0;
    (void)state;

    test_dir_make(&dir);
    test_store_open(&store, dir.path);
    kv_put(store.kv, 0, slice_str("large"), slice_make(bytes, sizeof(bytes)));
    kv_close_window(store.kv, 1, 1);
    test_store_wait(&store, 1);
    job.kv = store.kv;
    assert_int_equal(copy_pipe_open(&copy), 0);
    (void)usleep(50 * 1000);
    assert_int_equal(copy_pipe_read(&copy, bytes, 8192, &len), 0);
    assert_int_equal(len, 8192);
    (void)usleep(50 * 1000); /* any order is fine; this one is the hardest */
    kv_close(&store.kv);
    assert_int_equal(copy_pipe_close(&copy), ERR_CLOSED);
    test_dir_remove(&dir);
}

static void write_row(struct test_store *store, uint64_t mark, uint8_t key, struct slice value)
{
    if (value.len > 0) {
        kv_put(store->kv, 1, slice_make(&key, 1), value);
    } else {
        kv_delete(store->kv, 1, slice_make(&key, 1));
    }
    kv_close_window(store->kv, mark, 1);
    test_store_wait(store, mark);
    assert_int_equal(store->status, 0);
}

/* Rows until there is no room any more, then all deleted but two. */
static uint64_t fill_and_empty(struct test_store *store, uint64_t mark)
{
    static uint8_t bytes[256 * 1024];
    uint8_t count = 0;

    while (count < 32 && kv_has_room(store->kv)) {
        write_row(store, ++mark, count++, slice_make(bytes, sizeof(bytes)));
    }
    assert_false(kv_has_room(store->kv));
    assert_true(count > 4);
    while (count > 2) {
        write_row(store, ++mark, --count, slice_make(bytes, 0));
    }
    return mark;
}

/* Goal: a store that is mostly free is not taken for a full one while a copy is made; what the copy
 * keeps from being used again does not count as free. Method: fill a map of 8 MiB, half of it
 * reserve, and empty it; a copy that stands still; write a row; fill and empty again; end the copy.
 */
static void test_room_beside_a_copy(void **state)
{
    static uint8_t part[8192];
    struct test_dir dir;
    struct test_store store;
    struct kv_config config;
    struct copy_job job;
    struct copy_pipe copy = {
        .write = write_job, .is_cancelled = is_never_cancelled, .ctx = &job, .name = "test-writer"};
    size_t len = 0;
    uint64_t mark;
    (void)state;

    test_dir_make(&dir);
    test_store_init(&store);
    config = test_config(&store, dir.path);
    config.map_bytes = 8 << 20;
    config.reserve_bytes = 4 << 20;
    assert_int_equal(kv_open(&config, &store.kv), 0);
    mark = fill_and_empty(&store, 0);
    write_row(&store, ++mark, 100, slice_str("x"));
    job.kv = store.kv;
    assert_int_equal(copy_pipe_open(&copy), 0);
    assert_int_equal(copy_pipe_read(&copy, part, sizeof(part), &len), 0);

    write_row(&store, ++mark, 100, slice_str("y"));
    assert_true(kv_has_room(store.kv));
    mark = fill_and_empty(&store, mark);
    assert_false(kv_has_room(store.kv));
    assert_int_equal(copy_pipe_close(&copy), ERR_IO);
    write_row(&store, ++mark, 100, slice_str("z"));
    assert_true(kv_has_room(store.kv));
    kv_close(&store.kv);
    test_dir_remove(&dir);
}

/* Goal: a far end that goes away ends the copy with an error, and hurts nothing else.
 * Method: copy into a pipe without a reader; then a good copy. */
static void test_copy_to_a_closed_end(void **state)
{
    struct test_dir dir;
    struct test_store store;
    struct kv_mark mark = {0};
    int fds[2];
    int fd;
    (void)state;

    test_dir_make(&dir);
    test_store_open(&store, dir.path);
    kv_put(store.kv, 0, slice_str("key"), slice_str("value"));
    kv_close_window(store.kv, 5, 1);
    test_store_wait(&store, 5);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(kv_copy(store.kv, fds[1], &mark), ERR_IO);
    assert_int_equal(close(fds[1]), 0);

    fd = open_copy_file(&dir);
    assert_int_equal(kv_copy(store.kv, fd, &mark), 0);
    assert_true(mark.index == 5 && mark.term == 1);
    assert_int_equal(close(fd), 0);
    kv_close(&store.kv);
    test_dir_remove(&dir);
}

static void write_copy_file(const struct test_dir *dir, struct slice bytes)
{
    int fd = open_copy_file(dir);

    assert_int_equal(write(fd, bytes.data, bytes.len), (ssize_t)bytes.len);
    assert_int_equal(close(fd), 0);
}

/* Goal: what is no store, a part of one, or one of a newer program is refused, and the node keeps
 * its own store, deltas included.
 * Method: swap in garbage, nothing, a copy cut short at every 4 KiB, a copy with a higher schema.
 */
static void test_replace_refuses(void **state)
{
    static uint8_t bytes[256 * 1024];
    uint8_t garbage[8192] = {1, 2, 3};
    struct test_dir dirs[2];
    struct test_store stores[2];
    struct kv_config config;
    struct slice value;
    struct kv_mark mark;
    uint64_t applied = 0;
    ssize_t copy_len;
    int fd;
    (void)state;

    test_dir_make(&dirs[0]);
    test_dir_make(&dirs[1]);
    test_store_open(&stores[1], dirs[1].path);
    kv_put(stores[1].kv, 0, slice_str("own"), slice_str("kept"));

    test_store_init(&stores[0]);
    config = test_config(&stores[0], dirs[0].path);
    config.schema = 2;
    assert_int_equal(kv_open(&config, &stores[0].kv), 0);
    kv_set_schema(stores[0].kv, 2);
    kv_put(stores[0].kv, 0, slice_str("new"), slice_make(garbage, sizeof(garbage)));
    kv_close_window(stores[0].kv, 9, 1);
    test_store_wait(&stores[0], 9);
    fd = open_copy_file(&dirs[1]);
    assert_int_equal(kv_copy(stores[0].kv, fd, &mark), 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(kv_replace(stores[1].kv, test_path(&dirs[1], "copy.mdb"), &applied),
                     ERR_VERSION);

    fd = open(test_path(&dirs[1], "copy.mdb"), O_RDONLY | O_CLOEXEC);
    copy_len = read(fd, bytes, sizeof(bytes));
    assert_int_equal(close(fd), 0);
    assert_true(copy_len > 16384 && (size_t)copy_len < sizeof(bytes));
    for (size_t len = 0; len < (size_t)copy_len; len += 4096) {
        write_copy_file(&dirs[1], slice_make(bytes, len));
        assert_true(kv_replace(stores[1].kv, test_path(&dirs[1], "copy.mdb"), &applied) < 0);
    }
    write_copy_file(&dirs[1], slice_make(garbage, sizeof(garbage)));
    assert_int_equal(kv_replace(stores[1].kv, test_path(&dirs[1], "copy.mdb"), &applied),
                     ERR_CORRUPT);
    assert_true(kv_get(stores[1].kv, 0, slice_str("own"), &value));
    kv_close_window(stores[1].kv, 3, 1);
    test_store_wait(&stores[1], 3);
    assert_int_equal(stores[1].status, 0);
    for (size_t i = 0; i < 2; i++) {
        kv_close(&stores[i].kv);
        test_dir_remove(&dirs[i]);
    }
}

/* Goal: scrub finds a row that changed behind the store's back.
 * Method: flip bytes of a value in the closed file, reopen, scrub. */
static void test_scrub_finds_a_changed_row(void **state)
{
    static uint8_t bytes[256 * 1024];
    struct test_dir dir;
    struct test_store store;
    struct kv_mark scrubbed;
    uint64_t hash;
    ssize_t len;
    size_t flipped = 0;
    int fd;
    (void)state;

    test_dir_make(&dir);
    test_store_open(&store, dir.path);
    kv_put(store.kv, 1, slice_str("key"), slice_str("a value to be changed"));
    kv_close_window(store.kv, 1, 1);
    kv_close(&store.kv);

    fd = open(test_path(&dir, "data.mdb"), O_RDWR | O_CLOEXEC);
    len = read(fd, bytes, sizeof(bytes));
    assert_true(len > 0 && (size_t)len < sizeof(bytes));
    for (uint8_t *at = bytes; (at = memmem(at, (size_t)(bytes + len - at), "changed", 7)); at++) {
        flipped += (size_t)pwrite(fd, "CHANGED", 7, at - bytes);
    }
    assert_int_equal(flipped, 7);
    assert_int_equal(close(fd), 0);

    test_store_open(&store, dir.path);
    assert_int_equal(kv_scrub(store.kv, &scrubbed, &hash), ERR_CORRUPT);
    assert_true(scrubbed.index == 1 && hash != scrubbed.hash);
    kv_close(&store.kv);
    test_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy_then_replace),  cmocka_unit_test(test_close_ends_a_stuck_copy),
        cmocka_unit_test(test_room_beside_a_copy), cmocka_unit_test(test_copy_to_a_closed_end),
        cmocka_unit_test(test_replace_refuses),    cmocka_unit_test(test_scrub_finds_a_changed_row),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* as in a node */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
