/* part - what one pull takes out of the state: of all that waits for a session, in whatever order
 * it is found, what stands first in the order of the cluster, cut off by bytes. So neither memory
 * nor the work for one pull grows with what waits. Internal to xmpp/im. Pure. */
#ifndef XMPP_IM_PART_H
#define XMPP_IM_PART_H

#include "node/base/blob.h"
#include "xmpp/im/delivery.h"

struct part_item {
    uint64_t position;
    size_t order; /* in which it was added: of those at one position, it stays */
    enum delivery_kind kind;
    size_t cost;
    struct blob *xml;
};

struct part {
    struct part_item *items;
    size_t count;
    size_t capacity;
    size_t added;
    size_t cost;   /* of the items */
    size_t cut_at; /* cost after the last cut */
    size_t cost_max;
    uint64_t before; /* what stands here or later is for another part */
};

/** The item that reaches cost_max is the last. */
void part_init(struct part *part, size_t cost_max);
void part_deinit(struct part *part);

/** May what stands at position be of this part? */
bool part_wants(const struct part *part, uint64_t position);
/** For who adds in order: is there no place for more? */
bool part_is_full(const struct part *part);
/** What stands at position or later is for another part. */
void part_end_before(struct part *part, uint64_t position);
/** Add a stanza; its cost is that of its bytes or of what was read for it, whichever is more. */
void part_add(struct part *part, enum delivery_kind kind, uint64_t position, struct slice xml,
              size_t read);
/** All was added: sort the items and drop those that are for another part. What stands at one
 * position stays together. */
void part_cut(struct part *part);
/** Is nothing left for another part? */
bool part_is_last(const struct part *part);

#endif
