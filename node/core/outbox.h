/* outbox - stanzas on their way to one worker, bounded by bytes. A worker that is slow, or a burst
 * for its sessions, must not fill the memory: above the bound what comes by itself is left out, its
 * connections are told when there is room again, and pull it from the state (xmpp/stream/cursor.h).
 * Pulls wait likewise. Signals and outcomes always go: they are small, and bounded by what the
 * connections asked for. State thread. */
#ifndef NODE_CORE_OUTBOX_H
#define NODE_CORE_OUTBOX_H

#include "node/core/port.h"

#include <stdbool.h>

/* One stanza or part more may wait; below half of it live stanzas come again. */
#define OUTBOX_BYTES_MAX (16 * 1024 * 1024)

struct skipped;
struct waiting_pull;

struct outbox {
    struct mailbox *box;     /* of the worker; borrowed */
    struct skipped *skipped; /* sessions of which something was left out */
    struct waiting_pull *first_pull;
    struct waiting_pull *last_pull;
};

void outbox_init(struct outbox *outbox, struct mailbox *box);
void outbox_deinit(struct outbox *outbox);

/** Takes delivery->xml. */
void outbox_deliver(struct outbox *outbox, const struct delivery *delivery);
/** A pull came in. True: answer it now. False: it waits for outbox_next_pull(). */
bool outbox_take_pull(struct outbox *outbox, const struct delivery_pull *pull);

/** End of a turn: when there is room again, tell those that missed something. */
void outbox_settle(struct outbox *outbox);
/** After outbox_settle(): the next pull that may be answered now. */
bool outbox_next_pull(struct outbox *outbox, struct delivery_pull *pull_out);

#endif
