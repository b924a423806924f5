/* Effects into deliveries: presence fan-out, pending entries, what follows a confirmed resume. Runs
 * on the state thread; sees the state after the whole entry, so it trusts the effect for order and
 * the state for content. */
#include "node/base/assert.h"
#include "xmpp/im/answer.h"
#include "xmpp/im/im.h"
#include "xmpp/im/render.h"

#include <string.h>

struct expansion {
    struct state *state;
    const struct effect *effect;
    uint64_t incarnation; /* this node's own */
    uint64_t now_wall_ms;
    struct arena *arena;
    im_sink sink;
    void *ctx;
    struct buf xml; /* scratch */

    /* the session being written to */
    uint64_t session;
    const Pb__SessionRow *row;
    const char *address; /* full */
    bool resumed;        /* show what changed after since, ended sessions included */
    uint64_t since;      /* presence that the session has acked; 0 shows everything */
};

static struct owner owner_of(const Pb__SessionRow *row)
{
    const Pb__Owner *owner = row->owner;

    return (struct owner){.incarnation = owner->incarnation,
                          .worker = owner->worker,
                          .slot = owner->slot,
                          .generation = owner->generation};
}

/* Is the session served by a connection of this node that may be written to? */
static bool is_served_here(const struct expansion *x, const Pb__SessionRow *row)
{
    return row != NULL && row->owner != NULL && row->owner->incarnation == x->incarnation &&
           !row->detached && row->confirmed_epoch == row->epoch;
}

static const char *full_address(struct arena *arena, const char *user, const char *resource)
{
    struct buf text = BUF_EMPTY;
    const char *copy;

    buf_printf(&text, "%s/%s", user, resource);
    copy = arena_strndup(arena, buf_slice(&text));
    buf_deinit(&text);
    return copy;
}

/* Hand out what stands in x->xml, as one stanza for the current session. */
static void deliver(struct expansion *x, enum delivery_kind kind, uint64_t position)
{
    struct delivery delivery = {.kind = kind,
                                .owner = owner_of(x->row),
                                .session = x->session,
                                .epoch = x->row->epoch,
                                .position = position,
                                .xml = blob_new(buf_slice(&x->xml))};

    buf_clear(&x->xml);
    x->sink(x->ctx, &delivery);
}

static void deliver_signal(struct expansion *x, enum delivery_kind kind)
{
    const struct effect *effect = x->effect;
    struct delivery delivery = {.kind = kind,
                                .owner = effect->owner,
                                .session = effect->session,
                                .epoch = effect->epoch,
                                .number = effect->number,
                                .position = effect->position,
                                .drop = effect->drop};

    if (effect->owner.incarnation == x->incarnation) {
        x->sink(x->ctx, &delivery);
    }
}

/* ---- pending entries */

static bool visit_pending(void *ctx, uint64_t position, const Pb__PendingRow *row)
{
    struct expansion *x = ctx;

    if (x->effect->kind == EFFECT_CONFIRMED && position >= x->effect->position) {
        return false; /* those have effects of their own */
    }
    switch (row->what_case) {
    case PB__PENDING_ROW__WHAT_OWN:
        render_stanza(row->own, NULL, &x->xml);
        break;
    case PB__PENDING_ROW__WHAT_ASK:
        answer_render(x->state, row->ask, x->now_wall_ms, x->arena, &x->xml);
        break;
    case PB__PENDING_ROW__WHAT_PUSH:
        render_push(row->push, x->address, &x->xml);
        break;
    default:
        return true;
    }
    deliver(x, DELIVERY_PENDING, position);
    return x->effect->kind == EFFECT_CONFIRMED;
}

/* The current session: the one that the effect names. False when it is not ours to write to. */
static bool select_session(struct expansion *x, uint64_t session)
{
    x->session = session;
    x->row = state_session(x->state, x->arena, session);
    if (!is_served_here(x, x->row)) {
        return false;
    }
    x->address = full_address(x->arena, x->row->user, x->row->resource);
    return true;
}

static void expand_pending(struct expansion *x)
{
    if (x->effect->owner.incarnation == x->incarnation && select_session(x, x->effect->session) &&
        x->row->epoch == x->effect->epoch) {
        state_each_pending(x->state, x->arena, x->session, x->effect->position, visit_pending, x);
    }
}

/* ---- presence */

static bool visit_contact_presence(void *ctx, const Pb__PresenceRow *row)
{
    struct expansion *x = ctx;

    if (row->position > x->since && row->session != x->session) {
        render_stanza(row->stanza, x->address, &x->xml);
        deliver(x, DELIVERY_VOLATILE, 0);
    }
    return true;
}

struct tombstone_visit {
    struct expansion *x;
    const char *user;
};

static bool visit_contact_tombstone(void *ctx, const Pb__TombstoneRow *row)
{
    struct tombstone_visit *visit = ctx;
    struct expansion *x = visit->x;

    render_unavailable(full_address(x->arena, visit->user, row->resource), x->address, &x->xml);
    deliver(x, DELIVERY_VOLATILE, 0);
    return true;
}

/* Show one user's presence to the current session: all of it, or what changed since. */
static void show_presence(struct expansion *x, const char *user)
{
    if (x->resumed) {
        struct tombstone_visit visit = {.x = x, .user = user};

        state_each_tombstone(x->state, x->arena, user, x->since, visit_contact_tombstone, &visit);
    }
    state_each_presence(x->state, x->arena, user, visit_contact_presence, x);
}

static bool sees(const Pb__RosterItem *item)
{
    return item->subscription == PB__ROSTER_ITEM__SUBSCRIPTION__TO ||
           item->subscription == PB__ROSTER_ITEM__SUBSCRIPTION__BOTH;
}

static bool is_seen_by(const Pb__RosterItem *item)
{
    return item->subscription == PB__ROSTER_ITEM__SUBSCRIPTION__FROM ||
           item->subscription == PB__ROSTER_ITEM__SUBSCRIPTION__BOTH;
}

/* What the current session may see of its contacts and of its user's other sessions. This bulk
 * carries no position: at an initial presence the session's own presence, which does, is written
 * after it, so an ack of that position covers the bulk. */
static void show_contacts(struct expansion *x)
{
    const char *user = x->row->user;
    const Pb__RosterRow *roster = state_roster(x->state, x->arena, user);

    show_presence(x, user);
    for (size_t i = 0; roster != NULL && i < roster->n_items; i++) {
        if (sees(roster->items[i])) {
            show_presence(x, roster->items[i]->contact);
        }
    }
}

/* A change of presence goes to the sessions of one user that are available and served here. */
struct fan_out {
    struct expansion *x;
    const char *to; /* bare address as written in the stanza */
};

static bool visit_watcher(void *ctx, const Pb__PresenceRow *watcher)
{
    struct fan_out *fan = ctx;
    struct expansion *x = fan->x;

    if (select_session(x, watcher->session)) {
        render_stanza(x->effect->stanza, fan->to, &x->xml);
        deliver(x, DELIVERY_VOLATILE, x->effect->position);
    }
    return true;
}

static void tell_watchers(struct expansion *x, const char *user)
{
    struct fan_out fan = {.x = x, .to = user};

    state_each_presence(x->state, x->arena, user, visit_watcher, &fan);
}

/* RFC 6121 §4.2.2, §4.4.2, §4.5.2: to contacts with from or both, and the user's own sessions. */
static void expand_presence(struct expansion *x)
{
    const struct effect *effect = x->effect;
    const Pb__RosterRow *roster;

    if (effect->initial && select_session(x, effect->session)) {
        show_contacts(x);
    }
    tell_watchers(x, effect->user);
    roster = state_roster(x->state, x->arena, effect->user);
    for (size_t i = 0; roster != NULL && i < roster->n_items; i++) {
        if (is_seen_by(roster->items[i])) {
            tell_watchers(x, roster->items[i]->contact);
        }
    }
}

/* ---- after a confirmed resume (DESIGN 5) */

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

static bool is_available(struct expansion *x)
{
    struct self_search search = {.session = x->session};

    state_each_presence(x->state, x->arena, x->row->user, visit_self, &search);
    return search.found;
}

static void expand_confirmed(struct expansion *x)
{
    deliver_signal(x, DELIVERY_CONFIRMED);
    if (x->effect->owner.incarnation != x->incarnation || !select_session(x, x->effect->session) ||
        x->row->epoch != x->effect->epoch) {
        return;
    }
    state_each_pending(x->state, x->arena, x->session, 0, visit_pending, x);
    if (is_available(x)) {
        x->resumed = true;
        x->since = x->row->presence_position;
        show_contacts(x);
    }
}

void im_expand(struct state *state, const struct effect *effect, uint64_t incarnation,
               uint64_t now_wall_ms, struct arena *arena, im_sink sink, void *ctx)
{
    struct expansion x = {.state = state,
                          .effect = effect,
                          .incarnation = incarnation,
                          .now_wall_ms = now_wall_ms,
                          .arena = arena,
                          .sink = sink,
                          .ctx = ctx,
                          .xml = BUF_EMPTY};

    switch (effect->kind) {
    case EFFECT_PENDING:
        expand_pending(&x);
        break;
    case EFFECT_RECORDED:
        deliver_signal(&x, DELIVERY_RECORDED);
        break;
    case EFFECT_CONFIRMED:
        expand_confirmed(&x);
        break;
    case EFFECT_DROPPED:
        deliver_signal(&x, DELIVERY_DROPPED);
        break;
    case EFFECT_PRESENCE:
        expand_presence(&x);
        break;
    default:
        break; /* outcomes, incarnations and domains are the core's own business */
    }
    buf_deinit(&x.xml);
}
