/* state - the replicated truth: apply entries in order, answer questions about the result. Pure and
 * deterministic: no clock, no random source, no socket, no log line; time and seeds come with the
 * entry. Apply cannot fail; a refusal is an effect. State thread only. */
#ifndef STORAGE_STATE_STATE_H
#define STORAGE_STATE_STATE_H

#include "storage/kv/kv.h"
#include "storage/state/effect.h"
#include "storage/state/entry.h"
#include "storage/state/schema.pb-c.h"
#include "storage/state/versions.h"

struct kv_config;
struct state;

#define STATE_GROUPS_MAX           6 /* as many serving nodes has a cluster */
#define STATE_GROUP_NODES_MAX      2
#define STATE_GROUP_NAME_BYTES_MAX 64
/* A bare address is part of keys; longer ones get no account. */
#define STATE_USER_BYTES_MAX 440

/* Lists are bounded by stanzas and by their bytes: a stanza may be large. What one user can fill is
 * STATE_SESSIONS_MAX lists and the offline storage. */
#define STATE_PENDING_MAX       1000 /* per session; beyond it senders get resource-constraint */
#define STATE_PENDING_BYTES_MAX ((uint64_t)4 << 20)
#define STATE_OFFLINE_MAX       500 /* per user; beyond it senders get service-unavailable */
#define STATE_OFFLINE_BYTES_MAX ((uint64_t)4 << 20)
/* The same with what a session's list had accepted before it ended. */
#define STATE_OFFLINE_SETTLED_MAX       (STATE_OFFLINE_MAX + STATE_PENDING_MAX)
#define STATE_OFFLINE_SETTLED_BYTES_MAX (STATE_OFFLINE_BYTES_MAX + STATE_PENDING_BYTES_MAX)
/* The same with answers of other clients: those the session asked for, but nothing says so, and who
 * sends unasked ones must not be able to end it. Beyond it they are dropped. */
#define STATE_PENDING_ANSWERS_MAX       (STATE_PENDING_MAX + 500)
#define STATE_PENDING_ANSWERS_BYTES_MAX (2 * STATE_PENDING_BYTES_MAX)
/* A session's list with what the session caused itself and what the server owes it; beyond it it is
 * ended: it would go on with a gap. All that waited offline must fit, and all presences of a
 * contact behind it (presence.c). */
#define STATE_PENDING_SELF_MAX       (3 * STATE_PENDING_MAX + STATE_OFFLINE_MAX)
#define STATE_PENDING_SELF_BYTES_MAX (9 * STATE_PENDING_BYTES_MAX / 2)
#define STATE_ROSTER_MAX             1000          /* items per user */
#define STATE_ROSTER_BYTES_MAX       (1024 * 1024) /* of all its items */
#define STATE_REQUESTS_MAX           100 /* subscription requests of others that a roster keeps */
/* What a user keeps here: elements, their bytes together and of one; and how many a client sets at
 * once. A photo in a vCard has some 10 KiB (XEP-0153 §4), the lists of rooms that clients keep
 * less. Beyond them, resource-constraint; a larger element is a policy-violation. */
#define STATE_KEPT_MAX               200
#define STATE_KEPT_BYTES_MAX         (1024 * 1024)
#define STATE_KEPT_ELEMENT_BYTES_MAX (128 * 1024)
#define STATE_KEEP_MAX               16
#define STATE_DIRECTED_MAX           100   /* addresses with directed presence, per session */
#define STATE_SESSIONS_MAX           32    /* per user */
#define STATE_SENT_AWAY_MS           60000 /* who comes back to a node so soon is served there */
#define STATE_MOVE_DEADLINE_S_MAX    86400
#define STATE_REHOMINGS_MAX          500 /* users that get another home, per command */
#define STATE_IMPORT_MAX             500 /* accounts per UserImport */
#define STATE_LOAD_MAX               100 /* contacts, messages, kept elements per UserLoad */
#define STATE_ALARMS_MAX             256 /* active ones and those that have ended */
#define STATE_ALARM_NAME_BYTES_MAX   64
#define STATE_ALARM_REASON_BYTES_MAX 200
#define STATE_TICKET_KEY_NAME_BYTES  16
#define STATE_TICKET_KEY_BYTES       32 /* of each of the two */
#define STATE_DECOY_SECRET_BYTES     32
/* The next, the one in use, and two older: a ticket is good for two rotations after its key's use.
 */
#define STATE_TICKET_KEYS_MAX 4
#define STATE_EXPIRE_MAX      256   /* items per Expire */
#define STATE_EXPIRE_ROWS_MAX 4000  /* rows that they touch: an entry must not stall a node */
#define STATE_GRACE_MS        10000 /* a session without resume, after its node's death */
#define STATE_RESUME_EXTEND_MS                                                                     \
    30000 /* DESIGN 5: a RESUME extends the deadline to at least this                              \
           */
#define STATE_TOMBSTONE_MS   (24 * 3600 * 1000u) /* keeps the count for <failed h/> */
#define STATE_WINDOW_S_MAX   3600                /* longest resume window */
#define STATE_SILENCE_MS_MAX (10 * 60 * 1000u)   /* longest silence before a detach */
/* Ended presence is remembered for every session that may still resume (DESIGN 5). */
#define STATE_PRESENCE_TOMBSTONE_MS (STATE_WINDOW_S_MAX * 1000u + STATE_SILENCE_MS_MAX + 60000u)

/* Ended presences and sessions remembered of a user; beyond them the oldest is forgotten. */
#define STATE_PRESENCE_TOMBSTONES_MAX 64
#define STATE_SESSION_TOMBSTONES_MAX  64

/* What a presence may show. It is kept for each session and goes to everybody who sees it; what
 * clients show today has less than 2 KiB. Beyond it, policy-violation (RFC 6120 §8.3.3.12). */
#define STATE_PRESENCE_BYTES_MAX (16 * 1024)

/** The tables of the store; the order is the format. */
extern const char *const state_tables[];
extern const size_t state_table_count;
/** How many of them a store of this schema has: what a program that reads it must know. A table
 * that a version brings counts from its schema on. */
size_t state_tables_of(uint32_t schema);
/** What kv_open() has to know of the state: its tables and schemas. */
void state_describe(struct kv_config *config);

/** The state over an open store (borrowed, outlives the state). */
struct state *state_new(struct kv *kv);
void state_free(struct state **state);
/** Forget what is cached: after kv_replace(). */
void state_reload(struct state *state);

/** Apply one committed entry. ERR_VERSION or ERR_MALFORMED: this node must stop (the entry is from
 * a newer program, or lets one write what this one can not read, or the log is damaged); nothing
 * was applied then. Marks close the window. */
NODISCARD int state_apply(struct state *state, uint64_t index, uint64_t term, struct slice entry,
                          struct effects *out);
uint64_t state_applied_index(const struct state *state);
/** Cluster time of the last entry applied. */
uint64_t state_time_ms(const struct state *state);
/** Last seq applied of an incarnation, 0 if none. */
uint64_t state_last_seq(struct state *state, uint64_t incarnation);

/* ---- questions; results live in the given arena, NULL when there is no such thing */
Pb__AccountRow *state_account(struct state *state, struct arena *arena, const char *user);
Pb__SessionRow *state_session(struct state *state, struct arena *arena, uint64_t session);
Pb__RosterRow *state_roster(struct state *state, struct arena *arena, const char *user);
Pb__RosterItem *state_roster_item(struct state *state, struct arena *arena, const char *user,
                                  const char *contact);
Pb__IncarnationRow *state_incarnation(struct state *state, struct arena *arena,
                                      uint64_t incarnation);
Pb__NodeRow *state_node(struct state *state, struct arena *arena, uint32_t node);
/** Does this life of a node go on, as far as the log knows? */
bool state_is_up(struct state *state, struct arena *arena, uint64_t incarnation);
/** Would a client that comes to the node be served? As far as the log says. */
bool state_takes_sessions(struct state *state, struct arena *arena, const Pb__NodeRow *row);
/** NULL until the first leader has drawn them. */
Pb__SecretsRow *state_secrets(struct state *state, struct arena *arena);
/** What the presence of a session shows that has a PresenceRow. */
Pb__Stanza *state_shown(struct state *state, struct arena *arena, const char *user,
                        uint64_t session);
/** What the user keeps of that kind, name and namespace. Others may ask for a vCard alone. */
Pb__KeptRow *state_kept(struct state *state, struct arena *arena, const char *user,
                        const Pb__Kept *which);
typedef bool (*state_kept_visit)(void *ctx, const Pb__Kept *kept);
/** What the user keeps, in no order that means anything. Each is forgotten after its visit. */
void state_each_kept(struct state *state, const char *user, state_kept_visit visit, void *ctx);
bool state_has_domain(struct state *state, const char *domain);

enum session_life { SESSION_LIVE, SESSION_DETACHED, SESSION_GONE };
/** The one place that says whether a session is live, or detached and until when (P5). */
enum session_life state_session_life(struct state *state, const Pb__SessionRow *row,
                                     uint64_t *deadline_ms_out);

/* Walks: each calls back for every row in key order until false is returned. The callback must not
 * change the state. */
typedef bool (*state_session_visit)(void *ctx, uint64_t session, const Pb__SessionRow *row);
void state_each_session_of(struct state *state, struct arena *arena, const char *user,
                           state_session_visit visit, void *ctx);
/** All sessions from a session id on (admin lists, paged). */
void state_each_session(struct state *state, struct arena *arena, uint64_t from,
                        state_session_visit visit, void *ctx);
typedef bool (*state_roster_visit)(void *ctx, const Pb__RosterItem *item);
/** Contacts of a user, in no order that means anything. Each item is forgotten after its visit. */
void state_each_roster_item(struct state *state, const char *user, state_roster_visit visit,
                            void *ctx);
typedef bool (*state_stanza_visit)(void *ctx, const Pb__Stanza *stanza);
/** Messages that wait for a user without sessions, oldest first. Each is forgotten after its visit.
 */
void state_each_offline(struct state *state, const char *user, state_stanza_visit visit, void *ctx);
typedef bool (*state_presence_visit)(void *ctx, const Pb__PresenceRow *row);
/** Available presences of a user; state_shown() has what one shows. */
void state_each_presence(struct state *state, struct arena *arena, const char *user,
                         state_presence_visit visit, void *ctx);
typedef bool (*state_tombstone_visit)(void *ctx, const Pb__TombstoneRow *row);
/** Ended presences of a user since position. */
void state_each_tombstone(struct state *state, struct arena *arena, const char *user,
                          uint64_t position, state_tombstone_visit visit, void *ctx);
typedef bool (*state_pending_visit)(void *ctx, uint64_t position, const Pb__PendingRow *row);
/** Pending entries of a session from a position on, shared stanzas resolved into own. */
void state_each_pending(struct state *state, struct arena *arena, uint64_t session, uint64_t from,
                        state_pending_visit visit, void *ctx);
typedef bool (*state_name_visit)(void *ctx, const char *name);
void state_each_domain(struct state *state, struct arena *arena, state_name_visit visit, void *ctx);
/** Bare addresses of accounts, after the given one ("" to begin), of one domain or all (""). */
void state_each_account(struct state *state, struct arena *arena, const char *domain,
                        const char *after, state_name_visit visit, void *ctx);
typedef bool (*state_node_visit)(void *ctx, const Pb__NodeRow *row);
void state_each_node(struct state *state, struct arena *arena, state_node_visit visit, void *ctx);
typedef bool (*state_group_visit)(void *ctx, const char *name, const Pb__GroupRow *row);
/** Redundancy groups, by name. */
void state_each_group(struct state *state, struct arena *arena, state_group_visit visit, void *ctx);

/** Where a client of user is to log in instead of at node: "host:port" of the node that serves the
 * user, or of another one; "": there is none. */
const char *state_address_for(struct state *state, struct arena *arena, const char *user,
                              uint32_t node);
/** Sessions from here on are bound by entries to come. */
uint64_t state_next_session(const struct state *state);

typedef bool (*state_alarm_visit)(void *ctx, const Pb__AlarmRow *row);
/** Alarms, active and ended, by node. */
void state_each_alarm(struct state *state, struct arena *arena, state_alarm_visit visit, void *ctx);
/** What holds for the whole cluster; never NULL. */
Pb__ClusterRow *state_cluster(struct state *state, struct arena *arena);

/** In the mode active-standby: does a node wait in an enabled group while its peer has the users?
 */
bool state_stands_by(struct state *state, struct arena *arena, uint32_t node);

/** How users get a home; never NULL. */
Pb__AssignmentRow *state_assignment(struct state *state, struct arena *arena);

struct state_rehoming {
    const char *user;
    uint32_t from; /* node, 0: no home */
    uint32_t to;
};
/** What Rebalance would do: at most max users get another home; in the arena. */
size_t state_plan_rehomings(struct state *state, struct arena *arena, Pb__AssignMode mode,
                            size_t max, struct state_rehoming **rehomings_out);

/** The leader's expiry decision: up to max items whose deadline is at or before now_ms, oldest
 * first, then steps of erasures; no more than touch STATE_EXPIRE_ROWS_MAX rows (but one at least).
 * Fills *out (in the arena) and returns how many. */
size_t state_due(struct state *state, struct arena *arena, uint64_t now_ms, size_t max,
                 Pb__Expire *out);
/** Does any deadline run (so that time stamps must go on)? */
bool state_has_deadlines(struct state *state);

#endif
