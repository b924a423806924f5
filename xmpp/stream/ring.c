/* A ring over one block that doubles. */
#include "xmpp/stream/ring.h"

#include "node/base/assert.h"
#include "node/base/mem.h"

#include <string.h>

#define RING_CAPACITY_MIN 8

void ring_deinit(struct ring *ring)
{
    mem_free(&ring->items);
    *ring = (struct ring){.item_size = ring->item_size};
}

static uint8_t *place(const struct ring *ring, size_t index)
{
    return ring->items + ((ring->first + index) % ring->capacity) * ring->item_size;
}

static void grow(struct ring *ring)
{
    size_t capacity = ring->capacity == 0 ? RING_CAPACITY_MIN : ring->capacity * 2;
    uint8_t *items = mem_alloc(capacity * ring->item_size);

    for (size_t i = 0; i < ring->count; i++) {
        memcpy(items + i * ring->item_size, place(ring, i), ring->item_size);
    }
    mem_free(&ring->items);
    ring->items = items;
    ring->first = 0;
    ring->capacity = capacity;
}

void *ring_push(struct ring *ring)
{
    uint8_t *item;

    ASSERT(ring->item_size > 0);
    if (ring->count == ring->capacity) {
        grow(ring);
    }
    item = place(ring, ring->count);
    ring->count++;
    memset(item, 0, ring->item_size);
    return item;
}

void *ring_at(const struct ring *ring, size_t index)
{
    ASSERT(index < ring->count);
    return place(ring, index);
}

void ring_drop(struct ring *ring)
{
    ASSERT(ring->count > 0);
    ring->first = (ring->first + 1) % ring->capacity;
    ring->count--;
    if (ring->count == 0) {
        ring_deinit(ring);
    }
}
