/* mover - the sessions of a move (DESIGN 7), on the node that drops their connections: which one is
 * due at the wanted pace, and what became of those that were dropped. A session is dropped once:
 * one that comes back is served, and counted. Pure: the caller looks sessions up and cuts
 * connections.
 */
#ifndef HA_MOVER_MOVER_H
#define HA_MOVER_MOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For the last ones to come back somewhere; longer than the grace of those that cannot resume and
 * whose worker hangs (STATE_GRACE_MS), so that their end is counted. */
#define MOVER_SETTLE_MS 15000
#define MOVER_STUCK_MS  3000 /* its connection hears nothing: the worker hangs */
#define MOVER_REPORT_MS 1000
/* The pace is an average: what could not be dropped for so long is not made up for. */
#define MOVER_BURST_MS 1000

struct mover_session {
    uint64_t id;
    uint32_t epoch; /* when it was dropped; a resume raises it */
    uint64_t dropped_ms;
};

struct mover_counts {
    uint32_t found;
    uint32_t dropped;
    uint32_t moved;    /* live on another node */
    uint32_t returned; /* live on this one again */
    uint32_t ended;
};

enum mover_fate { MOVER_WAITS, MOVER_MOVED, MOVER_RETURNED, MOVER_ENDED };

/* All times are of one monotonic clock. */
struct mover {
    uint32_t rate;        /* sessions a second */
    uint64_t deadline_ms; /* by then all are dropped; UINT64_MAX: no such time */
    bool has_found_all;
    struct mover_session *sessions; /* [0, waiting): dropped, their fate is not known; */
    size_t waiting;                 /* [next, count): still to be dropped */
    size_t next, count, capacity;
    size_t checked;  /* of those that wait, in this round */
    uint64_t tokens; /* of the pace, in thousandths of a session */
    uint64_t tokens_ms;
    uint64_t last_drop_ms;
    uint64_t reported_ms;
    struct mover_counts counts;
    struct mover_counts reported;
};

void mover_begin(struct mover *mover, uint32_t rate, uint64_t deadline_ms, uint64_t now_ms);
void mover_end(struct mover *mover);

/** One more to be moved. */
void mover_add(struct mover *mover, uint64_t session);
/** There are no more. */
void mover_found_all(struct mover *mover);

/** Is a session to be dropped now? Then the caller says with mover_dropped() that it did so, or
 * with mover_gone() that it is here no more. */
bool mover_next(struct mover *mover, uint64_t now_ms, uint64_t *session_out);
void mover_dropped(struct mover *mover, uint32_t epoch, uint64_t now_ms);
void mover_gone(struct mover *mover, enum mover_fate fate);

/** A dropped session whose fate was not known when last looked at, each once a round; NULL: the
 * round is over. The caller answers with mover_note(). */
const struct mover_session *mover_check(struct mover *mover);
void mover_note(struct mover *mover, enum mover_fate fate);

/** Nothing is left to drop, and nothing to wait for. */
bool mover_is_over(const struct mover *mover, uint64_t now_ms);
/** Is it time to tell the counts? Notes that they were told. */
bool mover_reports(struct mover *mover, uint64_t now_ms);

#endif
