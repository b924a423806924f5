/* ended - what is remembered of resumable sessions that ended: <failed h/> tells a client that
 * comes too late what was handled (XEP-0198 §5). For a day, and of a user only the newest. */
#ifndef STORAGE_STATE_ENDED_H
#define STORAGE_STATE_ENDED_H

#include "storage/state/apply.h"

void ended_remember(struct apply *a, uint64_t session, Pb__SessionRow *row);
/** The day is over. */
void ended_expire(struct apply *a, struct slice resume_id);

#endif
