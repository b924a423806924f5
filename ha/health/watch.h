/* watch - when the leader puts into the log that a node is well, or is not (DESIGN 7): what is
 * wrong for longer than a delay, and what is well again at once. Pure; one watch a node, forgotten
 * with each change of leadership, and with each life of the node. */
#ifndef HA_HEALTH_WATCH_H
#define HA_HEALTH_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is known of a node: from its reports, or from the log. */
struct health_seen {
    uint32_t services_down; /* set of enum health_service */
    bool serves;
};

/* As the log has it. */
struct health_stored {
    uint64_t incarnation; /* its life */
    bool starts;          /* it has not served in this life */
    struct health_seen seen;
};

struct health_watch {
    uint64_t incarnation; /* what was wrong in an earlier one is over */
    uint64_t ill_ms;      /* since when something is wrong, 0: nothing is; of one monotonic clock */
};

#define HEALTH_START_DELAYS 10 /* a node that starts has this many times the delay */

/** Is the log to be changed now? out: what it is to say. reported: NULL while the node says nothing
 * though it is connected: as one that does not serve. */
bool health_decide(struct health_watch *watch, const struct health_stored *stored,
                   const struct health_seen *reported, uint64_t now_ms, uint64_t delay_ms,
                   struct health_seen *out);

#endif
