/* core_private - what the files of node/core share. State thread, unless said otherwise. */
#ifndef NODE_CORE_CORE_PRIVATE_H
#define NODE_CORE_CORE_PRIVATE_H

#include "ha/alarm/alarm.h"
#include "ha/gate/gate.h"
#include "ha/health/watch.h"
#include "ha/lead/lead.h"
#include "ha/marks/marks.h"
#include "node/base/waker.h"
#include "node/core/core.h"
#include "node/core/inbox.h"
#include "node/core/moving.h"
#include "node/core/outbox.h"
#include "node/core/scrub.h"
#include "raft/snapshot/snapshot.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <uv.h>

#define NONCE_BYTES 16

/* Cookies of the node's own commands (Ref.worker is REF_WORKER_NODE). START carries a random one.
 */
enum { COOKIE_NONE = 0, COOKIE_EXPIRE = 1 };

/* Who leads, and what a leader keeps; forgotten with each change of leadership. */
struct leader {
    bool is_leader;
    uint32_t leader_node;
    uint64_t term;
    struct lead lead;
    bool is_fallback_awaited; /* users will go home of themselves: time must go on */
    struct node_watch {
        uint32_t node; /* 0: free */
        struct health_watch watch;
    } watches[RLOG_MEMBERS_MAX];
    struct alarm_watch alarms;
};

struct core {
    /* set up by core_open(), constant afterwards */
    uint32_t node_id;
    char *name;
    char *domain;
    char *link_address;
    char *client_address;
    bool is_witness;
    uint32_t mark_ms;
    uint32_t fallback_s;
    uint32_t moves_per_second;
    uint64_t replace_ms;
    uint64_t service_ms;
    struct rlog *log;
    struct snapshot *copies;
    char *copy_path;
    struct kv *kv;
    uint32_t scrub_s;
    struct scrub *scrub;
    struct outbox *outboxes; /* one a worker */
    struct mailbox *const *workers;
    uint32_t worker_count;
    struct mailbox *admin;
    void (*on_secrets)(void *ctx, const Pb__SecretsRow *secrets);
    void *ctx;

    /* the thread */
    pthread_t thread;
    bool is_running;
    uv_loop_t loop;
    struct waker wake;
    uv_timer_t tick;
    struct inbox inbox;
    bool is_stopping;

    struct blob *about; /* what the server says of itself (xmpp/im/about.h), or NULL */
    struct state *state;
    struct arena arena; /* reset after each entry and each job */
    struct effects effects;
    uint64_t applied_index;
    uint64_t applied_term;
    uint64_t applied_ms;   /* when the last entry was applied */
    uint64_t window_bytes; /* applied since the last mark */
    uint64_t incarnation;  /* 0 until START is applied */
    uint64_t start_cookie; /* tells our START from others'; changes with each life */
    struct gate gate;
    enum gate_reason waits_for; /* as of the last step of the gate */
    bool store_is_low;          /* as of the last tick */
    bool log_is_low;
    struct marks marks;
    uint64_t adopted_index;     /* mark at which the store was opened or replaced */
    uint64_t hash_error;        /* found by a scrub: to be added to what is summed up */
    struct core_scrub scrubbed; /* what the last scrub found */
    bool state_differs;         /* from another member's, at the newest mark that both know */
    uint64_t manifest_index;    /* mark that raft wants a manifest for; 0: none */
    struct leader leader;
    struct moving *moving;
    bool is_leaving;                  /* the node stops: no further life */
    atomic_uint_fast64_t farewell_ms; /* when it said so; 0: not yet */
    atomic_bool is_gone;              /* the cluster knows */
    uint64_t secrets_version;         /* of what the state has; 0: nothing yet */
    uint64_t secrets_made_ms;

    atomic_uint_fast64_t notes_handled;
    atomic_bool may_serve;
    atomic_uint open_workers;                               /* with open doors */
    atomic_uint_fast64_t worker_turns_ms[CORE_WORKERS_MAX]; /* when each ended its last turn */
    atomic_uint worker_sessions[CORE_WORKERS_MAX];
    pthread_mutex_t status_mutex;
    struct core_status status;
};

/* turn.c */
void core_init_thread(struct core *core);
void core_start_thread(struct core *core);

/* open.c */
NODISCARD int core_open_parts(struct core *core, const struct core_config *config);

/* apply.c */
void core_apply(struct core *core, uint64_t index, uint64_t term, struct blob *entry);
void core_on_pull(struct core *core, const struct delivery_pull *pull);
/** End of a turn: what was kept back for slow workers. */
void core_settle_outboxes(struct core *core);
void core_tell_worker(struct core *core, uint32_t worker, struct port_message *message);
void core_tell_domains(struct core *core);

/* life.c: this node's own incarnation */
void core_start_incarnation(struct core *core);
/** Tell the log which incarnation of a node may have a lease, and which membership has had a vote.
 */
void core_tell_node(struct core *core, uint32_t node_id);
/** Let the state say of this node what its configuration says, if it does not yet. */
void core_announce_node(struct core *core);
void core_incarnation_started(struct core *core, uint64_t incarnation);
void core_incarnation_ended(struct core *core);
/** Put a command of this node into the log; ERR_BUSY: not now. */
NODISCARD int core_submit(struct core *core, Pb__Command *command);
/** The node stops: tell the cluster. */
void core_say_farewell(struct core *core);
/** Serve nobody any more: drop all clients, and forget the incarnation. */
void core_leave(struct core *core);
void core_step_gate(struct core *core);

/* leader.c */
void core_on_role(struct core *core, bool is_leader, uint32_t leader_node, uint64_t term);
void core_lead(struct core *core, uint64_t now_ms);
/** The one incarnation that gets no lease any more: a later one of the node may live. */
void core_presume_dead(struct core *core, uint32_t node_id, uint64_t incarnation);

/** Put a command of the leader into the log. */
void core_decide(struct core *core, Pb__Command *command, uint64_t cookie);

/* report.c */
/** Tell the log what this node says of itself to others. */
void core_tell_report(struct core *core);
/** Once a tick: is there hardly any room left for store or log? */
void core_look_at_room(struct core *core);

/* roles.c */
/** The leader looks whether a member should have another role. time_ms: cluster time. */
void core_change_roles(struct core *core, uint64_t time_ms);
void core_on_role_changed(struct core *core, int status);
/** A witness that leads looks for another leader. */
void core_hand_on(struct core *core, uint64_t now_ms);
void core_on_handed_on(struct core *core, int status);

/* secrets.c */
/** Hand what the state has to the process. */
void core_tell_secrets(struct core *core);
/** The leader draws new ones. */
void core_rotate_secrets(struct core *core);

/* health.c */
/** The leader looks which nodes are well. True: it has put something into the log. */
bool core_decide_health(struct core *core, uint64_t now_ms);
void core_on_health(const struct effect *effect);

/* versions.c */
/** Is this version written? Then all members read it. */
bool core_may_write(struct core *core, uint32_t log_version);
/** The leader lets later commands be written once all members understand them. */
void core_begin_log_version(struct core *core);
/** Tell the log which version the state says is written. */
void core_tell_version(struct core *core);
/** It rose. */
void core_on_version(struct core *core);

/* pairs.c */
/** The leader looks which users have to move. time_ms: cluster time. */
void core_decide_pairs(struct core *core, uint64_t time_ms);
/** Users were moved: tell the operator, and see to the sessions. */
void core_on_moved(struct core *core, const struct effect *effect);

/* alarms.c */
/** The leader looks which alarms have to be raised or cleared. time_ms: cluster time. */
void core_decide_alarms(struct core *core, uint64_t time_ms, uint64_t now_ms);
/** An alarm was raised or cleared: tell the operator. */
void core_on_alarm(const struct effect *effect);

/* homes.c */
/** The leader looks who has no home, and whether too many are at one node. */
void core_decide_homes(struct core *core);

/* copy.c */
void core_open_copies(struct core *core, const char *data_dir);
void core_on_copy_wanted(struct core *core, uint32_t from_node, uint64_t index_min);
void core_on_fetched(struct core *core, uint64_t copy_index, int status);
void core_tell_all_nodes(struct core *core);

/* hash.c: marks on disk, comparison, manifests */
/** The store was opened or replaced: what it holds is what is applied. */
void core_adopt_mark(struct core *core);
void core_on_durable(struct core *core, uint64_t mark_index, uint64_t hash, int status);
/** error: what the rows on disk have more than the sum says; 0 when they are as they should be. */
void core_on_scrubbed(struct core *core, uint64_t mark_index, uint64_t error, int status);
void core_on_other_hash(struct core *core, uint32_t node, uint64_t mark_index, uint64_t hash);
void core_on_manifest_wanted(struct core *core, uint64_t index);

/** End the process at once: going on would do harm. */
_Noreturn void core_fail_stop(enum exit_code code);

#endif
