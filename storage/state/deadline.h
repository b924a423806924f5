/* deadline - the index of what ends when, and the answer to what is due (DESIGN 3 and 5). */
#ifndef STORAGE_STATE_DEADLINE_H
#define STORAGE_STATE_DEADLINE_H

#include "storage/state/apply.h"

/* Of what is due since it is there, the steps of an erasure: before all deadlines in the index, but
 * done after what is due, for there may be many. */
#define DEADLINE_AT_ONCE 0

/** Index a deadline; session is set in row. */
void deadline_put(struct apply *a, uint64_t deadline_ms, Pb__DeadlineKind kind, uint64_t session,
                  Pb__DeadlineRow *row);
void deadline_delete(struct apply *a, uint64_t deadline_ms, Pb__DeadlineKind kind,
                     uint64_t session);

#endif
