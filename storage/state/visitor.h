/* visitor - whose client logs in at a node that does not serve him, and is sent to the one that
 * does (DESIGN 7). */
#ifndef STORAGE_STATE_VISITOR_H
#define STORAGE_STATE_VISITOR_H

#include "storage/state/apply.h"

/** Where a client of user that logs in at the node of this incarnation is to go instead (RFC 6120
 * §4.9.3.19): "host:port", or "" when it is served here. Who comes back to this node soon after it
 * was sent away cannot go, or came back from there: it is served. */
const char *visitor_send_away(struct apply *a, const char *user, uint64_t incarnation);

#endif
