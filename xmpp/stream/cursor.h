/* cursor - how far a connection has come in what its session is to get. While it keeps up, stanzas
 * come by themselves. When there is more than may wait in memory, or a resume left much, it falls
 * behind: what comes is left in the state, and pulled from there part by part, in order, until a
 * part says that it was the last. Pure. */
#ifndef XMPP_STREAM_CURSOR_H
#define XMPP_STREAM_CURSOR_H

#include "xmpp/im/delivery.h"

struct cursor {
    uint64_t pending_from;   /* the first entry of the session's list not taken */
    uint64_t presence_since; /* presence that changed up to here was taken */
    bool is_behind;
    uint32_t pull;   /* number of the last pull; what answers an earlier one is void */
    bool is_pulling; /* its end is awaited */
};

/** Everything is to be pulled: a resume was confirmed, with presence known up to a position. */
void cursor_start(struct cursor *cursor, uint64_t presence_since);
/** A stanza that comes by itself is not taken: pull from here on. */
void cursor_fall_behind(struct cursor *cursor);
/** All presence is to be shown. */
void cursor_show_all(struct cursor *cursor);

/** Is this stanza the next to take? */
bool cursor_wants(const struct cursor *cursor, const struct delivery *stanza);
/** It was taken. */
void cursor_take(struct cursor *cursor, const struct delivery *stanza);

/** Begin a pull: true and where from (number, pending_from, presence_since), when one is needed and
 * none is under way. */
bool cursor_pull(struct cursor *cursor, struct delivery_pull *pull_out);
void cursor_on_pulled(struct cursor *cursor, const struct delivery *end);

#endif
