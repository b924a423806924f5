/* directed - presence sent to an address (RFC 6121 §4.6): a stanza of the pending list, and a
 * memory of who must hear of the end. */
#ifndef STORAGE_STATE_DIRECTED_H
#define STORAGE_STATE_DIRECTED_H

#include "storage/state/apply.h"

void directed_send(struct apply *a, uint64_t session, const Pb__Stanza *stanza);
/** The session is no longer available: those who got directed presence and are not told otherwise
 * hear it. */
void directed_end(struct apply *a, uint64_t session, const char *user, const char *resource);
/** Another session of the same address has to tell them: it bound it, or took over the presence
 * that was left standing. What it has no room to remember ends now. */
void directed_move(struct apply *a, uint64_t session, uint64_t to);

#endif
