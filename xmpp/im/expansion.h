/* expansion - one look at the state for the sessions of this node: what the ways from state to
 * deliveries share. Internal to xmpp/im; lives for one im_expand() or im_catch_up(). Pure. */
#ifndef XMPP_IM_EXPANSION_H
#define XMPP_IM_EXPANSION_H

#include "xmpp/im/im.h"

struct expansion {
    const struct im_view *view;
    struct arena *arena; /* of what is selected: reset by who selects many */
    struct buf xml;      /* scratch */

    /* the session being written to */
    uint64_t session;
    const Pb__SessionRow *row;
    const char *address; /* full */
};

/** Make session the one that is written to. False when no connection of this node may be. */
bool expansion_select(struct expansion *x, uint64_t session);
/** The connection of the selected session. */
struct owner expansion_owner(const struct expansion *x);
/** Render one entry of the session's list into x->xml; false for what nobody sees. arena: holds
 * what must be read for it; its caller resets it after each entry, since an answer may read a lot.
 */
bool expansion_render_pending(struct expansion *x, const Pb__PendingRow *row, struct arena *arena);
/** Hand out what stands in x->xml, as one stanza for the selected session. pull: see delivery.h. */
void expansion_deliver(struct expansion *x, enum delivery_kind kind, uint64_t position,
                       uint32_t pull);

#endif
