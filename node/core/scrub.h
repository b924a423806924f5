/* scrub - a thread that now and then recomputes the state hash from the rows on disk (DESIGN 4), so
 * that a row that decayed there is found before a client is told what it says. Tells the result to
 * the state thread's inbox. */
#ifndef NODE_CORE_SCRUB_H
#define NODE_CORE_SCRUB_H

#include "node/core/inbox.h"
#include "storage/kv/kv.h"

struct scrub;

/** Scrub kv every period_s, for the first time after one. Both outlive it. */
struct scrub *scrub_start(struct kv *kv, struct inbox *inbox, uint32_t period_s);
/** State thread: scrub as soon as the one under way is done; job comes with the result. false: a
 * job waits already. */
NODISCARD bool scrub_now(struct scrub *scrub, struct core_job *job);
/** After kv_end_guests(): end the thread. A job that still waits goes to the inbox. Frees and sets
 * NULL. */
void scrub_stop(struct scrub **scrub);

#endif
