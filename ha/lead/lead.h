/* lead - what the leader of the cluster has to do now (DESIGN 3, 4, 7). Pure: facts and time in,
 * duties out; whoever carries a duty out notes the time of it here. Forgotten with each change of
 * leadership: a duty that is lost with its term is found again at the next tick. */
#ifndef HA_LEAD_LEAD_H
#define HA_LEAD_LEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEAD_EXPIRY_LOST_MS 2000 /* an expiry not seen by then died with its term */
#define LEAD_ROLES_MS       1000
#define LEAD_LAG_MAX        1024 /* entries: a standby that lacks more has to catch up first */
#define LEAD_PAIRS_MS       500
#define LEAD_HAND_ON_MS     5000 /* between two tries: each holds the log up for 2 s at most */
/* Longer than a report takes to be here (raft/log/reports.c): where there is little room at the
 * same time, nobody hands on to one who had room a moment ago. */
#define LEAD_LOW_MS 2500
/* A key seals tickets for this long; twice as long it opens them (TLS_TICKET_LIFETIME_S). */
#define LEAD_ROTATE_MS        (12ull * 3600 * 1000)
#define LEAD_STAMP_MS         10000
#define LEAD_WINDOW_BYTES_MAX (8u * 1024 * 1024) /* a larger one takes too long to write */

enum lead_duty {
    LEAD_EXPIRE = 1 << 0,       /* look for what is past its deadline, and end it */
    LEAD_CLOSE_WINDOW = 1 << 1, /* put a mark into the log */
    LEAD_STAMP = 1 << 2,        /* put the time into the log: nothing else has done so for long */
    LEAD_ROLES = 1 << 3,        /* look at the members: whose role has to change? */
    LEAD_ROTATE = 1 << 4,       /* draw new secrets for all nodes */
    LEAD_PAIRS = 1 << 5,        /* look at health, pairs, homes and alarms */
    LEAD_HAND_ON = 1 << 6       /* find another leader: see lead_heir() */
};

/* All times are of one monotonic clock; 0: never. */
struct lead {
    uint64_t window_closed_ms;
    uint64_t expiry_sent_ms; /* an expiry is under way since */
    uint64_t rotated_ms;     /* a rotation was proposed */
    uint64_t stamped_ms;
    uint64_t roles_seen_ms;
    uint64_t pairs_seen_ms;
    bool is_changing_role;
    uint64_t changing_id;     /* raft id of the spare that is to get a role; 0: none */
    uint64_t failed_spare_id; /* and of the last one that was to get one in vain; 0: none */
    uint64_t low_ms;          /* since when this leader is low on room; 0: it is not */
    uint64_t handed_on_ms;    /* a transfer was begun */
    bool is_handing_on;
    uint64_t log_time_ms; /* cluster time of the last entry that had one, and when it was seen */
    uint64_t log_time_seen_ms;
};

struct lead_facts {
    uint64_t now_ms;
    uint64_t applied_ms;     /* when the last entry was applied */
    uint64_t window_bytes;   /* applied since the last mark */
    uint32_t mark_ms;        /* how often a window is closed */
    uint64_t secrets_age_ms; /* since the last rotation; UINT64_MAX: there was none */
    bool has_deadlines;      /* of sessions, or of a fallback: time must go on */
    bool is_witness;         /* this node */
};

/** Has this node hardly any room left for what is new? Before lead_due(), each time. */
void lead_note_room(struct lead *lead, bool is_low, uint64_t now_ms);

/** What is due: a set of enum lead_duty. */
unsigned lead_due(const struct lead *lead, const struct lead_facts *facts);

/** Cluster time now: that of the log, and since then this leader's clock. */
uint64_t lead_time_ms(struct lead *lead, uint64_t log_time_ms, uint64_t now_ms);

enum lead_role { LEAD_VOTER, LEAD_STANDBY, LEAD_SPARE };

struct lead_member {
    uint64_t raft_id;
    enum lead_role role;
    bool is_self;
    bool is_ready; /* a spare: it is there, and its program understands the log */
    bool is_witness;
    bool answers;         /* the leader, within the lease */
    bool may_lead;        /* a voter that answers, and whose store takes entries */
    bool has_room;        /* it says so itself */
    bool is_dead;         /* it has been silent, or presumed dead, for as long as it may */
    bool is_noted;        /* the state knows that this membership has had a vote */
    uint64_t match_index; /* how much of the log it has */
};

/** Whom a leader hands leadership to that should not keep it: a witness, and a node that has hardly
 * any room left, since what the leader has no room for nobody may write (DESIGN 3). It is another
 * voter that is no witness, may lead, and has all that is committed. One with room comes before one
 * without; a leader that is no witness hands on only to one with room (needs_room), so that
 * leadership does not go round when there is little everywhere. Of several it is the one with the
 * most of the log, so that the log is held up for no longer than it takes to send the rest. False:
 * none can take it, and the leader goes on leading. */
bool lead_heir(const struct lead_member *members, size_t count, uint64_t commit_index,
               bool needs_room, size_t *member_out);

struct lead_rules {
    size_t voters_max;
    uint64_t commit_index;
    bool replaces;            /* voters and standbys change places; else only spares get a role */
    uint64_t failed_spare_id; /* the others' turn comes before that of this one */
};

/** The member whose role changes next, and to what; false: none. A member is added as a spare,
 * which gets no log; only when it is there does it get a role, so that a node that never comes is
 * in nobody's majority (DESIGN 4): it is a voter, or a standby beside voters_max of them. A standby
 * becomes a voter when there is room, and a voter that is dead a standby when there is one to take
 * its place, or when its vote is of no use. */
bool lead_role_change(const struct lead_member *members, size_t count,
                      const struct lead_rules *rules, size_t *member_out, enum lead_role *role_out);

/** That change is under way; and has ended. A spare that could not catch up may never do so: it
 * must not keep the others out. */
void lead_begin_role(struct lead *lead, const struct lead_member *member);
void lead_end_role(struct lead *lead, bool is_done);

#endif
