/* disk - the disk that holds the log of a host, under libraft's interface: what was written and not
 * yet synced is lost with the power, from some point on; the rest stays. It takes the place of
 * raft_uv. */
#ifndef TESTS_SIM_DISK_H
#define TESTS_SIM_DISK_H

#include "tests/sim/machine.h"

void disk_init(void);
/** The program is gone, and what it had under way: of that, a part still got through. */
void disk_lose(struct sim_host *host);
/** All of it is gone. */
void disk_wipe(struct sim_host *host);
/** Has it this entry for good, if it is still of that term? What a snapshot stands for it has. */
bool disk_holds(const struct sim_host *host, uint64_t current_term, uint64_t index, uint64_t term);
/** Writes take so long, and up to so much longer. */
void disk_set_delay(struct sim_host *host, uint64_t delay_us, uint64_t jitter_us);
/** The next append fails, half way. */
void disk_fail_next(struct sim_host *host);
/** No write ends until it is let go. */
void disk_hold(struct sim_host *host, bool is_held);

#endif
