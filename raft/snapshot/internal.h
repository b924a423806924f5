/* internal - what the files of raft/snapshot share. The raft thread decodes frames and changes the
 * two jobs below, each of which a thread of its own carries out; all of it under one mutex. */
#ifndef RAFT_SNAPSHOT_INTERNAL_H
#define RAFT_SNAPSHOT_INTERNAL_H

#include "raft/snapshot/copy_frame.h"
#include "raft/snapshot/snapshot.h"

#include <openssl/evp.h>
#include <pthread.h>

/* The other side made no progress for so long: give up. The link's own probes notice a dead node in
 * a second; this is for a node whose disk or store hangs. */
#define COPY_STALL_MS 15000

/* The node that a copy goes to. At most one at a time: a copy costs the source a reader that is
 * held for long, which makes its store grow. */
struct source_job {
    uint32_t node; /* 0: none */
    uint64_t request;
    uint64_t index_min;
};

struct source {
    pthread_t thread;
    struct source_job wanted;
    struct source_job running;
    bool cancelled;
    uint64_t sent;
    uint64_t acked;
};

struct chunk {
    struct chunk *next;
    size_t len;
    uint8_t bytes[];
};

struct target {
    pthread_t thread;
    bool wanted; /* a fetch waits or runs */
    uint32_t node;
    uint64_t index_min;
    uint64_t request; /* 0: not asked yet */
    struct chunk *first;
    struct chunk *last;
    uint64_t received; /* offset behind the last chunk queued */
    uint64_t written;
    bool ended;
    struct copy_frame end;
    int status; /* why the fetch fails, 0 while it does not */
};

struct snapshot {
    struct snapshot_config config; /* path is our own copy */
    struct rlog_extension extension;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    struct rlog *rlog; /* NULL until snapshot_start() */
    bool stopping;
    struct source source;
    struct target target;
};

/** Wait for a change, until deadline_ms (CLOCK_MONOTONIC). The mutex is held. False: it passed. */
bool snapshot_wait(struct snapshot *snapshot, uint64_t deadline_ms);
/** From a helper thread: have the raft thread send a frame; tries again while the queue is full.
 * ERR_CLOSED: the link is down; ERR_TIMEOUT: the queue stays full. */
NODISCARD int snapshot_send(struct snapshot *snapshot, uint32_t node,
                            const struct copy_frame *frame);

/* source.c */
void *source_main(void *ctx);
void source_on_frame(struct snapshot *snapshot, uint32_t node, const struct copy_frame *frame);
void source_on_link_down(struct snapshot *snapshot, uint32_t node);

/* target.c */
void *target_main(void *ctx);
void target_on_frame(struct snapshot *snapshot, uint32_t node, const struct copy_frame *frame);
void target_on_link_down(struct snapshot *snapshot, uint32_t node);
void target_clear(struct target *target);

#endif
