/* frame - what travels over the node links: the types, and the small fixed codecs. Raft's own
 * messages are raft/shim/wire's. */
#ifndef RAFT_LOG_FRAME_H
#define RAFT_LOG_FRAME_H

#include "node/base/buf.h"
#include "node/base/err.h"

enum frame_type {
    FRAME_RAFT = 1,        /* urgent: raft/shim/wire */
    FRAME_LEASE_PROBE = 2, /* urgent: leader to all */
    FRAME_LEASE_ASK = 3,   /* urgent: answer to a probe, and the wish for a lease */
    FRAME_LEASE_GRANT = 4, /* urgent: leader to the asker */
    FRAME_FORWARD = 5,     /* bulk: commands of a follower's clients to the leader */
    FRAME_HASH = 6,        /* bulk: state hash at a mark */
    FRAME_MEMBER_ASK = 7,  /* bulk: a change of membership, to the leader */
    FRAME_MEMBER_ANSWER = 8,
    FRAME_REPORT = 9,      /* urgent: what a node says of itself (report.h) */
    FRAME_MEMBERS = 10,    /* urgent: who is a member, as far as a node knows (told.h) */
    FRAME_COPY_FIRST = 32, /* bulk: copies of the store (raft/snapshot), by struct rlog_extension */
    FRAME_COPY_LAST = 47
};

struct lease_probe {
    uint64_t term;
    uint64_t sent_ms;  /* the leader's clock, echoed */
    uint64_t lease_ms; /* of the leader; 0: it does not say, before version LEASE_PROBE_MS */
};

#define LEASE_PROBE_MS 3

struct lease_ask {
    uint64_t term;
    uint64_t probe_ms; /* sent_ms of the probe answered; 0: asks without having been probed */
    uint64_t sent_ms;  /* the asker's clock, echoed */
    uint64_t incarnation;
    bool is_full;  /* takes no entries from a leader; since version LEASE_ASK_FULL of the link */
    bool has_left; /* lives under that incarnation no more, though nothing in the log ended it */
};

#define LEASE_ASK_FULL 2
/* Since this version of the link, reports are understood. */
#define REPORT_LINK  4
#define MEMBERS_LINK 5

struct lease_grant {
    uint64_t term;
    uint64_t ask_ms; /* sent_ms of the ask */
    uint64_t incarnation;
    uint64_t remaining_ms; /* counted from ask_ms on the asker's clock */
};

struct hash_report {
    uint64_t mark_index;
    uint64_t hash;
};

/** In the form that a link of this version has. */
void lease_probe_encode(const struct lease_probe *probe, uint16_t link_version, struct buf *out);
NODISCARD int lease_probe_decode(struct slice bytes, struct lease_probe *out);
/** In the form that a link of this version has. */
void lease_ask_encode(const struct lease_ask *ask, uint16_t link_version, struct buf *out);
NODISCARD int lease_ask_decode(struct slice bytes, struct lease_ask *out);
void lease_grant_encode(const struct lease_grant *grant, struct buf *out);
NODISCARD int lease_grant_decode(struct slice bytes, struct lease_grant *out);
void hash_report_encode(const struct hash_report *report, struct buf *out);
NODISCARD int hash_report_decode(struct slice bytes, struct hash_report *out);

/* Forwarded commands: the term of the leader they are meant for, then each command. */
struct forward_command {
    uint64_t incarnation;
    uint64_t seq;
    struct slice bytes;
};

void forward_begin(uint64_t term, struct buf *out);
void forward_add(const struct forward_command *command, struct buf *out);
NODISCARD int forward_open(struct slice *bytes, uint64_t *term_out);
/** Next command: 1 and *out, 0 at the end, or ERR_MALFORMED. */
NODISCARD int forward_next(struct slice *bytes, struct forward_command *out);

#endif
