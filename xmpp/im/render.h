/* render - stored stanzas as bytes of a client stream (default namespace jabber:client). Pure. */
#ifndef XMPP_IM_RENDER_H
#define XMPP_IM_RENDER_H

#include "storage/state/schema.pb-c.h"

#include "node/base/buf.h"

/** Append one stanza. to: its recipient as written, or NULL for the stanza's own. Adds XEP-0359
 * stanza-id to messages with a position and XEP-0203 delay to delayed ones. */
void render_stanza(const Pb__Stanza *stanza, const char *to, struct buf *out);
/** Append a message as the copy that a session with the full address to is told (XEP-0280 §7, §8).
 */
void render_copy(const Pb__Stanza *message, Pb__Copy copy, const char *to, struct buf *out);
/** Append an unavailable presence of a full address (RFC 6121 §4.5). */
void render_unavailable(const char *from, const char *to, struct buf *out);
/** Append a roster push (RFC 6121 §2.1.6) for the session with address to. */
void render_push(const Pb__RosterPush *push, const char *to, struct buf *out);
/** Append one roster item (RFC 6121 §2.1.2) as clients see it. */
void render_roster_item(const Pb__RosterItem *item, bool removed, struct buf *out);
/** Append a time as XEP-0082 wants it. */
void render_time(uint64_t wall_ms, struct buf *out);

#endif
