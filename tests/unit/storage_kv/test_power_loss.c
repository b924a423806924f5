/* A store whose machine loses its power: what was not synced may be gone, in any order. */
#include "node/base/log.h"
#include "tests/lib/io_recorder/io_image.h"
#include "tests/unit/storage_kv/fixture.h"

#include <fcntl.h>
#include <sys/wait.h>

/* The log of the test: applied up to the swap, then the state of another node comes in whole, then
 * the log goes on. */
#define ENTRIES_BEFORE_SWAP 60
#define SWAP_INDEX          100
#define ENTRIES_ALL         140

struct record {
    struct io_event *events;
    size_t count;
};

/* hash[i]: of the state after entry i. */
static uint64_t expected_hash[ENTRIES_ALL + MARK_EVERY + 1];
static struct model scratch; /* takes what workload_apply() says about the model */

static void on_durable(void *ctx, uint64_t mark_index, uint64_t hash, int status)
{
    test_on_durable(ctx, mark_index, hash, status);
    io_recorder_note(mark_index); /* from here on it is promised */
}

static void apply_range(struct test_store *store, uint64_t first, uint64_t last)
{
    for (uint64_t entry = first; entry <= last; entry++) {
        workload_apply(entry, &scratch, store->kv);
        if (entry % (2 * MARK_EVERY) == 0) { /* some windows alone, some together */
            test_store_wait(store, entry - MARK_EVERY);
        }
    }
    test_store_wait(store, last);
    assert_int_equal(store->status, 0);
}

/* A copy of another node's store, at SWAP_INDEX. */
static struct slice make_copy(uint8_t *bytes, size_t size)
{
    struct test_dir dir;
    struct test_store store;
    struct kv_mark mark = {0};
    ssize_t len;
    int fd;

    test_dir_make(&dir);
    test_store_open(&store, dir.path);
    apply_range(&store, 1, SWAP_INDEX);
    fd = open(test_path(&dir, "copy.mdb"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_int_equal(kv_copy(store.kv, fd, &mark), 0);
    assert_true(mark.index == SWAP_INDEX);
    len = pread(fd, bytes, size, 0);
    assert_true(len > 0 && (size_t)len < size);
    assert_int_equal(close(fd), 0);
    kv_close(&store.kv);
    test_dir_remove(&dir);
    return slice_make(bytes, (size_t)len);
}

/* Receive the copy as a node does: written and synced before it is swapped in. */
static void swap_in(struct test_store *store, const struct test_dir *dir, struct slice copy)
{
    uint64_t applied = 0;
    int fd = open(test_path(dir, "copy.mdb"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    assert_int_equal(write(fd, copy.data, copy.len), (ssize_t)copy.len);
    assert_int_equal(fsync(fd), 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(kv_replace(store->kv, test_path(dir, "copy.mdb"), &applied), 0);
    assert_true(applied == SWAP_INDEX);
    io_recorder_note(applied);
}

static void record_workload(struct record *record)
{
    static uint8_t bytes[16 << 20];
    struct slice copy = make_copy(bytes, sizeof(bytes));
    struct test_dir dir;
    struct test_store store;
    struct kv_config config;

    test_dir_make(&dir);
    io_recorder_start(dir.path, "lock.mdb");
    test_store_init(&store);
    config = test_config(&store, dir.path);
    config.on_durable = on_durable;
    assert_int_equal(kv_open(&config, &store.kv), 0);
    apply_range(&store, 1, ENTRIES_BEFORE_SWAP);
    swap_in(&store, &dir, copy);
    apply_range(&store, SWAP_INDEX + 1, ENTRIES_ALL);
    kv_close(&store.kv);
    io_recorder_stop(&record->events, &record->count);
    test_dir_remove(&dir);
}

/* Open what a power loss left: a mark's state, not older than promised, and fit to go on from. */
static void check_dir(const struct test_dir *dir, uint64_t promised)
{
    struct test_store store;
    struct kv_mark mark;
    struct kv_mark scrubbed;
    uint64_t hash;

    test_store_open(&store, dir->path);
    kv_durable_mark(store.kv, &mark);
    assert_true(mark.index >= promised && mark.index <= ENTRIES_ALL);
    assert_true(mark.index % MARK_EVERY == 0);
    assert_true(mark.hash == expected_hash[mark.index]);
    assert_int_equal(kv_scrub(store.kv, &scrubbed, &hash), 0);
    apply_range(&store, mark.index + 1, mark.index + MARK_EVERY);
    assert_int_equal(kv_scrub(store.kv, &scrubbed, &hash), 0);
    assert_true(hash == expected_hash[mark.index + MARK_EVERY]);
    kv_close(&store.kv);
}

static void check_image(const struct io_image *image, enum io_survival survival, uint64_t seed,
                        uint64_t promised)
{
    struct test_dir dir;

    test_dir_make(&dir);
    io_image_write(image, survival, seed, dir.path);
    check_dir(&dir, promised);
    test_dir_remove(&dir);
}

/* Goal: after a power loss at any moment a node opens its store at a mark, and at none older than
 * the last one reported as durable; likewise while its first file is made and while a copy is
 * swapped in. Method: record every write, sync and rename of a run; after each of them build the
 * directories that a power loss there may leave (nothing, all, or any sectors of what was not
 * synced) and open them. */
static void test_power_loss_leaves_a_mark(void **state)
{
    struct record record;
    struct io_image image;
    uint64_t promised = 0;
    (void)state;

    record_workload(&record);
    assert_true(record.count > 200);
    io_recorder_skip_syncs(true);
    io_image_init(&image);
    for (size_t i = 0; i < record.count; i++) {
        const struct io_event *event = &record.events[i];

        promised = event->kind == IO_NOTE ? event->note : promised;
        io_image_apply(&image, event);
        check_image(&image, IO_SURVIVES_RANDOM, i, promised);
        if (event->kind != IO_WRITE || event->durable) {
            check_image(&image, IO_SURVIVES_NONE, i, promised);
            check_image(&image, IO_SURVIVES_ALL, i, promised);
        }
    }
    assert_true(promised == ENTRIES_ALL);
    io_image_deinit(&image);
    io_events_free(&record.events, record.count);
    io_recorder_skip_syncs(false);
}

/* Did the check of an image fail? In a child: a store without its syncs may well crash it. */
static bool image_is_bad(const struct io_image *image, uint64_t seed, uint64_t promised)
{
    struct test_dir dir;
    int status;
    pid_t child;

    test_dir_make(&dir);
    io_image_write(image, IO_SURVIVES_RANDOM, seed, dir.path);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(STDOUT_FILENO);
        (void)close(STDERR_FILENO);
        check_dir(&dir, promised); /* a failure leads back to cmocka, which ends the child with 1 */
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    test_dir_remove(&dir);
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

/* Goal: the test above would see a store that does not sync.
 * Method: the same record, as if no file had been synced; some image must be bad. Runs last. */
static void test_missing_sync_is_seen(void **state)
{
    struct record record;
    struct io_image image;
    uint64_t promised = 0;
    size_t bad_count = 0;
    (void)state;

    record_workload(&record);
    io_recorder_skip_syncs(true);
    io_image_init(&image);
    for (size_t i = 0; i < record.count; i++) {
        const struct io_event *event = &record.events[i];

        if (event->kind != IO_SYNC) {
            io_image_apply(&image, event);
        }
        promised = event->kind == IO_NOTE ? event->note : promised;
        if (event->kind == IO_NOTE) {
            bad_count += image_is_bad(&image, i, promised) ? 1 : 0;
        }
    }
    assert_true(bad_count > 0);
    io_image_deinit(&image);
    io_events_free(&record.events, record.count);
    io_recorder_skip_syncs(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_loss_leaves_a_mark),
        cmocka_unit_test(test_missing_sync_is_seen),
    };
    static struct model model;

    log_set_level(LOG_WARN);
    model_init(&scratch);
    model_init(&model);
    for (uint64_t entry = 1; entry < ARRAY_COUNT(expected_hash); entry++) {
        workload_apply(entry, &model, NULL);
        expected_hash[entry] = model_hash(&model);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
