#include "storage/state/message.h"

#include "storage/state/account.h"
#include "storage/state/copies.h"
#include "storage/state/offline.h"
#include "storage/state/pending.h"
#include "storage/state/presence.h"
#include "storage/state/session.h"
#include "storage/state/stanza.h"
#include "storage/state/versions.h"

struct message {
    struct apply *a;
    uint64_t sender;
    Pb__Stanza *stanza;
    bool store;
    bool copy;        /* other sessions of both users may get copies */
    const char *from; /* the sender's bare address */
    const char *user; /* the recipient's */
};

struct targets message_targets(struct apply *a, const char *user)
{
    struct row_list list = presence_list(a, user);
    struct targets targets = {
        .sessions = arena_alloc(a->arena, (list.count + 1) * sizeof(*targets.sessions))};

    for (size_t i = 0; i < list.count; i++) {
        const Pb__PresenceRow *row = list.items[i].row;

        if (presence_is_own(row) && row->priority >= 0) {
            targets.sessions[targets.count++] = row->session;
        }
    }
    return targets;
}

static void refuse(struct message *m, enum stanza_error error)
{
    stanza_refuse(m->a, m->sender, m->stanza, error);
}

/* Whoever is passed over must not come back as if nothing was missing (P2): its session ends, and
 * its client, if there still is one, logs in anew. */
static void end_full(struct apply *a, const struct targets *full)
{
    if (state_cluster(a->state, a->arena)->log_version >= STATE_LOG_VERSION_FULL_LISTS) {
        for (size_t i = 0; i < full->count; i++) {
            session_doom(a, full->sessions[i]);
        }
    }
}

static struct targets no_targets(struct apply *a, size_t max)
{
    return (struct targets){.sessions = arena_alloc(a->arena, (max + 1) * sizeof(uint64_t))};
}

/* XEP-0280 §8. Whoever is the recipient as well gets its copies as the sender. */
static void copy_sent(struct message *m, const struct targets *got)
{
    struct apply *a = m->a;
    Pb__Stanza copy = *m->stanza;
    struct targets wanted;
    struct targets full;

    if (!m->copy) {
        return;
    }
    copy.delayed = false;
    wanted = copies_wanted(a, m->from, m->sender, got);
    full = no_targets(a, wanted.count);
    for (size_t i = 0; i < wanted.count; i++) {
        if (!pending_add_sent(a, wanted.sessions[i], m->stanza->position, &copy)) {
            full.sessions[full.count++] = wanted.sessions[i];
        }
    }
    end_full(a, &full);
}

/* XEP-0280 §7: how many lists name the message for that. */
static uint32_t copy_received(struct message *m, const struct targets *got, uint32_t bytes)
{
    struct apply *a = m->a;
    uint64_t position = m->stanza->position;
    struct targets wanted;
    struct targets full;
    uint32_t count = 0;

    if (!m->copy || strcmp(m->user, m->from) == 0) {
        return 0;
    }
    wanted = copies_wanted(a, m->user, m->sender, got);
    full = no_targets(a, wanted.count);
    for (size_t i = 0; i < wanted.count; i++) {
        if (pending_has_room(a, wanted.sessions[i], bytes)) {
            pending_add_received(a, wanted.sessions[i], position, position, bytes);
            count++;
        } else {
            full.sessions[full.count++] = wanted.sessions[i];
        }
    }
    end_full(a, &full);
    return count;
}

/* Stored once, named by every list that has room. */
static void deliver(struct message *m, const struct targets *targets)
{
    struct apply *a = m->a;
    struct targets full = no_targets(a, targets->count);
    uint64_t position = apply_position(a);
    Pb__StanzaRow row = PB__STANZA_ROW__INIT;
    uint32_t count = 0;
    uint32_t bytes;

    m->stanza->position = position;
    bytes = stanza_bytes(m->stanza);
    for (size_t i = 0; i < targets->count; i++) {
        if (pending_has_room(a, targets->sessions[i], bytes)) {
            pending_add_shared(a, targets->sessions[i], position, position, bytes);
            count++;
        } else {
            full.sessions[full.count++] = targets->sessions[i];
        }
    }
    if (count == 0) {
        refuse(m, STANZA_RESOURCE_CONSTRAINT);
        return;
    }
    end_full(a, &full);
    count += copy_received(m, targets, bytes);
    row.stanza = m->stanza;
    row.store = m->store;
    row_put(a->state, TABLE_STANZA, key_u64(position), &row);
    pending_set_refs(a, position, count);
    copy_sent(m, targets);
}

static void store_offline(struct message *m)
{
    const struct targets nobody = {0};

    if (!m->store || !offline_add_new(m->a, m->user, m->stanza)) {
        refuse(m, STANZA_SERVICE_UNAVAILABLE);
    } else {
        copy_sent(m, &nobody);
    }
}

/* RFC 6121 §8.5.2; and §8.5.3.2.1 for chat to a resource that is gone. */
static void route_bare(struct message *m)
{
    struct targets targets;

    if (stanza_is(m->stanza, "groupchat")) {
        refuse(m, STANZA_SERVICE_UNAVAILABLE);
        return;
    }
    if (stanza_is(m->stanza, "error")) {
        return;
    }
    targets = message_targets(m->a, m->user);
    if (targets.count > 0) {
        deliver(m, &targets);
    } else if (stanza_may_wait(m->stanza)) {
        store_offline(m);
    }
}

/* RFC 6121 §8.5.3. */
static void route_full(struct message *m, const char *resource)
{
    uint64_t session = session_by_resource(m->a, m->user, resource);
    const struct targets target = {.sessions = &session, .count = 1};

    if (session != 0) {
        deliver(m, &target);
    } else if (stanza_is(m->stanza, "chat")) {
        route_bare(m);
    } else if (!stanza_is(m->stanza, "headline")) {
        refuse(m, STANZA_SERVICE_UNAVAILABLE);
    }
}

static void route(struct message *m)
{
    const char *resource = address_resource(m->a, m->stanza->to);

    if (!address_is_local(m->a, m->stanza->to)) {
        refuse(m, STANZA_REMOTE_SERVER_NOT_FOUND);
    } else if (!account_exists(m->a->state, m->user)) {
        if (resource[0] != '\0' || !stanza_is(m->stanza, "headline")) {
            refuse(m, STANZA_SERVICE_UNAVAILABLE); /* RFC 6121 §8.5.1, table 1 */
        }
    } else if (resource[0] != '\0') {
        route_full(m, resource);
    } else {
        route_bare(m);
    }
}

int message_send(struct apply *a, const Pb__SendMessage *command)
{
    Pb__SessionRow *row;
    struct message m = {
        .a = a, .stanza = command->stanza, .store = command->store, .copy = command->copy};
    int rc = session_take_stanza(a, command->from, command->stanza, &row);

    if (rc != 0) {
        return rc;
    }
    m.sender = command->from->session;
    m.from = row->user;
    m.stanza->delayed = false;
    m.stanza->position = 0;
    if (m.stanza->to[0] == '\0') {
        m.stanza->to = row->user; /* RFC 6120 §10.3.1: without to, for the account itself */
    }
    m.user = address_bare(a, m.stanza->to);
    route(&m);
    return 0;
}
