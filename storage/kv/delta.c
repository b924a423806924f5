#include "storage/kv/delta.h"

#define RANDOM_SEED 0x9e3779b97f4a7c15u

void delta_init(struct delta *delta, struct arena *arena)
{
    *delta = (struct delta){.arena = arena, .random = RANDOM_SEED};
}

/* Zeros behind a short key keep the order: where two prefixes differ, so do the keys, alike. */
static uint64_t key_prefix(struct slice key)
{
    uint64_t prefix = 0;
    size_t len = key.len < sizeof(prefix) ? key.len : sizeof(prefix);

    for (size_t i = 0; i < len; i++) {
        prefix |= (uint64_t)key.data[i] << (8 * (sizeof(prefix) - 1 - i));
    }
    return prefix;
}

static bool row_is_before(const struct delta_row *row, uint64_t prefix, struct slice key)
{
    if (row->key_prefix != prefix) {
        return row->key_prefix < prefix;
    }
    return slice_cmp(delta_row_key(row), key) < 0;
}

int delta_row_cmp(const struct delta_row *a, const struct delta_row *b)
{
    if (a->key_prefix != b->key_prefix) {
        return a->key_prefix < b->key_prefix ? -1 : 1;
    }
    return slice_cmp(delta_row_key(a), delta_row_key(b));
}

const struct delta_row *delta_seek(const struct delta *delta, struct slice from)
{
    uint64_t prefix = key_prefix(from);
    struct delta_row *const *links = delta->first;

    for (unsigned level = delta->level_count; level-- > 0;) {
        while (links[level] != NULL && row_is_before(links[level], prefix, from)) {
            links = links[level]->next;
        }
    }
    return links[0];
}

const struct delta_row *delta_find(const struct delta *delta, struct slice key)
{
    const struct delta_row *row = delta_seek(delta, key);

    return row != NULL && slice_eq(delta_row_key(row), key) ? row : NULL;
}

const struct delta_row *delta_next(const struct delta_row *row)
{
    return row->next[0];
}

/* xorshift64 (Marsaglia 2003); every two zero bits raise the row by one level. */
static unsigned draw_level_count(struct delta *delta)
{
    uint64_t bits;
    unsigned levels = 1;

    delta->random ^= delta->random << 13;
    delta->random ^= delta->random >> 7;
    delta->random ^= delta->random << 17;
    for (bits = delta->random; (bits & 3) == 0 && levels < DELTA_LEVELS_MAX; bits >>= 2) {
        levels++;
    }
    return levels;
}

static struct delta_row *row_new(struct delta *delta, struct slice key, unsigned levels)
{
    size_t size = sizeof(struct delta_row) + levels * sizeof(struct delta_row *);
    struct delta_row *row = arena_alloc(delta->arena, size);

    row->key_prefix = key_prefix(key);
    row->key = arena_alloc(delta->arena, key.len);
    row->key_len = (uint32_t)key.len;
    memcpy(row->key, key.data, key.len);
    delta->row_count++;
    delta->bytes += size + key.len;
    return row;
}

/* The row of key; a new one has no value yet. */
static struct delta_row *find_or_insert(struct delta *delta, struct slice key)
{
    struct delta_row **after[DELTA_LEVELS_MAX]; /* the link into which a new row would go */
    struct delta_row **links = delta->first;
    uint64_t prefix = key_prefix(key);
    struct delta_row *row;
    unsigned levels;

    for (unsigned level = DELTA_LEVELS_MAX; level-- > 0;) {
        while (links[level] != NULL && row_is_before(links[level], prefix, key)) {
            links = links[level]->next;
        }
        after[level] = &links[level];
    }
    row = *after[0];
    if (row != NULL && slice_eq(delta_row_key(row), key)) {
        return row;
    }

    levels = draw_level_count(delta);
    row = row_new(delta, key, levels);
    for (unsigned level = 0; level < levels; level++) {
        row->next[level] = *after[level];
        *after[level] = row;
    }
    delta->level_count = levels > delta->level_count ? levels : delta->level_count;
    return row;
}

/* Hot rows are written again and again: their memory is reused, and grows in doubling steps. */
static void row_reserve(struct delta *delta, struct delta_row *row, size_t len)
{
    size_t doubled = (size_t)row->value_capacity * 2;
    size_t capacity = len > doubled ? len : doubled;

    if (len <= row->value_capacity) {
        return;
    }
    row->value = arena_alloc(delta->arena, capacity);
    row->value_capacity = (uint32_t)capacity;
    delta->bytes += capacity;
}

void delta_put(struct delta *delta, struct slice key, struct slice value)
{
    struct delta_row *row = find_or_insert(delta, key);

    row_reserve(delta, row, value.len);
    if (value.len > 0) {
        memmove(row->value, value.data, value.len); /* value may be a part of the old one */
    }
    row->value_len = (uint32_t)value.len;
    row->deleted = false;
}

void delta_delete(struct delta *delta, struct slice key)
{
    struct delta_row *row = find_or_insert(delta, key);

    row->value_len = 0;
    row->deleted = true;
}
