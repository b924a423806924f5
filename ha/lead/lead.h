/* lead - what the leader of the cluster has to do now (DESIGN 3, 4, 7). Pure: facts and time in,
 * duties out; whoever carries a duty out notes the time of it here. Forgotten with each change of
 * leadership: a duty that is lost with its term is found again at the next tick. */
#ifndef HA_LEAD_LEAD_H
#define HA_LEAD_LEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEAD_EXPIRY_LOST_MS 2000 /* an expiry not seen by then died with its term */
#define LEAD_PROMOTE_MS     1000
#define LEAD_PAIRS_MS       500
/* A key seals tickets for this long; twice as long it opens them (TLS_TICKET_LIFETIME_S). */
#define LEAD_ROTATE_MS        (12ull * 3600 * 1000)
#define LEAD_STAMP_MS         10000
#define LEAD_WINDOW_BYTES_MAX (8u * 1024 * 1024) /* a larger one takes too long to write */

enum lead_duty {
    LEAD_EXPIRE = 1 << 0,       /* look for what is past its deadline, and end it */
    LEAD_CLOSE_WINDOW = 1 << 1, /* put a mark into the log */
    LEAD_STAMP = 1 << 2,        /* put the time into the log: nothing else has done so for long */
    LEAD_PROMOTE = 1 << 3,      /* look for a spare, and give it a role */
    LEAD_ROTATE = 1 << 4,       /* draw new secrets for all nodes */
    LEAD_PAIRS = 1 << 5         /* look which users have to move, and what is an alarm */
};

/* All times are of one monotonic clock; 0: never. */
struct lead {
    uint64_t window_closed_ms;
    uint64_t expiry_sent_ms; /* an expiry is under way since */
    uint64_t rotated_ms;     /* a rotation was proposed */
    uint64_t stamped_ms;
    uint64_t spares_sought_ms;
    uint64_t pairs_seen_ms;
    bool is_promoting;
    uint64_t log_time_ms; /* cluster time of the last entry that had one, and when it was seen */
    uint64_t log_time_seen_ms;
};

struct lead_facts {
    uint64_t now_ms;
    uint64_t applied_ms;     /* when the last entry was applied */
    uint64_t window_bytes;   /* applied since the last mark */
    uint32_t mark_ms;        /* how often a window is closed */
    uint64_t secrets_age_ms; /* since the last rotation; UINT64_MAX: there was none */
    bool has_deadlines;      /* something will expire, so time must go on */
};

/** What is due: a set of enum lead_duty. */
unsigned lead_due(const struct lead *lead, const struct lead_facts *facts);

/** Cluster time now: that of the log, and since then this leader's clock. */
uint64_t lead_time_ms(struct lead *lead, uint64_t log_time_ms, uint64_t now_ms);

enum lead_role { LEAD_VOTER, LEAD_STANDBY, LEAD_SPARE };

struct lead_member {
    enum lead_role role;
    bool is_connected;
};

/** The member to promote next, and what it becomes: a voter, or a standby beside voters_max of
 * them. False: there is none. A member is added as a spare, which gets no log; only when it is
 * there does it get a role, so that a node that never comes is in nobody's majority (DESIGN 4). */
bool lead_promotion(const struct lead_member *members, size_t count, size_t voters_max,
                    size_t *member_out, enum lead_role *role_out);

#endif
