/* login_work - a password that is being checked by a helper thread for a connection, which may be
 * gone when the answer comes: found again by slot and generation. */
#ifndef NODE_WORKER_LOGIN_WORK_H
#define NODE_WORKER_LOGIN_WORK_H

#include "node/worker/worker_private.h"
#include "xmpp/sasl/sasl.h"

/** Worker thread: have it run; conn_on_derived_take() follows if conn is still there. */
void login_work_begin_take(const struct conn *conn, struct sasl_derivation *derivation);
/** Worker thread: hand out what is done. */
void login_work_collect(struct worker *worker);
/** After the end of worker and helpers: forget what is done. */
void login_work_discard(struct worker *worker);

#endif
