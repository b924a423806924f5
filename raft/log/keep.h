/* keep - how much log a leader keeps for a node that takes a copy of the store: what follows the
 * copy comes from there (DESIGN 4). The log lives in memory, so there is a bound; a copy that the
 * log outran is in vain, and the next one would be as well: so each time the bound doubles. Pure.
 */
#ifndef RAFT_LOG_KEEP_H
#define RAFT_LOG_KEEP_H

#include <stdbool.h>
#include <stdint.h>

#define KEEP_BYTES_DEFAULT (512ull * 1024 * 1024)

struct keep {
    uint64_t bytes_min; /* for the first copy */
    uint64_t bytes_max; /* never more: memory is finite */
    uint64_t bytes;     /* for the present one */
    uint64_t outrun;    /* index of the offer whose copy is in vain, 0: none */
};

/** bytes_max is not below bytes_min. */
void keep_init(struct keep *keep, uint64_t bytes_min, uint64_t bytes_max);
/** The log has grown to log_bytes while the snapshot at index is offered (0: none is): keep all of
 * it? */
bool keep_log(struct keep *keep, uint64_t index, uint64_t log_bytes);

#endif
