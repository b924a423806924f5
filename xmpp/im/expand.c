/* Effects into deliveries: presence fan-out, pending entries, signals. Runs on the state thread;
 * sees the state after the whole entry, so it trusts the effect for order and the state for
 * content. */
#include "storage/state/stanza_rules.h"
#include "xmpp/im/expansion.h"
#include "xmpp/im/render.h"

/* One effect being expanded. */
struct effect_visit {
    struct expansion x;
    const struct effect *effect;
    const char *to; /* bare address of the watchers, as written in the stanza */
};

/* ---- to the one connection that the effect names */

static bool visit_pending(void *ctx, uint64_t position, const Pb__PendingRow *row)
{
    struct expansion *x = ctx;

    if (expansion_render_pending(x, row, x->arena)) {
        expansion_deliver(x, DELIVERY_PENDING, position, 0);
    }
    return false; /* the one at the effect's position; later ones have effects of their own */
}

static void expand_pending(struct effect_visit *visit)
{
    struct expansion *x = &visit->x;
    const struct effect *effect = visit->effect;

    if (effect->owner.incarnation == x->view->incarnation && expansion_select(x, effect->session) &&
        x->row->epoch == effect->epoch) {
        state_each_pending(x->view->state, x->arena, x->session, effect->position, visit_pending,
                           x);
    }
}

static void signal_owner(const struct effect_visit *visit, enum delivery_kind kind)
{
    const struct im_view *view = visit->x.view;
    const struct effect *effect = visit->effect;
    const struct delivery delivery = {.kind = kind,
                                      .owner = effect->owner,
                                      .session = effect->session,
                                      .epoch = effect->epoch,
                                      .number = effect->number,
                                      .drop = effect->drop};

    if (effect->owner.incarnation == view->incarnation) {
        view->sink(view->ctx, &delivery);
    }
}

/* A signal about presence, to the selected session. */
static void signal_presence(struct expansion *x, enum delivery_kind kind, uint64_t position)
{
    const struct delivery delivery = {.kind = kind,
                                      .owner = expansion_owner(x),
                                      .session = x->session,
                                      .epoch = x->row->epoch,
                                      .position = position};

    x->view->sink(x->view->ctx, &delivery);
}

/* DESIGN 5: now the remaining pending stanzas go out, and what changed in presence since the
 * position last acked. How much of it at a time is the connection's business. */
static void expand_confirmed(struct effect_visit *visit)
{
    struct expansion *x = &visit->x;

    if (visit->effect->owner.incarnation == x->view->incarnation &&
        expansion_select(x, visit->effect->session) && x->row->epoch == visit->effect->epoch) {
        signal_presence(x, DELIVERY_CONFIRMED, x->row->presence_position);
    }
}

/* ---- presence */

static bool visit_watcher(void *ctx, const Pb__PresenceRow *watcher)
{
    struct effect_visit *visit = ctx;
    struct expansion *x = &visit->x;

    if (expansion_select(x, watcher->session)) {
        render_stanza(visit->effect->stanza, visit->to, &x->xml);
        expansion_deliver(x, DELIVERY_VOLATILE, visit->effect->position, 0);
    }
    return true;
}

/* To the sessions of one user that are available and served here. Their rows are looked at and
 * forgotten: those of a long roster would fill the arena. */
static void tell_watchers(struct effect_visit *visit, const char *user)
{
    struct expansion *x = &visit->x;

    arena_reset(x->arena);
    visit->to = user;
    state_each_presence(x->view->state, x->arena, user, visit_watcher, visit);
}

static bool visit_contact(void *ctx, const Pb__RosterItem *item)
{
    if (roster_item_is_seen(item)) {
        tell_watchers(ctx, item->contact);
    }
    return true;
}

/* RFC 6121 §4.2.2, §4.4.2, §4.5.2: to contacts with from or both, and the user's own sessions. Who
 * becomes available is told to pull what it may see; that includes its own presence. */
static void expand_presence(struct effect_visit *visit)
{
    const struct effect *effect = visit->effect;

    if (effect->initial && expansion_select(&visit->x, effect->session)) {
        signal_presence(&visit->x, DELIVERY_INITIAL, 0);
    }
    tell_watchers(visit, effect->user);
    state_each_roster_item(visit->x.view->state, effect->user, visit_contact, visit);
}

static void expand(struct effect_visit *visit)
{
    switch (visit->effect->kind) {
    case EFFECT_PENDING:
        expand_pending(visit);
        break;
    case EFFECT_RECORDED:
        signal_owner(visit, DELIVERY_RECORDED);
        break;
    case EFFECT_CONFIRMED:
        expand_confirmed(visit);
        break;
    case EFFECT_DROPPED:
        signal_owner(visit, DELIVERY_DROPPED);
        break;
    case EFFECT_PRESENCE:
        expand_presence(visit);
        break;
    default:
        break; /* outcomes, incarnations and domains are the core's own business */
    }
}

/* What is read for an effect goes with it: an entry has hundreds, and each may read a roster. */
void im_expand(const struct im_view *view, const struct effect *effect)
{
    struct arena arenas[2];
    struct im_view own = *view;
    struct effect_visit visit = {.x = {.view = &own, .arena = &arenas[1], .xml = BUF_EMPTY},
                                 .effect = effect};

    arena_init(&arenas[0]);
    arena_init(&arenas[1]);
    own.arena = &arenas[0];
    expand(&visit);
    buf_deinit(&visit.x.xml);
    arena_deinit(&arenas[1]);
    arena_deinit(&arenas[0]);
}
