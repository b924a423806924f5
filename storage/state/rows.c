#include "storage/state/rows.h"

#include <protobuf-c/protobuf-c.h>

#define LIST_CAPACITY_MIN 8

static const ProtobufCMessageDescriptor *const descriptors[TABLE_COUNT] = {
    [TABLE_META] = &pb__meta_row__descriptor,
    [TABLE_NODE] = &pb__node_row__descriptor,
    [TABLE_INCARNATION] = &pb__incarnation_row__descriptor,
    [TABLE_DOMAIN] = &pb__domain_row__descriptor,
    [TABLE_ACCOUNT] = &pb__account_row__descriptor,
    [TABLE_ROSTER] = &pb__roster_row__descriptor,
    [TABLE_SESSION] = &pb__session_row__descriptor,
    [TABLE_SESSION_OF] = &pb__session_of_row__descriptor,
    [TABLE_OWNED] = &pb__owned_row__descriptor,
    [TABLE_DEADLINE] = &pb__deadline_row__descriptor,
    [TABLE_RESUME] = &pb__resume_row__descriptor,
    [TABLE_ENDED] = &pb__tombstone_row__descriptor,
    [TABLE_PENDING] = &pb__pending_row__descriptor,
    [TABLE_STANZA] = &pb__stanza_row__descriptor,
    [TABLE_STANZA_REFS] = &pb__stanza_refs_row__descriptor,
    [TABLE_PRESENCE] = &pb__presence_row__descriptor,
    [TABLE_TOMBSTONE] = &pb__tombstone_row__descriptor,
    [TABLE_DIRECTED] = &pb__directed_row__descriptor,
    [TABLE_OFFLINE] = &pb__offline_row__descriptor,
    [TABLE_OFFLINE_TOTAL] = &pb__offline_total_row__descriptor,
    [TABLE_ERASURE] = &pb__erasure_row__descriptor,
    [TABLE_SECRETS] = &pb__secrets_row__descriptor,
    [TABLE_ENDED_OF] = &pb__ended_of_row__descriptor,
    [TABLE_ROSTER_ITEM] = &pb__roster_item__descriptor,
    [TABLE_SHOWN] = &pb__shown_row__descriptor,
    [TABLE_GROUP] = &pb__group_row__descriptor,
    [TABLE_ASSIGNMENT] = &pb__assignment_row__descriptor,
    [TABLE_HOME] = &pb__home_row__descriptor,
    [TABLE_ALARM] = &pb__alarm_row__descriptor,
    [TABLE_CLUSTER] = &pb__cluster_row__descriptor,
    [TABLE_KEPT] = &pb__kept_row__descriptor,
    [TABLE_KEPT_TOTAL] = &pb__kept_total_row__descriptor,
};

const ProtobufCMessageDescriptor *row_descriptor(enum table table)
{
    return descriptors[table];
}

static void *row_decode(struct arena *arena, enum table table, struct slice value)
{
    void *row = protobuf_c_message_unpack(descriptors[table], &arena->pb, value.len, value.data);

    ASSERT(row != NULL);
    return row;
}

void *row_get(struct state *state, struct arena *arena, enum table table, struct key key)
{
    struct slice value;

    if (key.invalid || !kv_get(state->kv, table, key_slice(&key), &value)) {
        return NULL;
    }
    return row_decode(arena, table, value);
}

bool row_exists(struct state *state, enum table table, struct key key)
{
    struct slice value;

    return !key.invalid && kv_get(state->kv, table, key_slice(&key), &value);
}

void row_put(struct state *state, enum table table, struct key key, const void *row)
{
    const ProtobufCMessage *message = row;
    size_t size;

    ASSERT(!key.invalid);
    ASSERT(message->descriptor == descriptors[table]);
    size = protobuf_c_message_get_packed_size(message);
    buf_clear(&state->value);
    protobuf_c_message_pack(message, buf_reserve(&state->value, size + 1));
    buf_commit(&state->value, size);
    kv_put(state->kv, table, key_slice(&key), buf_slice(&state->value));
}

void row_delete(struct state *state, enum table table, struct key key)
{
    if (!key.invalid) {
        kv_delete(state->kv, table, key_slice(&key));
    }
}

/* Keys with a prefix, from one key to another. from and last may be empty. */
struct range {
    struct slice prefix;
    struct slice from;
    struct slice last;
};

static bool is_in(const struct range *range, struct slice key)
{
    return slice_starts_with(key, range->prefix) &&
           (range->last.len == 0 || slice_cmp(key, range->last) <= 0);
}

static void range_each(struct state *state, struct arena *arena, enum table table,
                       const struct range *range, row_visit visit, void *ctx)
{
    struct slice start = slice_cmp(range->from, range->prefix) > 0 ? range->from : range->prefix;
    struct kv_iter *iter = kv_iter_open(state->kv, table, start);
    struct slice key, value;

    while (kv_iter_next(iter, &key, &value) && is_in(range, key)) {
        if (!visit(ctx, key, row_decode(arena, table, value))) {
            break;
        }
    }
    kv_iter_close(&iter);
}

void rows_each(struct state *state, struct arena *arena, enum table table, struct key prefix,
               struct slice from, row_visit visit, void *ctx)
{
    const struct range range = {.prefix = key_slice(&prefix), .from = from};

    if (!prefix.invalid) {
        range_each(state, arena, table, &range, visit, ctx);
    }
}

struct collection {
    struct arena *arena;
    struct row_list list;
    size_t capacity;
    size_t max;
};

static bool collect(void *ctx, struct slice key, void *row)
{
    struct collection *to = ctx;

    if (to->list.count == to->capacity) {
        size_t capacity = to->capacity == 0 ? LIST_CAPACITY_MIN : 2 * to->capacity;
        struct row_entry *items = arena_alloc(to->arena, capacity * sizeof(*items));

        if (to->list.count > 0) {
            memcpy(items, to->list.items, to->list.count * sizeof(*items));
        }
        to->list.items = items;
        to->capacity = capacity;
    }
    to->list.items[to->list.count++] =
        (struct row_entry){.key = arena_copy(to->arena, key), .row = row};
    return to->list.count < to->max;
}

struct row_list rows_collect(struct state *state, struct arena *arena, enum table table,
                             struct key prefix, struct slice from, size_t max)
{
    struct collection to = {.arena = arena, .max = max};

    if (max > 0) {
        rows_each(state, arena, table, prefix, from, collect, &to);
    }
    return to.list;
}

struct row_list rows_up_to(struct state *state, struct arena *arena, enum table table,
                           struct key prefix, struct key last)
{
    const struct range range = {.prefix = key_slice(&prefix), .last = key_slice(&last)};
    struct collection to = {.arena = arena, .max = SIZE_MAX};

    if (!prefix.invalid && !last.invalid) {
        range_each(state, arena, table, &range, collect, &to);
    }
    return to.list;
}

struct row_list rows_all(struct state *state, struct arena *arena, enum table table,
                         struct key prefix)
{
    return rows_collect(state, arena, table, prefix, slice_make(NULL, 0), SIZE_MAX);
}

bool rows_any(struct state *state, enum table table, struct key prefix)
{
    struct slice key, value;
    struct kv_iter *iter = kv_iter_open(state->kv, table, key_slice(&prefix));
    bool any = kv_iter_next(iter, &key, &value) && slice_starts_with(key, key_slice(&prefix));

    kv_iter_close(&iter);
    return any;
}
