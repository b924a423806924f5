/* anew - what becomes of the state of a backup before another cluster begins with it: all nodes of
 * the old one are down, their sessions are over as after their deadlines, and what must not be used
 * twice is replaced. Accounts, rosters, messages, groups, homes, and the counter of positions stay.
 * Done by the commands that a leader would decide, a bounded step at a time. State thread only. */
#ifndef STORAGE_STATE_ANEW_H
#define STORAGE_STATE_ANEW_H

#include "storage/state/state.h"

/* Drawn by who restores. */
struct anew_secrets {
    uint8_t ticket_keys[2][STATE_TICKET_KEY_NAME_BYTES + 2 * STATE_TICKET_KEY_BYTES];
    uint8_t seed[ENTRY_SEED_BYTES];
};

struct anew {
    struct state *state; /* borrowed */
    struct anew_secrets secrets;
    uint64_t wall_ms;
    uint64_t until_ms; /* cluster time up to which deadlines are over; 0: not begun */
    struct arena arena;
    struct effects effects;
    size_t session_count; /* ended */
    unsigned day_count;
};

void anew_init(struct anew *anew, struct state *state, const struct anew_secrets *secrets,
               uint64_t wall_ms);
void anew_deinit(struct anew *anew);
/** One step, as the entry at index of the log's term; the caller closes a window behind it. 1 when
 * there is more to do, 0 when not, or an error of state_apply(). */
NODISCARD int anew_step(struct anew *anew, uint64_t index, uint64_t term);

#endif
