/* stamp - cluster time (DESIGN 3): the last stamped value plus the leader's monotonic elapsed time.
 * It stands still without a leader and ignores clock steps. Pure: clocks are arguments. */
#ifndef RAFT_LOG_STAMP_H
#define RAFT_LOG_STAMP_H

#include <stdint.h>

struct stamp_clock {
    uint64_t last_ms;      /* newest stamp seen in the log */
    uint64_t base_ms;      /* cluster time ... */
    uint64_t base_mono_ms; /* ... at this moment of our monotonic clock, while leading */
};

/** An applied entry carries this stamp. */
void stamp_seen(struct stamp_clock *clock, uint64_t time_ms);
/** This node leads now, and has applied every entry of earlier leaders. */
void stamp_begin(struct stamp_clock *clock, uint64_t mono_ms);
/** Cluster time now; never less than any stamp seen or given before. Leader only. */
uint64_t stamp_now(struct stamp_clock *clock, uint64_t mono_ms);

#endif
