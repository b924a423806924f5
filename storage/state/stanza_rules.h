/* stanza_rules - what the RFCs say of a stanza by its kind and type alone, and of a roster item by
 * its subscription: the same for who makes a command of it, applies it and writes it out. Pure. */
#ifndef STORAGE_STATE_STANZA_RULES_H
#define STORAGE_STATE_STANZA_RULES_H

#include "node/base/buf.h"
#include "storage/state/schema.pb-c.h"

#include <stdbool.h>

bool stanza_is(const Pb__Stanza *stanza, const char *type);
/** Is a stanza's type one of these? */
bool stanza_type_in(const char *type, const char *const *types, size_t count);
/** Of an IQ: does it end a request (RFC 6120 §8.2.3)? */
bool stanza_is_answer(const Pb__Stanza *stanza);
/** Errors are answered by nothing (RFC 6120 §8.3.1), IQ results neither (§8.2.3). */
bool stanza_wants_no_error(const Pb__Stanza *stanza);
/** Of presence: does it ask for, grant or end a subscription (RFC 6121 §3)? */
bool stanza_is_subscription(const Pb__Stanza *stanza);
/** Of a message: may it wait for a user who is away? Chat and normal, which is also what an unknown
 * type means (RFC 6121 §5.2.2). */
bool stanza_may_wait(const Pb__Stanza *stanza);
/** Bytes of a stanza that its sender chose freely: all but its addresses. */
size_t stanza_content_bytes(const Pb__Stanza *stanza);
/** The element that says what is wrong (RFC 6120 §8.3.2), appended to out. */
void stanza_write_error(const char *type, const char *condition, struct buf *out);

/** Does its owner see the presence of the contact (RFC 6121 §2.1.2.5: to or both)? */
bool roster_item_sees(const Pb__RosterItem *item);
/** Does the contact see that of its owner (from or both)? */
bool roster_item_is_seen(const Pb__RosterItem *item);

#endif
