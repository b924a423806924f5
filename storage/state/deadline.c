#include "storage/state/deadline.h"

#include "storage/state/account.h"

#include <stdlib.h>

void deadline_put(struct apply *a, uint64_t deadline_ms, Pb__DeadlineKind kind, uint64_t session,
                  Pb__DeadlineRow *row)
{
    row->session = session;
    row_put(a->state, TABLE_DEADLINE, key_deadline(deadline_ms, (unsigned)kind, session), row);
}

void deadline_delete(struct apply *a, uint64_t deadline_ms, Pb__DeadlineKind kind, uint64_t session)
{
    row_delete(a->state, TABLE_DEADLINE, key_deadline(deadline_ms, (unsigned)kind, session));
}

/* ---- what is due: deadlines of their own, and those that follow from dead incarnations */

struct due_list {
    struct state *state;
    struct arena *arena;
    uint64_t now_ms;
    size_t max;
    Pb__Expire__Item **items;
    size_t count;
    size_t capacity;
    uint64_t ended_ms; /* of the incarnation being looked at */
    size_t rows;       /* that the items touch, beyond a few each */
};

static void add(struct due_list *due, Pb__DeadlineKind kind, uint64_t session, uint32_t epoch,
                uint64_t deadline_ms)
{
    Pb__Expire__Item *item = arena_alloc(due->arena, sizeof(*item));

    pb__expire__item__init(item);
    item->kind = kind;
    item->session = session;
    item->epoch = epoch;
    item->deadline_ms = deadline_ms;
    if (due->count == due->capacity) {
        size_t capacity = 2 * due->capacity + 1;
        Pb__Expire__Item **items = arena_alloc(due->arena, capacity * sizeof(Pb__Expire__Item *));

        if (due->count > 0) {
            memcpy(items, due->items, due->count * sizeof(Pb__Expire__Item *));
        }
        due->items = items;
        due->capacity = capacity;
    }
    due->items[due->count++] = item;
}

static uint32_t epoch_of(struct due_list *due, uint64_t session)
{
    const Pb__SessionRow *row = state_session(due->state, due->arena, session);

    ASSERT(row != NULL); /* indexes name what is there */
    return row->epoch;
}

/* Steps of erasures, which all stand before the first deadline, as far as there is room for them.
 */
static bool visit_erasure(void *ctx, struct slice key, void *row)
{
    struct due_list *due = ctx;
    const Pb__DeadlineRow *deadline = row;

    if (get_u64(key.data) != DEADLINE_AT_ONCE || due->count == due->max) {
        return false;
    }
    due->rows += account_erasure_rows(due->state, due->arena, deadline->user);
    if (due->count > 0 && due->rows > STATE_EXPIRE_ROWS_MAX) {
        return false;
    }
    add(due, PB__DEADLINE_KIND__ERASURE, key_last_u64(key), 0, DEADLINE_AT_ONCE);
    return true;
}

static bool visit_deadline(void *ctx, struct slice key, void *row)
{
    struct due_list *due = ctx;
    uint64_t deadline_ms = get_u64(key.data);
    Pb__DeadlineKind kind = (Pb__DeadlineKind)get_u32(key.data + 8);
    uint64_t session = key_last_u64(key);

    (void)row;
    if (deadline_ms > due->now_ms || due->count == due->max) {
        return false;
    }
    add(due, kind, session, kind == PB__DEADLINE_KIND__SESSION ? epoch_of(due, session) : 0,
        deadline_ms);
    return true;
}

static bool visit_owned(void *ctx, struct slice key, void *row)
{
    struct due_list *due = ctx;
    uint32_t window_ms = get_u32(key.data + 8);
    uint64_t session = key_last_u64(key);

    (void)row;
    if (window_ms == UINT32_MAX || due->ended_ms + window_ms > due->now_ms ||
        due->count == due->max) {
        return false;
    }
    add(due, PB__DEADLINE_KIND__SESSION, session, epoch_of(due, session),
        due->ended_ms + window_ms);
    return true;
}

static int compare(const void *left, const void *right)
{
    const Pb__Expire__Item *a = *(Pb__Expire__Item *const *)left;
    const Pb__Expire__Item *b = *(Pb__Expire__Item *const *)right;

    if (a->deadline_ms != b->deadline_ms) {
        return a->deadline_ms < b->deadline_ms ? -1 : 1;
    }
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    return (a->session > b->session) - (a->session < b->session);
}

/* How many rows the end of one item may touch, beyond a few. */
static size_t rows_of(struct due_list *due, const Pb__Expire__Item *item)
{
    return item->kind == PB__DEADLINE_KIND__SESSION
               ? state_session(due->state, due->arena, item->session)->pending_count
               : 0;
}

/* Keep the oldest, as many as touch no more rows than one command should. */
static void bound(struct due_list *due)
{
    size_t count = 0;

    while (count < due->count && count < due->max) {
        size_t rows = rows_of(due, due->items[count]);

        if (count > 0 && due->rows + rows > STATE_EXPIRE_ROWS_MAX) {
            break;
        }
        due->rows += rows;
        count++;
    }
    due->count = count;
}

size_t state_due(struct state *state, struct arena *arena, uint64_t now_ms, size_t max,
                 Pb__Expire *out)
{
    struct due_list due = {.state = state, .arena = arena, .now_ms = now_ms, .max = max};
    const struct key first = key_deadline(DEADLINE_AT_ONCE + 1, 0, 0);
    struct row_list lives;

    rows_each(state, arena, TABLE_DEADLINE, (struct key){.len = 0}, key_slice(&first),
              visit_deadline, &due);
    lives = rows_all(state, arena, TABLE_INCARNATION, (struct key){.len = 0});
    for (size_t i = 0; i < lives.count; i++) {
        const Pb__IncarnationRow *life = lives.items[i].row;

        if (life->up) {
            continue;
        }
        due.max = due.count + max; /* so many of each; the oldest of all remain */
        due.ended_ms = life->ended_ms;
        rows_each(state, arena, TABLE_OWNED, key_bytes(lives.items[i].key), slice_make(NULL, 0),
                  visit_owned, &due);
    }
    if (due.count > 0) {
        qsort(due.items, due.count, sizeof(*due.items), compare);
    }
    due.max = max;
    bound(&due);
    rows_each(state, arena, TABLE_DEADLINE, (struct key){.len = 0}, slice_make(NULL, 0),
              visit_erasure, &due);
    pb__expire__init(out);
    out->n_items = due.count;
    out->items = due.items;
    return out->n_items;
}

bool state_has_deadlines(struct state *state)
{
    struct arena arena;
    struct row_list lives;
    bool found = rows_any(state, TABLE_DEADLINE, (struct key){.len = 0});

    arena_init(&arena);
    lives = rows_all(state, &arena, TABLE_INCARNATION, (struct key){.len = 0});
    for (size_t i = 0; i < lives.count && !found; i++) {
        found = !((const Pb__IncarnationRow *)lives.items[i].row)->up; /* kept for its sessions */
    }
    arena_deinit(&arena);
    return found;
}
