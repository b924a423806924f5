#include "storage/state/kept.h"

#include "storage/state/reply.h"
#include "storage/state/session.h"

static Pb__KeptTotalRow *total_of(struct state *state, struct arena *arena, const char *user)
{
    Pb__KeptTotalRow *total = row_get(state, arena, TABLE_KEPT_TOTAL, key_user(user));

    if (total == NULL) {
        total = arena_alloc(arena, sizeof(*total));
        pb__kept_total_row__init(total);
    }
    return total;
}

static void put_total(struct apply *a, const char *user, const Pb__KeptTotalRow *total)
{
    if (total->count == 0) {
        row_delete(a->state, TABLE_KEPT_TOTAL, key_user(user));
    } else {
        row_put(a->state, TABLE_KEPT_TOTAL, key_user(user), total);
    }
}

/* ---- setting */

static bool is_same(const Pb__Kept *one, const Pb__Kept *other)
{
    return one->kind == other->kind && strcmp(one->name, other->name) == 0 &&
           strcmp(one->ns, other->ns) == 0;
}

static int check_items(Pb__Kept **items, size_t count)
{
    if (count == 0 || count > STATE_KEEP_MAX) {
        return ERR_INVALID;
    }
    for (size_t i = 0; i < count; i++) {
        if (items[i]->name[0] == '\0') {
            return ERR_INVALID;
        }
        if (items[i]->element.len > STATE_KEPT_ELEMENT_BYTES_MAX) {
            return ERR_LIMIT;
        }
        for (size_t k = 0; k < i; k++) {
            if (is_same(items[k], items[i])) {
                return ERR_INVALID;
            }
        }
    }
    return 0;
}

static void count_item(struct apply *a, const char *user, const Pb__Kept *item,
                       Pb__KeptTotalRow *total)
{
    const Pb__KeptRow *old = state_kept(a->state, a->arena, user, item);

    if (old != NULL) {
        total->count--;
        total->bytes -= old->kept->element.len;
    }
    if (item->element.len > 0) {
        total->count++;
        total->bytes += item->element.len;
    }
}

static void put_item(struct apply *a, const char *user, Pb__Kept *item)
{
    Pb__KeptRow row = PB__KEPT_ROW__INIT;

    if (item->element.len == 0) {
        row_delete(a->state, TABLE_KEPT, key_kept(user, item));
        return;
    }
    row.kept = item;
    row_put(a->state, TABLE_KEPT, key_kept(user, item), &row);
}

/* No more than this ever stands here, so what makes it less is always taken. */
static bool is_too_much(const Pb__KeptTotalRow *total)
{
    return total->count > STATE_KEPT_MAX || total->bytes > STATE_KEPT_BYTES_MAX;
}

int kept_put(struct apply *a, const char *user, Pb__Kept **items, size_t count)
{
    Pb__KeptTotalRow *total = total_of(a->state, a->arena, user);
    int rc = check_items(items, count);

    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < count; i++) {
        count_item(a, user, items[i], total);
    }
    if (is_too_much(total)) {
        return ERR_NO_SPACE;
    }
    for (size_t i = 0; i < count; i++) {
        put_item(a, user, items[i]);
    }
    put_total(a, user, total);
    return 0;
}

/* ---- the command */

static enum stanza_error error_of(int rc)
{
    switch (rc) {
    case ERR_LIMIT:
        return STANZA_POLICY_VIOLATION;
    case ERR_NO_SPACE:
        return STANZA_RESOURCE_CONSTRAINT;
    default:
        return STANZA_NOT_ALLOWED; /* no program makes such a command */
    }
}

int keep(struct apply *a, const Pb__Keep *command)
{
    struct reply reply = {.from = command->from, .id = command->iq_id, .lang = command->iq_lang};
    Pb__SessionRow *row;
    int rc = session_take(a, command->from, &row);

    if (rc != 0) {
        return rc;
    }
    reply.session = row;
    rc = kept_put(a, row->user, command->items, command->n_items);
    if (rc == 0) {
        reply_done(a, &reply);
    } else {
        reply_refused(a, &reply, error_of(rc));
    }
    return 0;
}

/* ---- erasure */

size_t kept_erasure_rows(struct state *state, struct arena *arena, const char *user)
{
    size_t count = total_of(state, arena, user)->count;

    return count < KEPT_ERASED_MAX ? count : KEPT_ERASED_MAX;
}

bool kept_erase_step(struct apply *a, const char *user)
{
    struct row_list list = rows_collect(a->state, a->arena, TABLE_KEPT, key_user(user),
                                        slice_make(NULL, 0), KEPT_ERASED_MAX);
    Pb__KeptTotalRow *total = total_of(a->state, a->arena, user);

    for (size_t i = 0; i < list.count; i++) {
        const Pb__KeptRow *row = list.items[i].row;

        kv_delete(a->state->kv, TABLE_KEPT, list.items[i].key);
        total->count--;
        total->bytes -= row->kept->element.len;
    }
    if (list.count > 0) {
        put_total(a, user, total);
    }
    return list.count < KEPT_ERASED_MAX;
}
