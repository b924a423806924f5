#include "storage/state/subscription.h"

#include "storage/state/account.h"
#include "storage/state/pending.h"
#include "storage/state/presence.h"
#include "storage/state/roster.h"
#include "storage/state/stanza.h"

/* One move between two users, seen from the user whose roster changes. */
struct move {
    struct apply *a;
    const char *user;
    const char *contact;
    const Pb__Stanza *stanza; /* from bare to bare */
    Pb__RosterItem *item;     /* NULL while the contact is unknown */
};

static void inbound(struct apply *a, const Pb__Stanza *stanza);

static bool has(const struct move *m, unsigned bit)
{
    return m->item != NULL && roster_item_has(m->item, bit);
}

static bool is_pending_in(const struct move *m)
{
    return m->item != NULL && m->item->pending_in;
}

static bool is_pending_out(const struct move *m)
{
    return m->item != NULL && m->item->ask;
}

static struct move move_begin(struct apply *a, const char *user, const char *contact,
                              const Pb__Stanza *stanza)
{
    struct move m = {.a = a, .user = user, .contact = contact, .stanza = stanza};

    m.item = roster_find(a, user, contact);
    return m;
}

static int move_need_item(struct move *m)
{
    m->item = roster_find_or_add(m->a, m->user, m->contact);
    return m->item == NULL ? ERR_LIMIT : 0;
}

/* The end of a move that adds to the roster. */
static int move_put_grown(struct move *m, bool visible)
{
    return roster_put_grown(m->a, m->user, m->item, visible);
}

/* The end of a move that takes away. A request or its denial alone shows in no roster. */
static void move_put(struct move *m, bool visible)
{
    roster_put(m->a, m->user, m->item, visible);
}

static void clear_request(Pb__RosterItem *item)
{
    item->pending_in = false;
    item->request = NULL;
}

/* user speaks to contact, or the server for it. */
static void reply(struct move *m, const char *type)
{
    inbound(m->a, stanza_presence(m->a, type, m->user, m->contact));
}

/* ---- outbound (appendix A.2): the user's own roster; *route: does it go on to the contact? */

static int out_subscribe(struct move *m, bool *route)
{
    *route = true;
    if (has(m, ROSTER_TO) || is_pending_out(m)) {
        return 0;
    }
    if (move_need_item(m) != 0) {
        return ERR_LIMIT;
    }
    m->item->ask = true;
    m->item->listed = true;
    return move_put_grown(m, true);
}

static int out_unsubscribe(struct move *m, bool *route)
{
    *route = true;
    if (!has(m, ROSTER_TO) && !is_pending_out(m)) {
        return 0;
    }
    m->item->ask = false;
    roster_item_drop(m->item, ROSTER_TO);
    move_put(m, true);
    return 0;
}

static int out_subscribed(struct move *m, bool *route)
{
    *route = is_pending_in(m);
    if (has(m, ROSTER_FROM)) {
        return 0;
    }
    if (move_need_item(m) != 0) {
        return ERR_LIMIT;
    }
    if (m->item->pending_in) {
        clear_request(m->item);
        m->item->approved = false;
        roster_item_add(m->item, ROSTER_FROM);
    } else if (m->item->approved) {
        return 0;
    } else {
        m->item->approved = true; /* in advance: §3.4 */
        m->item->approved_account = account_created(m->a, m->contact);
    }
    m->item->listed = true;
    return move_put_grown(m, true);
}

static int out_unsubscribed(struct move *m, bool *route)
{
    bool visible = has(m, ROSTER_FROM) || (m->item != NULL && m->item->approved);

    *route = is_pending_in(m) || has(m, ROSTER_FROM);
    if (!*route && !visible) {
        return 0;
    }
    if (has(m, ROSTER_FROM)) {
        presence_hide(m->a, m->user, m->contact); /* §3.2.1: before the contact hears of it */
    }
    clear_request(m->item);
    m->item->approved = false;
    roster_item_drop(m->item, ROSTER_FROM);
    move_put(m, visible);
    return 0;
}

void subscription_send(struct apply *a, uint64_t session, const char *user,
                       const Pb__Stanza *stanza)
{
    Pb__Stanza bare = *stanza;
    const char *contact = address_bare(a, stanza->to); /* §3.1.2: from and to are bare */
    struct move m;
    bool route = false;
    int rc;

    if (!address_is_local(a, contact)) {
        stanza_refuse(a, session, stanza, STANZA_REMOTE_SERVER_NOT_FOUND);
        return;
    }
    if (strcmp(contact, user) == 0) {
        return; /* one's own sessions see each other anyhow */
    }
    bare.from = (char *)user;
    bare.to = (char *)contact;
    m = move_begin(a, user, contact, &bare);
    if (stanza_is(stanza, "subscribe")) {
        rc = out_subscribe(&m, &route);
    } else if (stanza_is(stanza, "unsubscribe")) {
        rc = out_unsubscribe(&m, &route);
    } else if (stanza_is(stanza, "subscribed")) {
        rc = out_subscribed(&m, &route);
    } else {
        rc = out_unsubscribed(&m, &route);
    }
    if (rc != 0) {
        stanza_refuse(a, session, stanza, STANZA_RESOURCE_CONSTRAINT);
    } else if (route) {
        inbound(a, &bare);
    }
}

/* ---- inbound (appendix A.3): the recipient's roster */

static bool has_room_for_request(const struct move *m)
{
    return roster_load(m->a, m->user)->requests < STATE_REQUESTS_MAX;
}

/* An approval in advance is for the account that it was given to, not for a later one of the same
 * name. */
static bool is_approved(const struct move *m)
{
    return m->item->approved && m->item->approved_account == account_created(m->a, m->contact);
}

static void in_subscribe(struct move *m)
{
    if (has(m, ROSTER_FROM)) {
        reply(m, "subscribed"); /* table 6, note 2 */
        return;
    }
    if (is_pending_in(m) || move_need_item(m) != 0) {
        return;
    }
    if (is_approved(m)) {
        m->item->approved = false;
        roster_item_add(m->item, ROSTER_FROM);
        move_put(m, true);
        reply(m, "subscribed");
        return;
    }
    if (!has_room_for_request(m)) {
        return;
    }
    m->item->pending_in = true;
    m->item->request = stanza_kept_request(m->a, m->stanza, m->contact, m->user);
    if (move_put_grown(m, false) == 0) {
        presence_deliver_available(m->a, m->user, 0, m->item->request);
    }
}

static void in_unsubscribe(struct move *m)
{
    bool had_from = has(m, ROSTER_FROM);

    if (!had_from && !is_pending_in(m)) {
        return;
    }
    if (had_from) {
        presence_hide(m->a, m->user, m->contact);
    }
    clear_request(m->item);
    roster_item_drop(m->item, ROSTER_FROM);
    if (had_from) {
        roster_deliver_interested(m->a, m->user, m->stanza);
    } else { /* strangers may ask and take back as often as they like: that must not end a session
              */
        roster_mention_interested(m->a, m->user, m->stanza);
    }
    move_put(m, had_from);
    reply(m, "unsubscribed");
}

static void in_subscribed(struct move *m)
{
    if (!is_pending_out(m) || has(m, ROSTER_TO)) {
        return;
    }
    m->item->ask = false;
    roster_item_add(m->item, ROSTER_TO);
    roster_deliver_interested(m->a, m->user, m->stanza); /* §3.1.6: before the push */
    move_put(m, true);
    presence_show(m->a, m->contact, m->user); /* §3.1.5, last paragraph */
}

static void in_unsubscribed(struct move *m)
{
    if (!is_pending_out(m) && !has(m, ROSTER_TO)) {
        return;
    }
    m->item->ask = false;
    roster_item_drop(m->item, ROSTER_TO);
    roster_deliver_interested(m->a, m->user, m->stanza);
    move_put(m, true);
}

static void inbound(struct apply *a, const Pb__Stanza *stanza)
{
    struct move m;

    if (!account_exists(a->state, stanza->to)) {
        return; /* RFC 6121 §8.5.1: silently */
    }
    m = move_begin(a, stanza->to, stanza->from, stanza);
    if (stanza_is(stanza, "subscribe")) {
        in_subscribe(&m);
    } else if (stanza_is(stanza, "unsubscribe")) {
        in_unsubscribe(&m);
    } else if (stanza_is(stanza, "subscribed")) {
        in_subscribed(&m);
    } else {
        in_unsubscribed(&m);
    }
}

/* ---- the rest */

void subscription_cancel(struct apply *a, const char *user, const Pb__RosterItem *item)
{
    const char *contact = item->contact;

    if (roster_item_has(item, ROSTER_TO) || item->ask) {
        inbound(a, stanza_presence(a, "unsubscribe", user, contact));
    }
    if (roster_item_has(item, ROSTER_FROM) || item->pending_in) {
        presence_hide(a, user, contact);
        inbound(a, stanza_presence(a, "unsubscribed", user, contact));
    }
}

/* Who asked and was not answered: as many as the roster says. */
struct requests {
    struct apply *a;
    const char **contacts;
    size_t count;
    size_t max;
};

static bool collect_request(void *ctx, const Pb__RosterItem *item)
{
    struct requests *to = ctx;

    if (item->pending_in) {
        to->contacts[to->count++] = arena_strndup(to->a->arena, slice_str(item->contact));
    }
    return to->count < to->max;
}

void subscription_show_requests(struct apply *a, const char *user, uint64_t session)
{
    struct requests requests = {.a = a, .max = roster_load(a, user)->requests};

    if (requests.max == 0) {
        return;
    }
    requests.contacts = arena_alloc(a->arena, requests.max * sizeof(requests.contacts[0]));
    state_each_roster_item(a->state, user, collect_request, &requests);
    for (size_t i = 0; i < requests.count; i++) {
        pending_add_self(a, session, roster_find(a, user, requests.contacts[i])->request);
    }
}
