/* shim - the struct raft_io that libraft sees: the log on disk is raft_uv's, the network is ours
 * (raft/link, through a small seam), and between them stand the guards against the numbered defects
 * of the packaged libraft 0.15 (reference: docs/decisions, README.md in raft/). Raft thread only.
 */
#ifndef RAFT_SHIM_SHIM_H
#define RAFT_SHIM_SHIM_H

#include "node/base/err.h"
#include "node/base/slice.h"

#include <raft.h>
#include <stdbool.h>

/* Bytes of entries in one AppendEntries: what a heartbeat may wait for on the same link. */
#define SHIM_APPEND_BYTES_MAX (1024 * 1024)
/* No snapshot so shortly after the log was cut (defect 6). */
#define SHIM_TRUNCATE_QUIET_MS 2000
/* A message may be so many terms ahead (defect 29): more than there are ever elections, as a node
 * that joins begins at term 0, and few enough to be a small step towards the last term. */
#define SHIM_TERM_AHEAD_MAX (UINT64_C(1) << 32)

struct shim;

/* A guard is named by the rows of libraft.md that it answers. Tests switch one off to prove that
 * it is needed; a node switches off none. */
enum shim_guard {
    SHIM_GUARD_OWN_TERM = 1 << 0,       /* 1: count no older term's entry as committed */
    SHIM_GUARD_NO_OP = 1 << 1,          /* 2: a new leader commits an entry of its own at once */
    SHIM_GUARD_APPEND_FAILED = 1 << 2,  /* 3, 4, 5, 21b: stop on a failed log write */
    SHIM_GUARD_TRUNCATE = 1 << 3,       /* 6: never cut the log under a snapshot being stored */
    SHIM_GUARD_TICK = 1 << 4,           /* 8: no election while writing or installing */
    SHIM_GUARD_TIMEOUT_NOW = 1 << 5,    /* 11: no election on request with unwritten entries */
    SHIM_GUARD_FORGET_LEADER = 1 << 6,  /* 12: a silent leader does not forbid votes */
    SHIM_GUARD_UNAVAILABLE = 1 << 7,    /* 18: stop when libraft gave up */
    SHIM_GUARD_APPEND_SIZE = 1 << 8,    /* 21, 26: bounded AppendEntries */
    SHIM_GUARD_VERIFIED = 1 << 9,       /* 27: acknowledge only what this leader compared */
    SHIM_GUARD_CONFIGURATION = 1 << 10, /* 9, 28: the newest change in the log counts */
    SHIM_GUARD_NUMBERS = 1 << 11,       /* 29: believe no term and no leader that can not be */
    SHIM_GUARD_ALONE = 1 << 12,         /* 30: the only voter leads in a term of its own */
    SHIM_GUARD_TERM_FAILED = 1 << 13,   /* 31: stop when term or vote can not be written */
    SHIM_GUARD_OFFER_BUSY = 1 << 14,    /* 32: show no offered snapshot that would be ignored */
    SHIM_GUARD_BEHIND = 1 << 15         /* 37: take nothing that the snapshot stands for */
};

/* Where outgoing messages go: node links in a node, queues in tests. */
struct shim_transport {
    void *ctx;
    /** Send a message made of borrowed parts. ERR_CLOSED: no link; ERR_BUSY: its queue is full. */
    int (*send)(void *ctx, raft_id to, const struct slice *parts, size_t part_count);
};

struct shim_config {
    raft_id id;
    struct raft_io *disk; /* raft_uv in a node; borrowed, outlives the shim */
    struct shim_transport transport;
    void *ctx;
    /** The log can not be trusted any more: end the process. Must not return in a node. */
    void (*fail_stop)(void *ctx, const char *reason);
    /** A leader offers the snapshot that ends at index. The message is kept back until
     * shim_install_snapshot(); a newer offer replaces it. */
    void (*on_snapshot_offered)(void *ctx, raft_id from, raft_index index);
    /** Around each write of term and vote (defect 34). What was loaded: 0, or an error of libraft;
     * what is to be written: 0, or it is not; it is written. NULL: nobody cares. */
    int (*on_ballot_loaded)(void *ctx, raft_term term, raft_id vote);
    int (*on_ballot)(void *ctx, raft_term term, raft_id vote);
    void (*on_ballot_written)(void *ctx);
    unsigned guards_off; /* enum shim_guard; 0 in a node */
};

struct shim *shim_new(const struct shim_config *config);
/** After raft_close() has called back. */
void shim_free(struct shim **shim);
/** For raft_init(). */
struct raft_io *shim_io(struct shim *shim);
/** Before raft_start(). */
void shim_attach(struct shim *shim, struct raft *raft);

/** A message of transport, from a node proven to be the one that `from` names by its upper half.
 * ERR_MALFORMED, ERR_LIMIT, ERR_VERSION: the peer is not sane. */
NODISCARD int shim_receive(struct shim *shim, uint32_t from_node, struct slice bytes);
/** Once per turn of the loop, before it may sleep, until raft_close() has called back: completes
 * sends, submits the no-op, pushes the commit index, checks libraft's invariants. */
void shim_turn(struct shim *shim);
/** Gives the disk what a leader appended since. Before the loop may sleep, and best when what goes
 * to followers is on its way: they have to write it too, and the way there is long. */
void shim_begin_writes(struct shim *shim);
/** The process of a member is gone: if it led, hold an election now instead of at the timeout; if
 * it was to install a snapshot, offer it again when it is back; if it was to get a vote, it gets
 * none.
 */
void shim_peer_lost(struct shim *shim, raft_id peer);
/** Take entries from the leader (the default) or only its heartbeats (back-pressure). */
void shim_set_intake(struct shim *shim, bool open);

/** Does this node lead with the no-op of its own term applied? */
bool shim_leads(const struct shim *shim);
/** Are writes of the log under way? And how many have ended so far. */
bool shim_writes(const struct shim *shim, uint64_t *done_out);
/** Is this a moment at which libraft 0.15 takes a snapshot safely (defects 6, 9)? */
bool shim_snapshot_allowed(const struct shim *shim);
/** The asynchronous part of a snapshot waits for this; status 0 or a RAFT_ code. No-op when none
 * waits. */
void shim_snapshot_ready(struct shim *shim, int status);
bool shim_snapshot_waits(const struct shim *shim);
/** The store now holds what the offered snapshot stands for: show it to libraft, which tells the
 * leader, also when its log has all of that already. False: not now, ask again; libraft is at a
 * snapshot. True also when none is offered. */
NODISCARD bool shim_install_snapshot(struct shim *shim);
/** Is a snapshot still offered? Another leader, or one of a later term, has to offer anew. */
bool shim_keeps_offer(struct shim *shim);

/** Term of an entry in libraft's log, 0 when it is not there. */
raft_term shim_term_of(const struct raft *raft, raft_index index);
/** Position of a member in the configuration, -1 when it is no member. */
int shim_member_index(const struct raft *raft, raft_id id);

static inline uint32_t shim_node_of(raft_id id)
{
    return (uint32_t)(id >> 32);
}

#endif
