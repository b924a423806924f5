/* members - the members of the cluster as this node sees them: what the log says of each, what its
 * link says, and what it says itself. State thread. */
#ifndef NODE_CORE_MEMBERS_H
#define NODE_CORE_MEMBERS_H

#include "node/core/core.h"

struct member_view {
    const struct rlog_peer_status *peer;
    const struct rlog_report *report; /* NULL: it says nothing, or not any more */
    const Pb__NodeRow *row;           /* in the core's arena; NULL: it has never been up */
    bool is_up;                       /* its incarnation lives */
};

struct members {
    struct rlog_status log;
    struct rlog_heard heard[RLOG_REPORTS_MAX];
    size_t heard_count;
    struct member_view items[RLOG_MEMBERS_MAX];
    size_t count;
    uint64_t commit_index; /* of the leader, as far as it is known here */
    uint32_t log_version;  /* of the commands that may be written (versions.c) */
};

/* What a node that the state knows is to the cluster. */
enum members_tie {
    TIE_MEMBER, /* also when this node does not know yet who the members are */
    TIE_LEFT,   /* none any more, but it has users, or a place in a group */
    TIE_NONE    /* nothing but its row */
};

/** What ties the node of a row to the cluster. */
enum members_tie members_tie(struct core *core, const Pb__NodeRow *row);
/** Fill in out; it points into itself. */
void members_read(struct core *core, struct members *out);
/** Does the member's program know all commands that may be in the log? */
bool members_understands(const struct members *members, const struct member_view *member);

#endif
