/* subscription - presence subscriptions between users of this cluster: both sides of RFC 6121 §3,
 * by the tables of its appendix A. */
#ifndef STORAGE_STATE_SUBSCRIPTION_H
#define STORAGE_STATE_SUBSCRIPTION_H

#include "storage/state/apply.h"

/** A subscribe, subscribed, unsubscribe or unsubscribed of a user's session. */
void subscription_send(struct apply *a, uint64_t session, const char *user,
                       const Pb__Stanza *stanza);
/** An item went out of user's roster: end what it stood for at the contact (RFC 6121 §2.5.2). */
void subscription_cancel(struct apply *a, const char *user, const Pb__RosterItem *item);
/** Queue the requests that user has not answered, at a session that just became available. */
void subscription_show_requests(struct apply *a, const char *user, uint64_t session);

#endif
