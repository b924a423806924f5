/* internal - what the files of raft/log share: the raft thread and everything on it. Unless marked,
 * a member belongs to the raft thread alone. */
#ifndef RAFT_LOG_INTERNAL_H
#define RAFT_LOG_INTERNAL_H

#include "node/base/mailbox.h"
#include "node/base/waker.h"
#include "raft/link/link.h"
#include "raft/log/extend.h"
#include "raft/log/frame.h"
#include "raft/log/intake.h"
#include "raft/log/keep.h"
#include "raft/log/lease.h"
#include "raft/log/origin.h"
#include "raft/log/rlog.h"
#include "raft/log/stamp.h"
#include "raft/log/told.h"
#include "raft/log/voters.h"
#include "raft/shim/shim.h"

#include <raft/uv.h>
#include <stdatomic.h>

/* At most so many batches between proposal and commit: 0.15 commits only when a quorum has its
 * whole stored log (defect 7). */
#define PROPOSALS_MAX 2
/* Entries handed to the state thread and not yet applied; above it no more are taken. */
#define UNAPPLIED_BYTES_MAX (64 * 1024 * 1024)
#define FORWARD_FRAME_BYTES (64 * 1024)
/* What waits at a leader; more is dropped, and sent again by its origins. */
#define INTAKE_BYTES_MAX (64 * 1024 * 1024)
#define EXIT_FAIL_STOP   74 /* EX_IOERR */

enum order_kind {
    ORDER_SUBMIT,
    ORDER_REPLACE, /* command, substitute */
    ORDER_START,
    ORDER_INCARNATION, /* a: incarnation */
    ORDER_LEAVE,       /* that incarnation is over */
    ORDER_RESEND,      /* a: seq, b: incarnation */
    ORDER_DECIDE,      /* a: term */
    ORDER_MARK,        /* a: term, b: enum entry_kind */
    ORDER_HASH,        /* a: mark index, b: hash */
    ORDER_MANIFEST,    /* a: index, b: hash, status */
    ORDER_COPY,        /* a: applied index, status */
    ORDER_NODE,        /* a: node id, b: incarnation */
    ORDER_VOTED,       /* a: node id, b: raft id */
    ORDER_CALL,        /* call, ctx */
    ORDER_STOP
};

/* What another thread wants done on the raft thread. */
struct order {
    struct mail mail;
    enum order_kind kind;
    uint64_t a, b;
    int status;
    struct own_command *command;
    struct own_command *substitute;
    void (*call)(struct rlog *rlog, void *ctx);
    void *ctx;
};

/* Written by the state thread, read by the raft thread, under progress_mutex. */
struct progress {
    uint64_t applied_index;
    uint64_t incarnation; /* own_seq belongs to this one */
    uint64_t own_seq;
};

/* An entry handed to the state thread that is not applied there yet. */
struct unapplied {
    uint64_t index;
    size_t bytes;
};

struct unapplied_queue {
    struct unapplied *ring;
    size_t capacity;
    size_t first;
    size_t count;
    size_t bytes;
};

struct proposal {
    struct raft_apply request;
    bool in_flight;
};

struct role {
    bool is_leader;
    uint32_t leader_node;
    raft_id leader_id;
    raft_term term;
};

/* A node that the links know. */
struct peer {
    uint32_t node_id;
    raft_id raft_id; /* by our log; 0: known from the configuration file, or others, only */
    bool was_member; /* raft_id stood in a committed configuration */
    bool wanted;
    unsigned hash_count; /* reports of state hashes since the last beat */
    char address[RLOG_ADDRESS_MAX + 1];
};

/* The newest snapshot that a leader offered, and whether a copy of its store is under way. */
struct copy_offer {
    raft_id from;
    raft_index index;
    bool is_asked;
    uint64_t retry_ms; /* ask again then; 0: not */
};

/* While the store may be a copy that is ahead of the log: how far the log reached, or will. */
struct tail {
    bool is_marked;
    raft_index index_min;
};

/* What raft_uv has of term and vote. */
struct ballot {
    raft_term term;
    raft_id vote;
};

/* Handing leadership on because this node's store can not keep up. */
struct shed {
    bool is_asked;
    uint64_t due_ms; /* not before */
};

/* How long no write of the log has ended, though one is under way. */
struct stall {
    uint64_t appends_done;
    uint64_t lasts_ms;
    uint64_t left_ms; /* by CLOCK_BOOTTIME: leases asked for before are void; 0: it never left */
    bool is_watched;
    bool is_stalled; /* long enough for this node to step aside */
};

enum rlog_life { LIFE_RUNS, LIFE_HANDS_OVER, LIFE_CLOSES };

struct rlog {
    struct rlog_config config; /* its strings and lists are our own copies */
    struct rlog_events events;

    /* any thread */
    struct mailbox inbox;
    pthread_mutex_t progress_mutex;
    struct progress progress;
    struct rlog_report report_part; /* under progress_mutex */
    uint64_t report_set_ms;         /* when the state thread set it */
    pthread_mutex_t status_mutex;
    struct rlog_status status;
    struct rlog_report own_report;                 /* under status_mutex, as the next two */
    struct rlog_heard heard[RLOG_REPORTS_MAX - 1]; /* of other nodes */
    size_t heard_count;
    atomic_uint_fast64_t incarnation; /* 0: rlog_submit() says ERR_BUSY */
    atomic_uint_fast64_t lease_end_ms;
    atomic_uint_fast64_t time_ms;
    atomic_uint_fast32_t written_version; /* of entries: as the state says, or seen in the log */
    atomic_size_t outstanding_count;
    atomic_size_t outstanding_bytes;
    /* The raft thread waits for progress. Else it is not woken for it, and reads it when it is
     * awake: a wake costs more than to apply what it is for. */
    atomic_bool awaits_progress;
    atomic_bool store_is_full;
    atomic_bool store_is_low;
    struct waker wake;
    pthread_t thread;

    /* the loop and what runs on it */
    uv_loop_t loop;
    uv_prepare_t prepare;
    uv_timer_t beat;
    enum rlog_life life;
    uint64_t handover_ends_ms;
    const char *fail_reason; /* after handing over, end the process for this; NULL: close */
    uint64_t space_checked_ms;
    uint64_t disk_free_bytes; /* as of then */
    struct raft_uv_transport no_network;
    struct raft_io disk;
    struct shim *shim;
    struct raft raft;
    struct raft_fsm machine;
    bool raft_open;
    struct link_set *links;
    struct member_changer *members;

    /* roles and members */
    struct role role;
    raft_index role_index; /* our own no-op, while we lead */
    bool members_known;
    raft_index members_index; /* configuration that the links follow */
    bool members_committed;
    struct told told; /* members that the log here does not have yet */
    struct peer peers[RLOG_MEMBERS_MAX * 2];
    size_t peer_count;
    unsigned hashes_told;         /* since the last beat */
    struct hash_report hash_held; /* to be told at the next one; mark_index 0: none */
    struct voters voters;

    /* commands */
    struct origin origin;
    uint64_t start_sent_ms;
    uint64_t granted_term; /* of the newest lease granted to us, ... */
    uint64_t granted_incarnation;
    uint64_t oldest_seq;  /* of our commands under way, ... */
    uint64_t oldest_ms;   /* ... since when it is the oldest */
    struct intake intake; /* leader only */
    struct proposal proposals[PROPOSALS_MAX];
    struct stamp_clock clock;
    struct buf scratch;

    /* entries */
    raft_index delivered;     /* last index given to on_entry_take */
    raft_index store_index;   /* the state thread has applied everything up to here */
    raft_index durable_index; /* known to be in the store for good */
    raft_index mark_index;    /* last applied entry, when it is a mark */
    struct unapplied_queue unapplied;
    uint64_t entries_seen, entry_bytes_seen;
    uint64_t manifest_asked_ms;
    uint64_t manifest_index, manifest_hash;
    struct copy_offer offer;
    struct tail tail;
    int vote_fd;               /* -1: not open yet */
    struct ballot ballot;      /* on the disk */
    struct ballot ballot_next; /* about to be */
    uint64_t ballot_count;     /* of raft_uv's writes of one, when that one is on the disk */
    struct keep keep;          /* while we lead */

    struct lease_book leases;
    bool has_left;      /* the incarnation of origin, until there is a new one */
    bool lease_differs; /* from that of the leader, by configuration */
    struct shed shed;
    struct stall stall;
    uint64_t status_ms;
    uint64_t reported_ms;        /* to all other nodes; 0: never */
    uint32_t membership_highest; /* of all raft ids seen since the start, removed ones too */
};

/* What an operator does whose node's log is damaged. */
#define RLOG_REJOIN_HINT                                                                           \
    "log or store are damaged: join again under a new raft id: musterctl node replace"

/* rlog.c */
/** Hand leadership on, then close, or fail-stop when there is a reason. */
void rlog_begin_stop(struct rlog *rlog, const char *fail_reason);
/** The log can not be trusted any more: end the process without another write. */
_Noreturn void rlog_fail_stop(struct rlog *rlog, const char *reason);

/* order.c */
void rlog_order_stop(struct rlog *rlog);
void rlog_execute_orders(struct rlog *rlog);
void rlog_drop_orders(struct rlog *rlog);
void rlog_read_progress(struct rlog *rlog);
/** At the end of a turn: be woken when the state thread goes on, if something waits for that. */
void rlog_await_progress(struct rlog *rlog);

/* forward.c */
void rlog_send_commands(struct rlog *rlog);
NODISCARD int rlog_on_forward(struct rlog *rlog, uint32_t node_id, struct slice bytes);
void rlog_forget_counts(struct rlog *rlog, size_t count_before, size_t bytes_before);

/* propose.c */
void rlog_propose(struct rlog *rlog);
void rlog_decision(struct rlog *rlog, uint64_t term, struct slice command);
void rlog_decision_kind(struct rlog *rlog, uint64_t term, enum entry_kind kind);

/* found.c */
NODISCARD int rlog_found_behind_store(struct rlog *rlog, const struct raft_configuration *members);

/* machine.c */
#define MANIFEST_BYTES 24 /* version u32, 4 zero bytes, index u64, hash u64 */
void rlog_manifest_write(uint8_t *out, uint64_t index, uint64_t hash);
void rlog_machine_init(struct rlog *rlog);
void rlog_deliver_gaps(struct rlog *rlog);
void rlog_unapplied_until(struct rlog *rlog, raft_index applied);
/** Is more applied or handed over than the store has written, or the state thread can take, or does
 * the disk of the log stand still? */
bool rlog_is_full(struct rlog *rlog);
void rlog_manifest_answer(struct rlog *rlog, uint64_t index, uint64_t hash, int status);
void rlog_bound_log(struct rlog *rlog);

/* space.c */
/** ERR_NO_SPACE: too little is free in the log's file system to go on safely (defect 17). */
NODISCARD int rlog_check_space(struct rlog *rlog);

/* aio.c */
/** ERR_LIMIT: the sysctl fs.aio-max-nr leaves too little; ERR_IO: the kernel refuses. Logged. */
NODISCARD int rlog_check_aio(void);

/* copy.c */
void rlog_copy_offered(struct rlog *rlog, raft_id from, raft_index index);
void rlog_copy_answer(struct rlog *rlog, uint64_t applied_index, int status);
void rlog_copy_beat(struct rlog *rlog);
/** Take no snapshot now: it would cut off what a node needs after the copy that it is taking. */
bool rlog_keeps_log_for_copy(struct rlog *rlog);
void rlog_init_keep(struct rlog *rlog);

/* tail.c */
/** In the log's folder; holds an index, in decimal. */
#define RLOG_COPIED_FILE "copied"
/** ERR_CORRUPT: the log on disk ends before what the store holds, which is no copy. Logged. */
NODISCARD int rlog_check_tail(struct rlog *rlog);
/** From here on the store may be replaced by a copy, and the log by the snapshot that ends at
 * offered: a restart must not take that for a loss. ERR_IO (logged): then neither must happen. */
NODISCARD int rlog_allow_shorter_log(struct rlog *rlog, raft_index offered);
void rlog_tail_beat(struct rlog *rlog);

/* files.c */
/** Before libraft reads them. ERR_CORRUPT: a file of the log is cut short. Logged. */
NODISCARD int rlog_check_files(const struct rlog *rlog);
/** first-last is its name. */
bool rlog_is_closed_segment(const char *name, raft_index *first, raft_index *last);
/** The term of an entry in a segment, whose first one is at position 0. 0: it is not there. */
uint64_t rlog_segment_term(int fd, uint64_t position);
bool rlog_segment_is_used(int fd);

/* cut.c */
/** Before libraft reads the files. Logged. */
void rlog_undo_cut(const struct rlog *rlog);

/* replaced.c */
/** Remove what raft_uv was about to remove when it had stored a copied snapshot. */
void rlog_remove_replaced(const struct rlog *rlog);

/* vote.c */
/** Compare with what libraft loaded. ERR_CORRUPT, ERR_IO; logged. */
NODISCARD int rlog_check_ballot(struct rlog *rlog, const struct ballot *loaded);
/** Before raft_uv writes it. ERR_IO: it must not. */
NODISCARD int rlog_note_ballot(struct rlog *rlog, const struct ballot *next);
/** raft_uv has written it. */
void rlog_ballot_written(struct rlog *rlog);
void rlog_close_ballot(struct rlog *rlog);

/* role.c */
void rlog_follow_role(struct rlog *rlog);
/** Leads, with everything of earlier terms applied by the state thread. */
bool rlog_leads_applied(const struct rlog *rlog);

/* peers.c */
NODISCARD int rlog_open_links(struct rlog *rlog);
/** Let the links know whether this node's log holds anything. */
void rlog_tell_log(struct rlog *rlog);
void rlog_follow_members(struct rlog *rlog);
void rlog_peers_beat(struct rlog *rlog);
/** Tell all other nodes, now or at the next beat. */
void rlog_tell_hash(struct rlog *rlog, const struct hash_report *report);
/** Why a node that says hello may not link; NULL: it may. ctx: the rlog. */
const char *rlog_refuse(void *ctx, uint32_t node_id, uint64_t raft_id, bool log_is_empty);
/** What came over the link to a node. An error: it is not as it should be. */
NODISCARD int rlog_on_frame(struct rlog *rlog, uint32_t node_id, uint8_t type, struct slice bytes);
raft_id rlog_raft_id_of(const struct rlog *rlog, uint32_t node_id);
int rlog_send_raft(void *ctx, raft_id to, const struct slice *parts, size_t part_count);
/** Send one frame made of one part; false when the link is down or full. */
bool rlog_send(struct rlog *rlog, uint32_t node_id, enum link_class class, enum frame_type type,
               struct slice bytes);

/* leases.c */
void rlog_lease_beat(struct rlog *rlog);
void rlog_lease_elected(struct rlog *rlog);
/** The members have changed: ask them for a lease at once. */
void rlog_lease_members(struct rlog *rlog);
NODISCARD int rlog_on_lease_frame(struct rlog *rlog, uint32_t node_id, enum frame_type type,
                                  struct slice bytes);
void rlog_lease_ask(struct rlog *rlog);

/* shed.c */
void rlog_shed_beat(struct rlog *rlog);
/** The voter that leadership can be handed on to; 0: there is no majority without this node. */
raft_id rlog_find_heir(const struct rlog *rlog);

/* stall.c */
void rlog_stall_beat(struct rlog *rlog);

/* members.c */
int rlog_raft_role(enum rlog_role role);

/* status.c */
void rlog_publish_status(struct rlog *rlog);
/** The role that a role of libraft is. */
enum rlog_role rlog_role_of(int role);

/* reports.c */
void rlog_reports_beat(struct rlog *rlog);
NODISCARD int rlog_on_report(struct rlog *rlog, uint32_t node_id, struct slice bytes);
/** A node that links with an empty log before it is known here that it has voted is found out by
 * its reports, and before this node, which now leads, sends it anything (DESIGN 4). In doubt, as
 * with a member that has joined a moment ago, the link is made anew. */
void rlog_ask_empty_again(struct rlog *rlog);
/** The link to the node is down. */
void rlog_forget_report(struct rlog *rlog, uint32_t node_id);
/** What this node says of itself now. */
struct rlog_report rlog_compose_report(struct rlog *rlog);

#endif
