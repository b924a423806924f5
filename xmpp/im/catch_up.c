/* What waits for a session, in parts: after a confirmed resume, at its initial presence, or because
 * its client takes it slower than it comes. Its list and the presence that it may see come as they
 * would have come by themselves, in the order of the cluster: a contact's directed presence stands
 * in the one, what the same contact shows to all in the other, and the later one holds (RFC 6120
 * §10.1). */
#include "storage/state/stanza_rules.h"
#include "xmpp/im/expansion.h"
#include "xmpp/im/part.h"
#include "xmpp/im/render.h"

struct catch_up {
    struct expansion x;
    const struct delivery_pull *pull;
    struct part part;
    struct arena arena; /* of one entry of the list, or of one user */

    const char *user;  /* whose presence is looked at */
    uint64_t wiped_at; /* all that the client was shown of the user ends here; 0: it does not */
};

/* ---- the list */

static bool visit_pending(void *ctx, uint64_t position, const Pb__PendingRow *row)
{
    struct catch_up *c = ctx;

    if (part_is_full(&c->part)) {
        part_end_before(&c->part, position);
        return false;
    }
    if (expansion_render_pending(&c->x, row, &c->arena)) {
        part_add(&c->part, DELIVERY_PENDING, position, buf_slice(&c->x.xml), arena_used(&c->arena));
        buf_clear(&c->x.xml);
    }
    arena_reset(&c->arena); /* row is in it, too */
    return true;
}

static void add_pending(struct catch_up *c)
{
    state_each_pending(c->x.view->state, &c->arena, c->pull->session, c->pull->pending_from,
                       visit_pending, c);
    arena_reset(&c->arena);
}

/* ---- presence */

static bool is_wanted(const struct catch_up *c, uint64_t position)
{
    return position > c->pull->presence_since && part_wants(&c->part, position);
}

/* Takes what stands in x.xml. */
static void add_shown(struct catch_up *c, uint64_t position)
{
    part_add(&c->part, DELIVERY_VOLATILE, position, buf_slice(&c->x.xml), 0);
    buf_clear(&c->x.xml);
}

/* May the client still show what ended at position? Who left before the session became available
 * was never shown to it. */
static bool may_miss_end(const struct catch_up *c, uint64_t position)
{
    return position > c->pull->presence_since && position > c->x.row->initial_position;
}

static void show_end(struct catch_up *c, const char *from, uint64_t position)
{
    if (may_miss_end(c, position) && part_wants(&c->part, position)) {
        render_unavailable(from, c->x.address, &c->x.xml);
        add_shown(c, position);
    }
}

/* A client that is so late that ends are forgotten which it never saw: all that it may still show
 * of the user ends by the bare address, and who is there is shown again behind that. */
static void wipe_forgotten(struct catch_up *c)
{
    const Pb__AccountRow *account = state_account(c->x.view->state, &c->arena, c->user);

    c->wiped_at = 0;
    if (account != NULL && may_miss_end(c, account->forgotten_position)) {
        c->wiped_at = account->forgotten_position;
        show_end(c, c->user, c->wiped_at);
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

static bool visit_presence(void *ctx, const Pb__PresenceRow *row)
{
    struct catch_up *c = ctx;
    uint64_t position = row->position > c->wiped_at ? row->position : c->wiped_at;

    if (is_wanted(c, position)) {
        render_stanza(state_shown(c->x.view->state, &c->arena, c->user, row->session), c->x.address,
                      &c->x.xml);
        add_shown(c, position);
    }
    return true;
}

/* The rows of one user are looked at and forgotten: of a long roster they would fill the arena. */
static void look_at(struct catch_up *c, const char *user)
{
    struct state *state = c->x.view->state;

    c->user = user;
    wipe_forgotten(c);
    state_each_tombstone(state, &c->arena, user, c->pull->presence_since, visit_tombstone, c);
    state_each_presence(state, &c->arena, user, visit_presence, c);
    arena_reset(&c->arena);
}

static bool visit_contact(void *ctx, const Pb__RosterItem *item)
{
    if (roster_item_sees(item)) {
        look_at(ctx, item->contact);
    }
    return true;
}

/* What the session may see: its user's sessions, itself among them (RFC 6121 §4.2.2), and those of
 * its contacts. */
static void add_presence(struct catch_up *c)
{
    const char *user = c->x.row->user;

    look_at(c, user);
    state_each_roster_item(c->x.view->state, user, visit_contact, c);
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

/* Of what stands at one position the last stanza says so, and the others that there is more: a
 * client that gets only some of them gets all of them again. */
static uint64_t position_of(const struct part *part, size_t index)
{
    const struct part_item *item = &part->items[index];
    bool is_last = index + 1 == part->count || item[1].position != item->position;

    return is_last ? item->position : item->position - 1;
}

static void deliver_part(struct catch_up *c)
{
    part_cut(&c->part);
    for (size_t i = 0; i < c->part.count; i++) {
        buf_append(&c->x.xml, blob_slice(c->part.items[i].xml));
        expansion_deliver(&c->x, c->part.items[i].kind, position_of(&c->part, i), c->pull->number);
    }
}

static void end_part(const struct catch_up *c)
{
    const struct im_view *view = c->x.view;
    const struct delivery delivery = {.kind = DELIVERY_PULLED,
                                      .owner = c->pull->owner,
                                      .session = c->pull->session,
                                      .epoch = c->pull->epoch,
                                      .pull = c->pull->number,
                                      .is_complete = part_is_last(&c->part)};

    view->sink(view->ctx, &delivery);
}

void im_catch_up(const struct im_view *view, const struct delivery_pull *pull)
{
    struct catch_up c = {.x = {.view = view, .arena = view->arena, .xml = BUF_EMPTY}, .pull = pull};

    if (!expansion_select(&c.x, pull->session) || !is_of(&c, &pull->owner)) {
        return; /* it lost the session, and was told */
    }
    part_init(&c.part, pull->bytes_max);
    arena_init(&c.arena);
    add_pending(&c);
    if (is_available(&c)) {
        add_presence(&c);
    }
    deliver_part(&c);
    end_part(&c);
    arena_deinit(&c.arena);
    part_deinit(&c.part);
    buf_deinit(&c.x.xml);
}
