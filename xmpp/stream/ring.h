/* ring - a growable queue of small items of one size: in at the end, out at the front. An empty one
 * holds no memory, so that an idle stream costs nothing. */
#ifndef XMPP_STREAM_RING_H
#define XMPP_STREAM_RING_H

#include <stddef.h>
#include <stdint.h>

struct ring {
    uint8_t *items;
    size_t item_size;
    size_t first; /* index of the front item */
    size_t count;
    size_t capacity;
};

#define RING_OF(type) ((struct ring){.item_size = sizeof(type)})

/** Free the memory; what items point to is the caller's. */
void ring_deinit(struct ring *ring);
/** A zeroed item at the end; valid until the next call. */
void *ring_push(struct ring *ring);
/** Item by index, 0 is the front; it must exist. Valid until the next push or drop. */
void *ring_at(const struct ring *ring, size_t index);
/** Remove the front item, which must exist. */
void ring_drop(struct ring *ring);

#endif
