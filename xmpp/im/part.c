#include "xmpp/im/part.h"

#include "node/base/mem.h"

#include <stdlib.h>

#define CAPACITY_MIN 16

void part_init(struct part *part, size_t cost_max)
{
    *part = (struct part){.cost_max = cost_max, .before = UINT64_MAX};
}

void part_deinit(struct part *part)
{
    while (part->count > 0) {
        blob_unref(&part->items[--part->count].xml);
    }
    mem_release(part->items);
    part->items = NULL;
}

bool part_wants(const struct part *part, uint64_t position)
{
    return position < part->before;
}

bool part_is_full(const struct part *part)
{
    return part->cost >= part->cost_max;
}

void part_end_before(struct part *part, uint64_t position)
{
    if (position < part->before) {
        part->before = position;
    }
}

bool part_is_last(const struct part *part)
{
    return part->before == UINT64_MAX;
}

static int compare(const void *left, const void *right)
{
    const struct part_item *a = left;
    const struct part_item *b = right;

    if (a->position != b->position) {
        return a->position < b->position ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

/* Is the item at index of the part, with what stands before it? One is at least. */
static bool has_place(const struct part *part, size_t index, size_t cost)
{
    return index == 0 || cost < part->cost_max ||
           part->items[index].position == part->items[index - 1].position;
}

void part_cut(struct part *part)
{
    size_t kept = 0;
    size_t cost = 0;

    if (part->count == 0) {
        return;
    }
    qsort(part->items, part->count, sizeof(*part->items), compare);
    while (kept < part->count && part_wants(part, part->items[kept].position) &&
           has_place(part, kept, cost)) {
        cost += part->items[kept++].cost;
    }
    if (kept < part->count && part_wants(part, part->items[kept].position)) {
        part_end_before(part, part->items[kept].position);
    }
    while (part->count > kept) {
        blob_unref(&part->items[--part->count].xml);
    }
    part->cost = cost;
    part->cut_at = cost;
}

/* With twice as much as fits, only what fits is kept. */
void part_add(struct part *part, enum delivery_kind kind, uint64_t position, struct slice xml,
              size_t read)
{
    struct part_item *item;

    if (part->count == part->capacity) {
        part->capacity = part->capacity == 0 ? CAPACITY_MIN : 2 * part->capacity;
        part->items = mem_realloc(part->items, part->capacity * sizeof(*part->items));
    }
    item = &part->items[part->count++];
    *item = (struct part_item){.position = position,
                               .order = part->added++,
                               .kind = kind,
                               .cost = xml.len > read ? xml.len : read,
                               .xml = blob_new(xml)};
    part->cost += item->cost;
    if (part->cost - part->cut_at > part->cost_max) {
        part_cut(part);
    }
}
