/* rlog - the replicated log: commands in from any thread, committed entries out in order. Runs the
 * raft thread: one uv loop with libraft behind raft/shim, node links, and the log on disk. The only
 * face of raft/ to the rest of the program; nothing outside raft/ includes <raft.h>.
 *
 * Exactly once (DESIGN 3): rlog numbers what this node submits {incarnation, seq}, keeps it until
 * rlog_applied() says that it was applied here, and sends it again, in order, to each new leader.
 */
#ifndef RAFT_LOG_RLOG_H
#define RAFT_LOG_RLOG_H

#include "node/base/blob.h"
#include "node/base/err.h"
#include "raft/log/report.h"
#include "storage/state/entry.h"

#include <stdbool.h>

struct rlog;
struct rlog_extension;

#define RLOG_VOTERS_MAX  5
#define RLOG_MEMBERS_MAX 16
#define RLOG_ADDRESS_MAX 263 /* host name (253) or [IPv6], ':' and port */
/* Own commands not yet applied: what one node may have under way. */
#define RLOG_OUTSTANDING_COUNT_MAX 16384
#define RLOG_OUTSTANDING_BYTES_MAX (4 * 1024 * 1024)
#define RLOG_MANIFEST_MS           30000

enum rlog_role { RLOG_VOTER = 1, RLOG_STANDBY = 2, RLOG_SPARE = 3 };

struct rlog_member {
    uint64_t raft_id; /* one membership; never used again after removal (DESIGN 4) */
    uint32_t node_id; /* the operator's stable number; raft_id = node_id << 32 | membership count */
    enum rlog_role role;
    char address[RLOG_ADDRESS_MAX + 1]; /* "host:port" of its link listener; names and IPv6 */
};

/* What the raft thread tells; called on the raft thread, must not block: put it into a mailbox. */
struct rlog_events {
    void *ctx;
    /** A committed entry, in index order, each once a process life. Takes entry (may be NULL for an
     * index that carries no command: configuration, no-op). */
    void (*on_entry_take)(void *ctx, uint64_t index, uint64_t term, struct blob *entry);
    /** Leadership or term moved. leader_node is 0 while nobody is known to lead. */
    void (*on_role)(void *ctx, bool is_leader, uint32_t leader_node, uint64_t term);
    /** This leader has heard nothing of a member, whose incarnation is up, for the lease time plus
     * drift (DESIGN 7): presume its node dead. From now on it gets no lease under that incarnation,
     * so the state must end it, and no later one; repeated every lease time until
     * rlog_node_incarnation() says so. */
    void (*on_silent)(void *ctx, uint32_t node_id, uint64_t incarnation);
    /** Another node reports the state hash at a mark (P7). */
    void (*on_hash)(void *ctx, uint32_t node_id, uint64_t mark_index, uint64_t hash);
    /** Raft wants a snapshot manifest for the mark at index: answer with rlog_manifest_ready() once
     * that window is durable (RLOG_MANIFEST_MS at most; a later mark is asked for then). */
    void (*on_manifest_wanted)(void *ctx, uint64_t index);
    /** A leader is ahead of our log: replace the store by a copy that has applied at least
     * index_min before the log goes on (DESIGN 4). Answer with rlog_copy_installed(); until then it
     * is not asked again, after a failure soon. Entries may come meanwhile, if another leader still
     * has them: a copy that is older than what is applied then must not be installed. */
    void (*on_copy_wanted)(void *ctx, uint32_t from_node, uint64_t index_min);
};

struct rlog_config {
    uint32_t node_id;
    uint64_t raft_id;
    const char *dir;     /* log directory, exists, mode 0700 */
    const char *address; /* own link address "host:port" as members see it */
    const char *bind;    /* "host:port" to listen on */
    const char *ca_file; /* cluster CA; certificates carry the subject "CN=node-<id>" */
    const char *cert_file;
    const char *key_file;
    /* Members of a new cluster; ignored when the directory holds a log. Never give it to a node
     * that was wiped: it would vote a second time under its old raft id. NULL: load from disk, or
     * wait to be added. With a store that has something applied, of another cluster, the log begins
     * where the store ends. */
    const struct rlog_member *bootstrap;
    size_t bootstrap_count;
    bool is_founder; /* its log has members from its first entry on; one without is damaged */
    /* Called by rlog_start() when a new log is on the disk, before this node votes or takes
     * entries: from now on it may not be lost. An error ends the start. NULL: nothing to do. */
    int (*begin)(void *ctx);
    void *begin_ctx;
    /* Known before there is a log: a node that waits to be added connects to these (node_id and
     * address count, the rest is ignored). Members found in the log are connected to anyway. */
    const struct rlog_member *peers;
    size_t peer_count;
    uint32_t heartbeat_ms;        /* default 100 */
    uint32_t election_ms;         /* default 600; a dead process is noticed at once by its link */
    uint32_t lease_ms;            /* default 1000; the same on all nodes */
    uint64_t applied_index;       /* of the store: entries at or below are not delivered */
    uint64_t applied_term;        /* of that entry, for the log of a store that is older than it */
    uint64_t applied_hash;        /* of the store there, for the same */
    uint64_t applied_time_ms;     /* cluster time stored with it */
    uint32_t written_version;     /* of entries, as the store says; rlog_set_written() later */
    uint32_t newest_version;      /* the newest that this program reads */
    uint64_t disk_free_bytes_min; /* below it the node leaves; 0: 256 MiB */
    uint32_t snapshot_entries;    /* take a snapshot every so many entries; 0: by bytes (64 MiB) */
    uint64_t copy_log_bytes;      /* log kept in memory for a copy, at first; 0: 512 MiB */
    /* While this node leads: may a command that node_id forwarded go into the log, where nobody
     * could refuse it any more? 0, or why not, and what stands for it with the same seq, if it has
     * one (storage/state/vet.h). NULL: everything may. */
    int (*vet)(uint32_t node_id, uint64_t incarnation, struct slice command,
               struct buf *substitute);
    const struct rlog_extension *extension; /* raft/log/extend.h; NULL: none. Outlives the log */
};

/** Start the raft thread; returns when the log is loaded and the link listener is open.
 * ERR_CORRUPT: the log on disk is damaged, or lost its end, or is ahead of the store: the node must
 * rejoin under a new raft id. ERR_NO_SPACE, ERR_LIMIT (fs.aio-max-nr), ERR_TLS, ERR_IO; all logged.
 * Later, when the log fails, the process ends at once with status 74 (EX_IOERR); started again it
 * goes on from what is on disk. */
NODISCARD int rlog_start(const struct rlog_config *config, const struct rlog_events *events,
                         struct rlog **out);
/** Stop gracefully (hands leadership on first when it leads), join the thread, free, set NULL. */
void rlog_stop(struct rlog **rlog);

/** Any thread: submit one command of this node; the bytes are copied. ERR_BUSY: too much is
 * outstanding; read nothing more from clients, and try again after what is applied next. */
NODISCARD int rlog_submit(struct rlog *rlog, struct slice command);
/** Any thread, behind the rlog_submit() of command: it lost its sense, and substitute stands for it
 * with the same seq wherever it is sent from now on. A leader may have it already, so either may be
 * applied, never both (raft/log/origin.h). Nothing happens when it is applied. */
void rlog_replace(struct rlog *rlog, struct slice command, struct slice substitute);
/** Submit START: incarnation 0, seq 0, sent again until rlog_set_incarnation(). ERR_BUSY is the
 * answer to rlog_submit() until then. */
void rlog_submit_start(struct rlog *rlog, struct slice command);
/** State thread: START was applied, this node's commands are numbered {incarnation, 1..} from now
 * on. Everything outstanding of an older incarnation is forgotten. */
void rlog_set_incarnation(struct rlog *rlog, uint64_t incarnation);
/** State thread: this node lives under its incarnation no more, though nothing in the log ended it.
 * It gets no lease under it, and the leader ends it, so that its sessions are detached at once;
 * commands under way may still take effect before. Until rlog_set_incarnation(). */
void rlog_leave(struct rlog *rlog);
/** State thread: everything up to index is applied (those without a command count too); of our own
 * commands those up to own_seq. */
void rlog_applied(struct rlog *rlog, uint64_t index, uint64_t own_seq);
/** State thread: more is applied than may wait for the disk. Until that is over this node takes no
 * further entries from a leader and proposes none; if it leads, it hands leadership on as soon as a
 * majority keeps up (DESIGN 3, back-pressure). */
void rlog_set_store_full(struct rlog *rlog, bool is_full);
/** State thread: the store has hardly any room left. While this node leads, only commands that need
 * none go into the log; others are replaced by their refusal (storage/state/room.h). */
void rlog_set_store_low(struct rlog *rlog, bool is_low);
/** State thread: from now on entries may be proposed in this version, and links to programs that
 * can not read it are refused. */
void rlog_set_written(struct rlog *rlog, uint32_t version);
/** The version that entries are proposed in, as far as this node knows. It never falls. Any thread.
 */
uint32_t rlog_written_version(struct rlog *rlog);
/** State thread: apply refused a seq of ours as too high; send again from next_seq on. */
void rlog_resend(struct rlog *rlog, uint64_t next_seq);
/** State thread on the leader: propose a decision of the leader (no seq, never retried, dropped
 * when this node does not lead in term any more). */
void rlog_decide(struct rlog *rlog, uint64_t term, struct slice command);
/** State thread on the leader: put a mark (ENTRY_MARK) or a time stamp (ENTRY_STAMP) into the log.
 */
void rlog_decide_mark(struct rlog *rlog, uint64_t term, enum entry_kind kind);
/** Tell the other nodes our state hash at a mark. */
void rlog_publish_hash(struct rlog *rlog, uint64_t mark_index, uint64_t hash);
void rlog_manifest_ready(struct rlog *rlog, uint64_t index, uint64_t hash, int status);
void rlog_copy_installed(struct rlog *rlog, uint64_t applied_index, int status);

/** State thread: the incarnation of a node that is up, 0 when none is. Leases go to that one only;
 * to be told for every node when the store is opened, and at each EFFECT_INCARNATION. */
void rlog_node_incarnation(struct rlog *rlog, uint32_t node_id, uint64_t incarnation);

/** State thread: the newest membership of a node under which it has had a vote. It is not taken
 * back to that one without its log, whatever its role is now; to be told as
 * rlog_node_incarnation(). */
void rlog_node_voted(struct rlog *rlog, uint32_t node_id, uint64_t raft_id);

/** Any thread: does this node hold its lease now (CLOCK_BOOTTIME)? Check before serving (P6). */
bool rlog_lease_held(struct rlog *rlog);
/** Any thread: cluster time as far as this node knows it (last stamp seen). */
uint64_t rlog_time_ms(struct rlog *rlog);

struct rlog_peer_status {
    uint32_t node_id;
    uint64_t raft_id;
    enum rlog_role role;
    char address[RLOG_ADDRESS_MAX + 1];
    bool connected;
    bool answers;         /* leader only: within the lease */
    bool may_lead;        /* leader only: the same of a voter whose store takes entries */
    uint64_t silent_ms;   /* leader only: since it was heard, or since this node was elected */
    uint64_t match_index; /* leader only, else 0 */
    uint32_t rtt_us;      /* 0: not measured */
    uint64_t queue_bytes;
};

struct rlog_status {
    uint64_t as_of_ms; /* CLOCK_MONOTONIC; stands still while the raft thread hangs */
    bool is_leader;
    uint32_t leader_node;
    uint64_t term, last_index, commit_index, applied_index;
    uint64_t incarnation;
    size_t outstanding;          /* own commands not yet applied */
    bool lease_differs;          /* alarm: the leader is configured with another lease_ms */
    bool disk_stalled;           /* alarm: no write of the log has ended for seconds */
    uint64_t disk_free_bytes;    /* of the log's disk, at most a second ago */
    uint64_t disk_wanted_bytes;  /* with less it should not lead; with half of it, it leaves */
    uint32_t membership_highest; /* of all raft ids seen since the start, removed ones too */
    size_t peer_count;
    struct rlog_peer_status peers[RLOG_MEMBERS_MAX]; /* this node included */
};
/** Any thread: a consistent picture, at most 100 ms old. */
void rlog_get_status(struct rlog *rlog, struct rlog_status *out);

#define RLOG_REPORTS_MAX (2 * RLOG_MEMBERS_MAX + 1)

struct rlog_heard {
    uint32_t node_id;
    uint64_t heard_ms; /* CLOCK_MONOTONIC */
    struct rlog_report report;
};

/** State thread: what this node says of itself from now on; of the raft thread's part nothing
 * counts. */
void rlog_set_report(struct rlog *rlog, const struct rlog_report *report);
/** Any thread: the newest report of each node that has sent one within some seconds and is still
 * connected; this node's own is the first. Returns how many. */
size_t rlog_get_reports(struct rlog *rlog, struct rlog_heard out[RLOG_REPORTS_MAX]);

/* Certificates of the links, replaced while the log runs. */
#define RLOG_FAULT_BYTES_MAX 512
struct rlog_certificates;
/** Any thread: load and check what is to prove node_id. ERR_TLS, and in fault which file is bad and
 * why. */
NODISCARD int rlog_certificates_load(uint32_t node_id, const char *ca_file, const char *cert_file,
                                     const char *key_file, char fault[RLOG_FAULT_BYTES_MAX],
                                     struct rlog_certificates **out);
void rlog_certificates_free(struct rlog_certificates **certificates);
/** Any thread: links made from now on use them; those that are up stay as they are. */
void rlog_use_certificates_take(struct rlog *rlog, struct rlog_certificates *certificates);

/* Membership: one change at a time, carried out by the leader, asked for at any node. done is
 * called once, on the raft thread, with 0 or an error, after a minute at the latest (ERR_CLOSED,
 * from rlog_stop(): the log stopped first). A change after which nothing could be committed is
 * refused: ERR_NOT_ALLOWED, ERR_NO_MAJORITY. A leader that is to vote no more, or to go, hands on
 * first. */
typedef void (*rlog_done)(void *ctx, int status);
void rlog_member_add(struct rlog *rlog, const struct rlog_member *member, rlog_done done,
                     void *ctx);
void rlog_member_assign(struct rlog *rlog, uint64_t raft_id, enum rlog_role role, rlog_done done,
                        void *ctx);
void rlog_member_remove(struct rlog *rlog, uint64_t raft_id, rlog_done done, void *ctx);
/** Hand leadership to node_id (0: any up-to-date voter). */
void rlog_transfer(struct rlog *rlog, uint32_t node_id, rlog_done done, void *ctx);
/** The same of the leader's own decision: void, with ERR_NOT_LEADER, once this node leads no more
 * in that term. */
void rlog_decide_role(struct rlog *rlog, uint64_t term, uint64_t raft_id, enum rlog_role role,
                      rlog_done done, void *ctx);
void rlog_decide_transfer(struct rlog *rlog, uint64_t term, uint32_t node_id, rlog_done done,
                          void *ctx);

#endif
