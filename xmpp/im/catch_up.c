/* What waits for a session, in parts: after a confirmed resume, at its initial presence, or because
 * its client takes it slower than it comes. Each part is cut off by bytes, those
 * written or those read for them; the next begins where the last ended, so that neither the memory
 * of a connection nor the work of a pull grows with the list. */
#include "node/base/mem.h"
#include "xmpp/im/expansion.h"
#include "xmpp/im/render.h"

#include <stdlib.h>

/* One presence stanza of a part, kept until the part is known. */
struct shown {
    uint64_t position;
    struct blob *xml;
};

struct catch_up {
    struct expansion x;
    const struct delivery_pull *pull;
    size_t bytes_left;
    bool is_complete;
    struct arena entry; /* of one pending entry */

    /* presence: what changed earliest of all that changed since pull->presence_since */
    struct shown *shown;
    size_t shown_count;
    size_t shown_capacity;
    size_t shown_bytes;
    uint64_t shown_before; /* what changed here or later is for another part */
    const char *user;      /* whose presence is looked at */
    struct arena *arena;   /* of that look */
    bool is_user_there;
};

/* ---- pending */

/* What an entry takes off the part: what is written, or what was read for it. A large request may
 * have a tiny answer, and a tiny answer may come from much. */
static void charge(struct catch_up *c)
{
    size_t written = buf_len(&c->x.xml);
    size_t read = arena_used(&c->entry);
    size_t cost = written > read ? written : read;

    c->bytes_left -= cost < c->bytes_left ? cost : c->bytes_left;
}

static bool visit_pending(void *ctx, uint64_t position, const Pb__PendingRow *row)
{
    struct catch_up *c = ctx;

    if (c->bytes_left == 0) {
        c->is_complete = false;
        return false;
    }
    if (expansion_render_pending(&c->x, row, &c->entry)) {
        charge(c);
        expansion_deliver(&c->x, DELIVERY_PENDING, position, c->pull->number);
    }
    arena_reset(&c->entry); /* row is in it, too */
    return true;
}

static void show_pending(struct catch_up *c)
{
    arena_init(&c->entry);
    state_each_pending(c->x.view->state, &c->entry, c->pull->session, c->pull->pending_from,
                       visit_pending, c);
    arena_deinit(&c->entry);
}

/* ---- presence, in order of its changes */

static int compare_shown(const void *left, const void *right)
{
    const struct shown *a = left;
    const struct shown *b = right;

    return a->position < b->position ? -1 : a->position > b->position;
}

/* Keep what changed earliest, as much as is left of the part; at least one. Changes at the same
 * position stay together. */
static void cut_shown(struct catch_up *c)
{
    size_t kept = 0;
    size_t bytes = 0;

    if (c->shown_count > 0) {
        qsort(c->shown, c->shown_count, sizeof(*c->shown), compare_shown);
    }
    while (kept < c->shown_count &&
           (bytes < c->bytes_left || c->shown[kept].position == c->shown[kept - 1].position)) {
        bytes += blob_slice(c->shown[kept].xml).len;
        kept++;
    }
    if (kept < c->shown_count) {
        c->shown_before = c->shown[kept].position;
    }
    while (c->shown_count > kept) {
        blob_unref(&c->shown[--c->shown_count].xml);
    }
    c->shown_bytes = bytes;
}

static bool is_wanted(const struct catch_up *c, uint64_t position)
{
    return position > c->pull->presence_since && position < c->shown_before;
}

/* Takes what stands in x.xml. With twice as much as fits, only what fits is kept: so the memory is
 * bounded whatever the roster holds. */
static void add_shown(struct catch_up *c, uint64_t position)
{
    if (c->shown_count == c->shown_capacity) {
        c->shown_capacity = c->shown_capacity == 0 ? 16 : 2 * c->shown_capacity;
        c->shown = mem_realloc(c->shown, c->shown_capacity * sizeof(*c->shown));
    }
    c->shown[c->shown_count++] =
        (struct shown){.position = position, .xml = blob_new(buf_slice(&c->x.xml))};
    c->shown_bytes += buf_len(&c->x.xml);
    buf_clear(&c->x.xml);
    if (c->shown_bytes / 2 > c->bytes_left) {
        cut_shown(c);
    }
}

static bool visit_presence(void *ctx, const Pb__PresenceRow *row)
{
    struct catch_up *c = ctx;

    c->is_user_there = true;
    if (is_wanted(c, row->position)) {
        render_stanza(state_shown(c->x.view->state, c->arena, c->user, row->session), c->x.address,
                      &c->x.xml);
        add_shown(c, row->position);
    }
    return true;
}

/* Who left before the session became available was never shown to it. */
static void show_end(struct catch_up *c, const char *from, uint64_t position)
{
    if (is_wanted(c, position) && position > c->x.row->initial_position) {
        render_unavailable(from, c->x.address, &c->x.xml);
        add_shown(c, position);
    }
}

static bool visit_tombstone(void *ctx, const Pb__TombstoneRow *row)
{
    struct catch_up *c = ctx;
    struct buf from = BUF_EMPTY;

    buf_printf(&from, "%s/%s", c->user, row->resource);
    show_end(c, buf_text(&from), row->position);
    buf_deinit(&from);
    return true;
}

/* A client that is so late that ends are forgotten which it never saw: what it may still show of
 * somebody who is not there at all ends by the bare address. */
static void show_forgotten(struct catch_up *c, struct arena *arena)
{
    const Pb__AccountRow *account = state_account(c->x.view->state, arena, c->user);

    if (account != NULL && !c->is_user_there) {
        show_end(c, c->user, account->forgotten_position);
    }
}

/* The rows of one user are looked at and forgotten: of a long roster they would fill the arena. */
static void look_at(struct catch_up *c, const char *user)
{
    const struct im_view *view = c->x.view;
    struct arena arena;

    arena_init(&arena);
    c->user = user;
    c->arena = &arena;
    c->is_user_there = false;
    state_each_tombstone(view->state, &arena, user, c->pull->presence_since, visit_tombstone, c);
    state_each_presence(view->state, &arena, user, visit_presence, c);
    show_forgotten(c, &arena);
    arena_deinit(&arena);
}

static bool sees(const Pb__RosterItem *item)
{
    return item->subscription == PB__ROSTER_ITEM__SUBSCRIPTION__TO ||
           item->subscription == PB__ROSTER_ITEM__SUBSCRIPTION__BOTH;
}

static bool visit_contact(void *ctx, const Pb__RosterItem *item)
{
    if (sees(item)) {
        look_at(ctx, item->contact);
    }
    return true;
}

/* What the session may see: its user's sessions, itself among them (RFC 6121 §4.2.2), and those of
 * its contacts. */
static void show_presence(struct catch_up *c)
{
    const char *user = c->x.row->user;

    c->shown_before = UINT64_MAX;
    look_at(c, user);
    state_each_roster_item(c->x.view->state, user, visit_contact, c);
    cut_shown(c);
    c->is_complete = c->shown_before == UINT64_MAX;
    for (size_t i = 0; i < c->shown_count; i++) {
        struct shown *shown = &c->shown[i];

        buf_append(&c->x.xml, blob_slice(shown->xml));
        blob_unref(&shown->xml);
        expansion_deliver(&c->x, DELIVERY_VOLATILE, shown->position, c->pull->number);
    }
    mem_release(c->shown);
}

struct self_search {
    uint64_t session;
    bool found;
};

static bool visit_self(void *ctx, const Pb__PresenceRow *row)
{
    struct self_search *search = ctx;

    search->found = row->session == search->session;
    return !search->found;
}

static bool is_available(const struct catch_up *c)
{
    struct self_search search = {.session = c->x.session};

    state_each_presence(c->x.view->state, c->x.view->arena, c->x.row->user, visit_self, &search);
    return search.found;
}

/* ---- the part */

static bool is_of(const struct catch_up *c, const struct owner *owner)
{
    struct owner now = expansion_owner(&c->x);

    return now.incarnation == owner->incarnation && now.worker == owner->worker &&
           now.slot == owner->slot && now.generation == owner->generation &&
           c->x.row->epoch == c->pull->epoch;
}

static void end_part(const struct catch_up *c)
{
    const struct im_view *view = c->x.view;
    const struct delivery delivery = {.kind = DELIVERY_PULLED,
                                      .owner = c->pull->owner,
                                      .session = c->pull->session,
                                      .epoch = c->pull->epoch,
                                      .pull = c->pull->number,
                                      .is_complete = c->is_complete};

    view->sink(view->ctx, &delivery);
}

void im_catch_up(const struct im_view *view, const struct delivery_pull *pull)
{
    struct catch_up c = {.x = {.view = view, .arena = view->arena, .xml = BUF_EMPTY},
                         .pull = pull,
                         .bytes_left = pull->bytes_max,
                         .is_complete = true};

    if (!expansion_select(&c.x, pull->session) || !is_of(&c, &pull->owner)) {
        return; /* it lost the session, and was told */
    }
    show_pending(&c);
    if (c.is_complete && is_available(&c)) {
        if (c.bytes_left == 0) {
            c.is_complete = false;
        } else {
            show_presence(&c);
        }
    }
    end_part(&c);
    buf_deinit(&c.x.xml);
}
