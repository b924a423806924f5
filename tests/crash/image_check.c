/* image_check - what a node's data directory holds that may be what a power loss left: opened by
 * the product's own code (identity, store, state machine) and by raft_uv as rlog opens it. All of
 * its log is applied to its store, as a leader with this log would have it done, and what comes out
 * is printed line by line:
 *
 *   begun 0|1          0: a founder whose log has not begun, and is made anew
 *   store INDEX TERM HASH
 *   rows HASH          summed up anew over all rows of the store
 *   term TERM VOTE
 *   snapshot INDEX TERM, manifest INDEX HASH    (when there is one)
 *   log FIRST LAST LAST_TERM
 *   copied INDEX       the mark of a copy (raft/log/tail.c)
 *   mark INDEX TERM HASH    a mark in the log, and the state hash there
 *   token TEXT         each "promise-..." in any row
 *   state HASH         over all rows in the end
 *
 * Exit status 0: all could be read; 1: not, and stderr says why. The directory changes as at a
 * start of the node. */
#include "node/base/arena.h"
#include "node/base/mem.h"
#include "node/core/identity.h"
#include "raft/log/internal.h"
#include "storage/state/effect.h"
#include "storage/state/entry.h"
#include "storage/state/state.h"
#include "storage/state/tables.h"

#include <ctype.h>
#include <inttypes.h>
#include <pthread.h>
#include <raft.h>
#include <raft/uv.h>
#include <stdio.h>
#include <stdlib.h>

#define TOKEN          "promise-"
#define MANIFEST_BYTES 24

struct image {
    struct buf data;
    struct buf state_dir;
    struct buf log_dir;
    struct identity identity;
    struct kv *kv;
    struct state *state;
    struct arena arena;
    struct effects effects;
    uint64_t index; /* applied */
    uint64_t term;
    /* of the checkpoint thread */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint64_t durable_index;
    uint64_t durable_hash;
    int status;
};

static void fail(const char *what, const char *why)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "image_check: %s: %s\n", what, why);
    exit(1);
}

static void check(const char *what, int rc)
{
    if (rc != 0) {
        fail(what, err_text(rc));
    }
}

/* ---- store */

static void on_durable(void *ctx, uint64_t mark_index, uint64_t hash, int status)
{
    struct image *image = ctx;

    pthread_mutex_lock(&image->mutex);
    image->durable_index = mark_index;
    image->durable_hash = hash;
    image->status = status;
    pthread_cond_signal(&image->changed);
    pthread_mutex_unlock(&image->mutex);
}

static void open_store(struct image *image)
{
    struct kv_config config = {.dir = buf_text(&image->state_dir),
                               .map_bytes = (uint64_t)1 << 30,
                               .unwritten_bytes_max = (size_t)64 << 20,
                               .on_durable = on_durable,
                               .ctx = image};
    struct kv_mark mark;
    uint64_t hash = 0;
    int rc;

    state_describe(&config);
    check("store", kv_open(&config, &image->kv));
    rc = kv_scrub(image->kv, &mark, &hash);
    (void)printf("store %" PRIu64 " %" PRIu64 " %016" PRIx64 "\nrows %016" PRIx64 "\n", mark.index,
                 mark.term, mark.hash, hash);
    check("rows of the store", rc);
    image->state = state_new(image->kv);
    image->index = mark.index;
    image->term = mark.term;
}

/* Wait until the window of the last mark is durable, and print what its hash is. */
static void end_window(struct image *image)
{
    pthread_mutex_lock(&image->mutex);
    while (image->durable_index < image->index && image->status == 0) {
        pthread_cond_wait(&image->changed, &image->mutex);
    }
    check("writing to the store", image->status);
    (void)printf("mark %" PRIu64 " %" PRIu64 " %016" PRIx64 "\n", image->index, image->term,
                 image->durable_hash);
    pthread_mutex_unlock(&image->mutex);
}

/* ---- log */

static void print_manifest(const struct raft_snapshot *snapshot)
{
    const uint8_t *manifest = snapshot->n_bufs == 1 ? snapshot->bufs[0].base : NULL;

    if (manifest == NULL || snapshot->bufs[0].len != MANIFEST_BYTES) {
        fail("snapshot", "no manifest");
    }
    (void)printf("snapshot %llu %llu\nmanifest %" PRIu64 " %016" PRIx64 "\n", snapshot->index,
                 snapshot->term, get_u64(manifest + 8), get_u64(manifest + 16));
}

static void apply(struct image *image, uint64_t index, const struct raft_entry *entry)
{
    struct slice bytes = slice_make(entry->buf.base, entry->buf.len);
    struct entry_reader reader;

    if (index <= image->index) {
        return;
    }
    if (index != image->index + 1) {
        fail("log", "it begins behind the end of the store");
    }
    image->index = index;
    image->term = entry->term;
    if (entry->type != RAFT_COMMAND) {
        return;
    }
    check("entry", entry_open(bytes, &reader));
    check("apply", state_apply(image->state, index, entry->term, bytes, &image->effects));
    effects_clear(&image->effects);
    arena_reset(&image->arena);
    kv_end_turn(image->kv);
    if (reader.kind == ENTRY_MARK) {
        end_window(image);
    }
}

static int no_network_init(struct raft_uv_transport *transport, raft_id id, const char *address)
{
    (void)transport;
    (void)id;
    (void)address;
    return 0;
}

static void read_log(struct image *image)
{
    static struct raft_uv_transport no_network = {.init = no_network_init};
    static struct raft_io disk;
    static uv_loop_t loop;
    static struct rlog rlog; /* what its checks look at */
    struct raft_snapshot *snapshot = NULL;
    struct raft_entry *entries = NULL;
    raft_index first = 0;
    raft_term term = 0;
    raft_id vote = 0;
    size_t count = 0;

    if (uv_loop_init(&loop) != 0 ||
        raft_uv_init(&disk, &loop, buf_text(&image->log_dir), &no_network) != 0) {
        fail("log", disk.errmsg);
    }
    rlog.config.dir = buf_text(&image->log_dir);
    check("files of the log", rlog_check_files(&rlog));
    raft_uv_set_auto_recovery(&disk, false);
    if (disk.init(&disk, image->identity.raft_id, "127.0.0.1:1") != 0 ||
        disk.load(&disk, &term, &vote, &snapshot, &first, &entries, &count) != 0) {
        fail("log", disk.errmsg);
    }
    check("vote", rlog_check_ballot(&rlog, &(struct ballot){.term = term, .vote = vote}));
    (void)printf("term %llu %llu\n", term, vote);
    if (snapshot != NULL) {
        print_manifest(snapshot);
    }
    (void)printf("log %llu %llu %llu\n", first, first + count - 1,
                 count > 0          ? entries[count - 1].term
                 : snapshot != NULL ? snapshot->term
                                    : 0);
    for (size_t i = 0; i < count; i++) {
        apply(image, first + i, &entries[i]);
    }
}

static void print_copied(struct image *image)
{
    struct buf path = BUF_EMPTY;
    FILE *file;

    buf_printf(&path, "%s/copied", buf_text(&image->log_dir));
    file = fopen(buf_text(&path), "re");
    if (file != NULL) {
        char text[24] = "0";

        if (fgets(text, sizeof(text), file) == NULL) {
            text[0] = '\0';
        }
        (void)printf("copied %" PRIu64 "\n", (uint64_t)strtoull(text, NULL, 10));
        (void)fclose(file);
    }
    buf_deinit(&path);
}

/* ---- what was promised */

static void print_tokens(struct slice bytes)
{
    size_t len = strlen(TOKEN);

    for (size_t i = 0; i + len <= bytes.len; i++) {
        size_t end = i + len;

        if (memcmp(bytes.data + i, TOKEN, len) != 0) {
            continue;
        }
        while (end < bytes.len && (isalnum(bytes.data[end]) != 0 || bytes.data[end] == '-')) {
            end++;
        }
        (void)printf("token %.*s\n", (int)(end - i), (const char *)bytes.data + i);
        i = end - 1;
    }
}

static void print_rows(struct image *image)
{
    uint64_t hash = 0;

    for (unsigned table = 0; table < state_table_count; table++) {
        struct kv_iter *iter = kv_iter_open(image->kv, table, slice_make(NULL, 0));
        struct slice key;
        struct slice value;

        while (kv_iter_next(iter, &key, &value)) {
            hash += kv_row_hash(table, key, value);
            print_tokens(key);
            print_tokens(value);
        }
        kv_iter_close(&iter);
    }
    (void)printf("state %016" PRIx64 "\n", hash);
}

int main(int argc, char **argv)
{
    struct image image = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

    if (argc != 3) {
        fail("usage", "image_check NODE_ID DIR");
    }
    buf_printf(&image.state_dir, "%s/state", argv[2]);
    buf_printf(&image.log_dir, "%s/raft", argv[2]);
    arena_init(&image.arena);
    effects_init(&image.effects, &image.arena);
    check("identity",
          identity_open(argv[2], (uint32_t)strtoul(argv[1], NULL, 10), &image.identity));
    (void)printf("begun %d\n", !image.identity.bootstrap);
    check("membership", identity_check_log(&image.identity, buf_text(&image.log_dir)));
    if (image.identity.bootstrap) {
        return 0; /* it starts anew: it took no part in anything */
    }
    open_store(&image);
    print_copied(&image);
    read_log(&image);
    print_rows(&image);
    (void)fflush(stdout);
    _Exit(0); /* nobody needs what closing would write */
}
