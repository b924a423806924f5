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

/** By the mode of the cluster. */
void homes_open(struct homes *homes, struct state *state, struct arena *arena);
/** By another one. */
void homes_open_as(struct homes *homes, struct state *state, struct arena *arena,
                   Pb__AssignMode mode);
/** Store the numbers of users. */
void homes_close(struct homes *homes);
/** The one that takes users and has the fewest; NULL: none takes any. */
struct place *homes_find_least(struct homes *homes);
/** Where the users of a node stand in TABLE_HOME: those placed by hand, or the others. */
struct key home_users_key(uint32_t node, bool by_hand);
/** Give a user the home that the mode says, if any. The caller stores the row. */
void home_begin(struct homes *homes, const char *user, Pb__AccountRow *row);
/** The user has no home any more. The caller stores the row, or deletes it. */
void home_end(struct homes *homes, const char *user, Pb__AccountRow *row);

#endif
