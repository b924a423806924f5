/* checkpoint - the thread that writes closed windows to LMDB: in key order, with the mark and the
 * state hash, in one synced transaction; several windows at once when it is behind. */
#ifndef STORAGE_KV_CHECKPOINT_H
#define STORAGE_KV_CHECKPOINT_H

#include "storage/kv/store.h"
#include "storage/kv/window.h"

/* LMDB 0.9.24 spills a transaction above 131,072 dirty pages and then leaks pages, which makes
 * compacted copies fail; a row may dirty a page of its own. */
#define CHECKPOINT_ROWS_MAX 100000

struct checkpoint {
    struct store *store;
    void (*on_durable)(void *ctx, uint64_t mark_index, uint64_t hash, int status);
    void *ctx;
    pthread_t thread;

    pthread_mutex_t mutex; /* guards what follows, and window.newer */
    pthread_cond_t changed;
    struct window *next; /* the oldest window not yet written; the thread reads, never frees */
    bool writing;
    bool stopping;
    int status; /* the first error ends all writing: what follows would be a gap */
    struct kv_mark mark;

    atomic_uint_fast64_t durable_number; /* windows up to it may be dropped */
    atomic_size_t bytes;                 /* in closed windows not yet durable */
};

/** Start the thread. mark is what the store holds. */
void checkpoint_init(struct checkpoint *checkpoint, struct store *store,
                     const struct kv_config *config, const struct kv_mark *mark);
/** Write what is queued, stop the thread. */
void checkpoint_deinit(struct checkpoint *checkpoint);
/** Queue a closed window; newest is the one queued last, if it is still there. */
void checkpoint_add(struct checkpoint *checkpoint, struct window *newest, struct window *window);
/** Forget what is queued and wait until nothing is being written. */
void checkpoint_clear(struct checkpoint *checkpoint);
/** The store now holds mark (it was swapped); errors of the old one are forgotten. */
void checkpoint_restart(struct checkpoint *checkpoint, const struct kv_mark *mark);
void checkpoint_mark(struct checkpoint *checkpoint, struct kv_mark *out);

#endif
