/* reply - the answer to what a client sets of its own account, pending like any other. State thread
 * only. */
#ifndef STORAGE_STATE_REPLY_H
#define STORAGE_STATE_REPLY_H

#include "storage/state/stanza.h"

/* The IQ that is answered. */
struct reply {
    const Pb__From *from;
    const Pb__SessionRow *session;
    const char *id;
    const char *lang;
};

/** An empty result: it is done. */
void reply_done(struct apply *a, const struct reply *reply);
/** Nothing was changed. */
void reply_refused(struct apply *a, const struct reply *reply, enum stanza_error error);

#endif
