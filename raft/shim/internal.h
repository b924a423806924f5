/* internal - what the files of the shim share. */
#ifndef RAFT_SHIM_INTERNAL_H
#define RAFT_SHIM_INTERNAL_H

#include "raft/shim/shim.h"
#include "raft/shim/wire.h"

/* A send request of libraft that is done but not yet called back: libraft uses the request after
 * send() returns, so its callback must wait for the next turn. */
struct sent {
    struct sent *next;
    struct raft_io_send *request;
    raft_io_send_cb callback;
    raft_id to;
    raft_term term;
    raft_index next_index; /* 0, or where the entries that were cut off begin */
};

struct pushed {
    raft_id id;
    raft_index index; /* commit index that the member has been told and can use */
};

/* How far this follower's log was compared with that of the leader of a term. */
struct verified {
    raft_term term;
    raft_index index;
};

/* The last acknowledgement that went out. */
struct answered {
    raft_id to; /* 0: none, or its link is gone, and it perhaps too */
    raft_term term;
    raft_index index;
};

struct append; /* disk.c */

struct shim {
    struct raft_io io; /* what libraft sees */
    struct shim_config config;
    struct raft *raft;
    raft_io_tick_cb tick;
    raft_io_recv_cb receive;
    raft_io_close_cb closed;
    bool closing;
    bool disk_closing;
    bool started;
    bool intake_open;
    raft_term ballot_term;     /* last loaded or written */
    struct append *held_first; /* a leader's, for shim_begin_writes() */
    struct append *held_last;
    unsigned appends_under_way; /* of any role, those held back included */
    uint64_t appends_done;

    /* sending */
    struct wire_frame frame;
    struct sent *sent_first;
    struct sent *sent_last;

    /* as follower */
    struct verified verified;
    struct verified handling; /* of the AppendEntries in libraft's hands; term 0: none */
    bool told_no_entries;     /* by the message in libraft's hands */
    raft_index commit_before; /* that message */
    struct answered answered;
    raft_time truncated_at;
    raft_term hasten_term; /* term in which the leader was lost; 0: no hurry */
    raft_time hasten_at;

    /* as leader */
    raft_term stored_term; /* newest term of which this leader has an entry on disk */
    bool nudge;            /* offer the first entry of the term to everyone again */
    struct raft_barrier noop;
    raft_term noop_term;  /* submitted in */
    raft_term ready_term; /* applied in */
    raft_index term_first;
    struct pushed pushed[WIRE_SERVERS_MAX];

    /* snapshots */
    struct raft_io_async_work *work; /* waits for shim_snapshot_ready() */
    raft_io_async_work_cb work_done;
    bool offered;
    struct raft_message offer; /* owns its memory while offered */

    /* membership */
    struct raft_configuration snapshot_configuration;
    raft_index snapshot_configuration_index; /* 0: no snapshot */
    raft_index hidden_change;                /* uncommitted, kept from libraft; 0: none */

    /* highest values seen, for the invariants */
    raft_term seen_term;
    raft_index seen_commit;
    raft_index seen_applied;
};

static inline bool shim_guards(const struct shim *shim, enum shim_guard guard)
{
    return (shim->config.guards_off & (unsigned)guard) == 0;
}

static inline raft_time shim_now(const struct shim *shim)
{
    return shim->config.disk->time(shim->config.disk);
}

/* disk.c */
int shim_disk_append(struct raft_io *io, struct raft_io_append *request,
                     const struct raft_entry entries[], unsigned count, raft_io_append_cb callback);
int shim_disk_truncate(struct raft_io *io, raft_index index);
int shim_disk_snapshot_put(struct raft_io *io, unsigned trailing,
                           struct raft_io_snapshot_put *request,
                           const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb callback);
int shim_disk_async_work(struct raft_io *io, struct raft_io_async_work *request,
                         raft_io_async_work_cb callback);

/* send.c */
int shim_send(struct raft_io *io, struct raft_io_send *request, const struct raft_message *message,
              raft_io_send_cb callback);
void shim_complete_sends(struct shim *shim);
/** Send a message of our own, which libraft does not wait for. */
void shim_send_unasked(struct shim *shim, const struct raft_message *message);

/* follow.c: guards of a follower */
/** Take off what our snapshot stands for. */
void shim_skip_snapshot(const struct shim *shim, struct raft_message *message);
void shim_begin_append_entries(struct shim *shim, struct raft_append_entries *append);
/** Before libraft sees an offer: what it says to it may count as stored. */
void shim_begin_offer(struct shim *shim, const struct raft_install_snapshot *offer);
void shim_append_entries_accepted(struct shim *shim);
void shim_bound_acknowledgement(struct shim *shim, struct raft_append_entries_result *result);

/* refuse.c */
/** Is this not for us to hear, though nobody is to blame? */
bool shim_ignores(const struct shim *shim, uint32_t from_node,
                  const struct wire_received *received);
/** ERR_LIMIT, ERR_MALFORMED: no member says such a thing. */
NODISCARD int shim_check_message(const struct shim *shim, const struct raft_message *message);
void shim_bound_request_vote(const struct shim *shim, raft_id from, struct raft_request_vote *vote);

/* configuration.c */
/** A snapshot is on disk: keep its configuration, as its log entry may go. */
void shim_remember_snapshot(struct shim *shim, const struct raft_snapshot *snapshot);
void shim_configuration_deinit(struct shim *shim);
/** Give libraft the configuration that counts with a log that ends at `end`. */
void shim_settle_configuration(struct shim *shim, raft_index end);
/** Around the handling of AppendEntries. */
void shim_hide_change(struct shim *shim);
void shim_show_change(struct shim *shim);
/** Everything from index on is about to leave the log. */
void shim_before_cut(struct shim *shim, raft_index index);

/* shim.c */
/** A new term, without a vote, on the disk. 0 or a RAFT_ code. */
int shim_write_term(struct shim *shim, raft_term term);
/** An entry of libraft's log, NULL when it is not there. */
const struct raft_entry *shim_entry_at(const struct raft *raft, raft_index index);

/* elect.c */
void shim_tick(struct raft_io *disk);
/** Is this node the only voter? */
bool shim_is_alone(const struct shim *shim);
/** Before libraft makes it leader for that. 0 or a RAFT_ code. */
int shim_raise_term_alone(struct shim *shim);

/* lead.c */
bool shim_refuses_result(const struct shim *shim, const struct raft_append_entries_result *result);
void shim_own_entries_stored(struct shim *shim, raft_term term);
void shim_lead(struct shim *shim);

#endif
