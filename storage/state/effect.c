#include "storage/state/effect.h"

#define EFFECTS_CAPACITY_MIN 16

void effects_init(struct effects *effects, struct arena *arena)
{
    *effects = (struct effects){.arena = arena};
}

struct effect *effects_push(struct effects *effects, enum effect_kind kind)
{
    struct effect *effect;

    if (effects->count == effects->capacity) {
        size_t capacity = effects->capacity == 0 ? EFFECTS_CAPACITY_MIN : 2 * effects->capacity;
        struct effect *items = arena_alloc(effects->arena, capacity * sizeof(*items));

        if (effects->count > 0) {
            memcpy(items, effects->items, effects->count * sizeof(*items));
        }
        effects->items = items;
        effects->capacity = capacity;
    }
    effect = &effects->items[effects->count++];
    *effect = (struct effect){.kind = kind};
    return effect;
}

void effects_clear(struct effects *effects)
{
    effects->items = NULL; /* they lived in the arena, which the caller resets */
    effects->count = 0;
    effects->capacity = 0;
}
