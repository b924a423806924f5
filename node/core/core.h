/* core - the state thread: takes committed entries in order, applies them, hands their effects to
 * the workers of this node, and does the leader's duties while this node leads. Owns store, state
 * and log. One uv loop; functions marked "any thread" post to its mailbox or read a copied status.
 */
#ifndef NODE_CORE_CORE_H
#define NODE_CORE_CORE_H

#include "ha/gate/gate.h"
#include "ha/health/health.h"
#include "node/base/mailbox.h"
#include "node/core/port.h"
#include "raft/log/rlog.h"
#include "storage/state/state.h"

struct core;

#define CORE_WORKERS_MAX 64

/* How the process ends when it must not go on; 0 is a graceful stop. Documented in musterd(8). */
enum exit_code {
    EXIT_START_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_OUTVOTED = 3,       /* a majority has another state hash (P7) */
    EXIT_STORAGE_FAILED = 4, /* disk full or broken */
    EXIT_ENTRY_UNKNOWN = 5   /* the log holds what this program cannot read */
};

struct core_config {
    uint32_t node_id;
    const char *name;
    const char *data_dir; /* made when absent; node.json, raft/ and state/ live in it */
    const char *domain;   /* served from the start of a new cluster */
    const char *link_bind;
    const char *link_address;
    const char *client_address; /* "host:port" told to clients of other nodes; "": it has none */
    bool is_witness;            /* it votes, and serves nobody */
    const char *ca_file;
    const char *cert_file;
    const char *key_file;
    const struct rlog_member *peers; /* who to ask before there is a log */
    size_t peer_count;
    uint32_t heartbeat_ms;
    uint32_t fallback_s;       /* 0: no automatic fallback */
    uint32_t moves_per_second; /* sessions that leave this node, when no other pace is asked for */
    uint32_t service_s;        /* until what is wrong with a node counts */
    uint32_t replace_s;        /* until a standby votes for a voter that is dead; 0: never */
    uint32_t election_ms;
    uint32_t lease_ms;
    struct blob *about; /* what the server says of itself (xmpp/im/about.h), or NULL; referenced */
    uint32_t mark_ms;
    uint32_t scrub_s;          /* how often the rows on disk are read and summed up anew */
    uint32_t snapshot_entries; /* cut the log every so many entries; 0: by bytes */
    uint64_t map_bytes;
    size_t unwritten_bytes_max;
    uint64_t reserve_bytes;
    /* The secrets of the cluster are there, or others; borrowed for the call. State thread. */
    void (*on_secrets)(void *ctx, const Pb__SecretsRow *secrets);
    void *ctx;
};

/** Open store and log; nothing is applied yet. Errors are logged. */
NODISCARD int core_open(const struct core_config *config, struct core **out);
/** Start the state thread. The mailboxes outlive the core. */
void core_run(struct core *core, struct mailbox *const *workers, uint32_t worker_count,
              struct mailbox *admin);
/** Wait until what the workers submitted last is applied (a bounded time), hand leadership on, stop
 * the threads, close the store. Workers and admin are gone before. Also after core_open() alone. */
void core_stop(struct core **core);

/** The log, to submit commands: any thread, between core_open() and core_stop(). */
struct rlog *core_log(struct core *core);
/** From now on the server says this of itself, in answers and then in what workers announce.
 * Borrowed for the call. Any thread. */
void core_use_about(struct core *core, struct blob *about);
/** May a worker take anything from clients at this moment? Any thread. */
bool core_may_serve(struct core *core);
/** A worker's doors opened, or closed again. Any thread. */
void core_note_doors(struct core *core, bool are_open);
/** A worker ended a turn: it is alive. Any thread. */
void core_note_turn(struct core *core, uint32_t worker, uint64_t now_ms);
/** So many sessions have their connection at this worker. Any thread. */
void core_note_sessions(struct core *core, uint32_t worker, uint32_t count);
/** Look up an account; answered by PORT_CREDENTIALS to the worker of ref. Any thread. */
void core_ask_credentials(struct core *core, const struct effect_ref *ref, const char *user);
/** Ask for a part of what waits for a session; it comes as PORT_DELIVERY. Any thread. */
void core_pull(struct core *core, const struct delivery_pull *pull);

/* Work that needs the state: run() is called on the state thread between two entries, then the job
 * comes back to the admin mailbox as PORT_JOB. */
struct core_job {
    void (*run)(struct core_job *job, struct core *core);
};
void core_post_job(struct core *core, struct core_job *job);
/** Scrub the rows on disk now, then run the job, which reads what came out by core_scrub(). */
void core_post_scrub(struct core *core, struct core_job *job);

/** Any thread, which it occupies: write a compacted copy of the store to fd, as kv_copy(). */
NODISCARD int core_copy(struct core *core, int fd, struct kv_mark *mark_out);
/** Any thread: what a copy begun now has applied at least. */
uint64_t core_durable_index(struct core *core);
/** Any thread: is there room in the store, as kv_has_room()? */
bool core_has_room(struct core *core);

/* For jobs, on the state thread only. */
struct state *core_state(struct core *core);
struct arena *core_arena(struct core *core);
struct core_hash {
    uint64_t mark_index; /* newest mark on disk */
    uint64_t hash;
    bool is_current; /* everything applied is covered by it */
};
struct core_hash core_hash(struct core *core);
/** The hash at an older mark, while it is remembered. */
bool core_hash_at(struct core *core, uint64_t mark_index, uint64_t *hash_out);
/* What the last scrub found. */
struct core_scrub {
    uint64_t mark_index; /* of the rows it read */
    int status;          /* ERR_CORRUPT: they are not what was written; ERR_CLOSED: it was ended;
                            ERR_BUSY: another one is asked for already, or the store was replaced */
};
struct core_scrub core_scrub(struct core *core);
/** Close the window now instead of at its time: true when this node leads and may do so. */
bool core_close_window(struct core *core);

struct core_status {
    bool serving;       /* the gate is open, the doors of all workers are, and all of them move */
    bool state_differs; /* alarm: other nodes have another state hash, without a majority, or a
                           scrub found other rows than were written */
    enum gate_reason waits_for; /* why it does not serve */
    bool has_pressure;
    bool is_low;           /* the store has hardly any room left */
    bool log_is_low;       /* the same of the disk of the log */
    uint32_t workers_hung; /* that have not moved for seconds */
    uint64_t incarnation;  /* 0: not started in the cluster yet */
    uint64_t applied_index;
    uint64_t mark_index;
    uint64_t turns; /* moves while the state thread lives: for the watchdog */
};
/** Any thread. */
void core_get_status(struct core *core, struct core_status *out);
/** What is wrong with this node. Any thread. */
struct health core_health(const struct core_status *core, const struct rlog_status *log);

#endif
