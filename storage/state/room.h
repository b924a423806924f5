/* room - which commands go into the log while the store has hardly any room left, and what stands
 * for the others (DESIGN 3). Pure; used by the leader, before the log. */
#ifndef STORAGE_STATE_ROOM_H
#define STORAGE_STATE_ROOM_H

#include "node/base/buf.h"
#include "node/base/err.h"

/** False: the command passes. It takes from the state (acks, ends, removals, expiry), or what it
 * adds is bounded and needed to take from it: clients come in (Bind, Resume), say that they are
 * there, ask for their roster and are given what waits for them; answers finish what was asked.
 * True: it is content (messages, requests, new contacts, accounts, domains), and what stands for it
 * is appended to out: a Bounce for a stanza, else Empty with reason. What has to pass but is larger
 * than STANZA_SMALL_BYTES_MAX stands there without its content. All have its Ref. */
bool room_refuse(struct slice command, enum err reason, struct buf *out);

#endif
