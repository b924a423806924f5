/* plant - defects that are put into the product or its disk on purpose: each must be found, or the
 * simulation proves nothing. */
#ifndef TESTS_SIM_PLANT_H
#define TESTS_SIM_PLANT_H

#include <stdbool.h>

enum plant {
    PLANT_NONE,
    PLANT_EARLY_ACK,   /* P1: the disk says that it has written before it has */
    PLANT_REPEAT,      /* P2: what a client confirms at its resume is sent again */
    PLANT_LOSE,        /* P2: one stanza more counts as confirmed than the client has */
    PLANT_LOSE_ONE,    /* P2: of several devices of an account one does not get a message */
    PLANT_FORGET,      /* P3: a session is not found at its resume, now and then */
    PLANT_FLAP,        /* P4: contacts see a user go whose connection is lost */
    PLANT_STALE,       /* P4: what changed while it was away a resumed client is not told */
    PLANT_GHOST,       /* P5: no deadline ends anything */
    PLANT_NO_FENCE,    /* P6: a node serves on when its lease is over */
    PLANT_OTHER_STATE, /* P7: one node does not apply every message */
    PLANT_NO_REDIAL,   /* P8: a peer whose link went down once is never dialled again */
    PLANT_OLD_MEMBERS, /* P8: the log is believed about members that others told more of */
    PLANT_WAITS,       /* P10: the thread that serves the links waits for its disk */
    PLANT_ASKS,        /* P10: it asks the name server itself */
    PLANT_GOES_ON,     /* libraft goes on behind a write that failed */
    PLANT_LOST_COMMIT, /* libraft acknowledges what nobody compared (its worst defect) */
    PLANTS
};

/** PLANTS: there is none of that name. */
enum plant plant_find(const char *name);
void plant_set(enum plant plant);
bool plant_is(enum plant plant);

#endif
