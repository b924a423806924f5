/* home - which node is the home of each user (DESIGN 7): chosen by the mode of the cluster, or by
 * hand. Who is homeless, or at a node that takes nobody any more, moves first; then, in the modes
 * that spread users, no more than bring the numbers within one of each other. */
#ifndef STORAGE_STATE_HOME_H
#define STORAGE_STATE_HOME_H

#include "storage/state/apply.h"

struct place {
    uint32_t node;
    uint32_t users;
    uint32_t by_hand; /* of them */
    bool is_grouped;  /* in a redundancy group */
    bool takes;       /* users, by the mode */
    bool is_witness;  /* takes nobody, also where it became one as a node of a group */
    bool stands_by;   /* its users belong elsewhere: a witness, or the other node takes them */
    bool is_changed;  /* users is not stored yet */
};

/* The nodes, as long as one command lasts. */
struct homes {
    struct state *state;
    struct arena *arena;
    Pb__AssignMode mode;
    struct place *places; /* by node id */
    size_t count;
};

void homes_open(struct homes *homes, struct state *state, struct arena *arena);
/** Store the numbers of users. */
void homes_close(struct homes *homes);
/** Give a user the home that the mode says, if any. The caller stores the row. */
void home_begin(struct homes *homes, const char *user, Pb__AccountRow *row);
/** Where a client of user that logs in at the node of this incarnation is to go instead (RFC 6120
 * §4.9.3.19): "host:port", or "" when it is served here. Who comes back to this node soon after it
 * was sent away cannot go, or came back from there: it is served. */
const char *home_send_away(struct apply *a, const char *user, uint64_t incarnation);
/** The user has no home any more. The caller stores the row, or deletes it. */
void home_end(struct homes *homes, const char *user, Pb__AccountRow *row);

#endif
