/* Questions about the state. Results live in the caller's arena. */
#include "node/base/jid.h"
#include "storage/state/rows.h"

static const struct key every = {.len = 0};

/* ---- single rows */

Pb__AccountRow *state_account(struct state *state, struct arena *arena, const char *user)
{
    return row_get(state, arena, TABLE_ACCOUNT, key_user(user));
}

Pb__SessionRow *state_session(struct state *state, struct arena *arena, uint64_t session)
{
    return row_get(state, arena, TABLE_SESSION, key_u64(session));
}

Pb__RosterRow *state_roster(struct state *state, struct arena *arena, const char *user)
{
    return row_get(state, arena, TABLE_ROSTER, key_user(user));
}

Pb__RosterItem *state_roster_item(struct state *state, struct arena *arena, const char *user,
                                  const char *contact)
{
    return row_get(state, arena, TABLE_ROSTER_ITEM, key_user_digest(user, contact));
}

Pb__IncarnationRow *state_incarnation(struct state *state, struct arena *arena,
                                      uint64_t incarnation)
{
    return row_get(state, arena, TABLE_INCARNATION, key_u64(incarnation));
}

Pb__NodeRow *state_node(struct state *state, struct arena *arena, uint32_t node)
{
    return row_get(state, arena, TABLE_NODE, key_u32(node));
}

Pb__Stanza *state_shown(struct state *state, struct arena *arena, const char *user,
                        uint64_t session)
{
    const Pb__ShownRow *row = row_get(state, arena, TABLE_SHOWN, key_user_u64(user, session));

    ASSERT(row != NULL); /* it is written and deleted with the PresenceRow */
    return row->stanza;
}

Pb__KeptRow *state_kept(struct state *state, struct arena *arena, const char *user,
                        const Pb__Kept *which)
{
    return row_get(state, arena, TABLE_KEPT, key_kept(user, which));
}

bool state_has_domain(struct state *state, const char *domain)
{
    return row_exists(state, TABLE_DOMAIN, key_bytes(slice_str(domain)));
}

uint64_t state_last_seq(struct state *state, uint64_t incarnation)
{
    struct arena arena;
    const Pb__IncarnationRow *row;
    uint64_t last_seq;

    arena_init(&arena);
    row = state_incarnation(state, &arena, incarnation);
    last_seq = row == NULL ? 0 : row->last_seq;
    arena_deinit(&arena);
    return last_seq;
}

/* ---- walks */

struct walk {
    struct state *state;
    struct arena *arena;
    union {
        state_session_visit session;
        state_roster_visit roster;
        state_kept_visit kept;
        state_presence_visit presence;
        state_tombstone_visit tombstone;
        state_pending_visit pending;
        state_name_visit name;
        state_node_visit node;
        state_group_visit group;
        state_alarm_visit alarm;
    } visit;
    void *ctx;
    uint64_t position;
};

static bool visit_session_of(void *ctx, struct slice key, void *row)
{
    const struct walk *walk = ctx;
    uint64_t session = key_last_u64(key);

    (void)row;
    return walk->visit.session(walk->ctx, session,
                               state_session(walk->state, walk->arena, session));
}

void state_each_session_of(struct state *state, struct arena *arena, const char *user,
                           state_session_visit visit, void *ctx)
{
    struct walk walk = {.state = state, .arena = arena, .visit.session = visit, .ctx = ctx};

    rows_each(state, arena, TABLE_SESSION_OF, key_user(user), slice_make(NULL, 0), visit_session_of,
              &walk);
}

static bool visit_session(void *ctx, struct slice key, void *row)
{
    const struct walk *walk = ctx;

    return walk->visit.session(walk->ctx, key_last_u64(key), row);
}

void state_each_session(struct state *state, struct arena *arena, uint64_t from,
                        state_session_visit visit, void *ctx)
{
    struct walk walk = {.visit.session = visit, .ctx = ctx};
    struct key start = key_u64(from);

    rows_each(state, arena, TABLE_SESSION, every, key_slice(&start), visit_session, &walk);
}

static bool visit_roster_item(void *ctx, struct slice key, void *row)
{
    const struct walk *walk = ctx;
    bool go_on = walk->visit.roster(walk->ctx, row);

    (void)key;
    arena_reset(walk->arena); /* a roster may be long */
    return go_on;
}

void state_each_roster_item(struct state *state, const char *user, state_roster_visit visit,
                            void *ctx)
{
    struct arena arena;
    struct walk walk = {.arena = &arena, .visit.roster = visit, .ctx = ctx};

    arena_init(&arena);
    rows_each(state, &arena, TABLE_ROSTER_ITEM, key_user(user), slice_make(NULL, 0),
              visit_roster_item, &walk);
    arena_deinit(&arena);
}

static bool visit_kept(void *ctx, struct slice key, void *row)
{
    const struct walk *walk = ctx;
    const Pb__KeptRow *kept = row;
    bool go_on = walk->visit.kept(walk->ctx, kept->kept);

    (void)key;
    arena_reset(walk->arena);
    return go_on;
}

void state_each_kept(struct state *state, const char *user, state_kept_visit visit, void *ctx)
{
    struct arena arena;
    struct walk walk = {.arena = &arena, .visit.kept = visit, .ctx = ctx};

    arena_init(&arena);
    rows_each(state, &arena, TABLE_KEPT, key_user(user), slice_make(NULL, 0), visit_kept, &walk);
    arena_deinit(&arena);
}

static bool visit_presence(void *ctx, struct slice key, void *row)
{
    const struct walk *walk = ctx;

    (void)key;
    return walk->visit.presence(walk->ctx, row);
}

void state_each_presence(struct state *state, struct arena *arena, const char *user,
                         state_presence_visit visit, void *ctx)
{
    struct walk walk = {.visit.presence = visit, .ctx = ctx};

    rows_each(state, arena, TABLE_PRESENCE, key_user(user), slice_make(NULL, 0), visit_presence,
              &walk);
}

static bool visit_tombstone(void *ctx, struct slice key, void *row)
{
    const struct walk *walk = ctx;
    const Pb__TombstoneRow *tombstone = row;

    (void)key;
    return tombstone->position <= walk->position || walk->visit.tombstone(walk->ctx, tombstone);
}

void state_each_tombstone(struct state *state, struct arena *arena, const char *user,
                          uint64_t position, state_tombstone_visit visit, void *ctx)
{
    struct walk walk = {.visit.tombstone = visit, .ctx = ctx, .position = position};

    rows_each(state, arena, TABLE_TOMBSTONE, key_user(user), slice_make(NULL, 0), visit_tombstone,
              &walk);
}

static bool visit_pending(void *ctx, struct slice key, void *row)
{
    const struct walk *walk = ctx;
    Pb__PendingRow *entry = row;

    if (entry->what_case == PB__PENDING_ROW__WHAT_SHARED) {
        const Pb__StanzaRow *shared =
            row_get(walk->state, walk->arena, TABLE_STANZA, key_u64(entry->shared));

        ASSERT(shared != NULL); /* a list names what is counted */
        entry->what_case = PB__PENDING_ROW__WHAT_OWN;
        entry->own = shared->stanza;
    }
    return walk->visit.pending(walk->ctx, key_last_u64(key), entry);
}

void state_each_pending(struct state *state, struct arena *arena, uint64_t session, uint64_t from,
                        state_pending_visit visit, void *ctx)
{
    struct walk walk = {.state = state, .arena = arena, .visit.pending = visit, .ctx = ctx};
    struct key start = key_u64_u64(session, from);

    rows_each(state, arena, TABLE_PENDING, key_u64(session), key_slice(&start), visit_pending,
              &walk);
}

static bool visit_domain(void *ctx, struct slice key, void *row)
{
    const struct walk *walk = ctx;

    (void)row;
    return walk->visit.name(walk->ctx, arena_strndup(walk->arena, key));
}

void state_each_domain(struct state *state, struct arena *arena, state_name_visit visit, void *ctx)
{
    struct walk walk = {.arena = arena, .visit.name = visit, .ctx = ctx};

    rows_each(state, arena, TABLE_DOMAIN, every, slice_make(NULL, 0), visit_domain, &walk);
}

/* The bare address that key_add_user() took apart. */
static const char *user_of_key(struct arena *arena, struct slice key)
{
    size_t domain_len = strlen((const char *)key.data);
    const char *local = (const char *)key.data + domain_len + 1;
    size_t local_len = key.len - domain_len - 2;
    char *user = arena_alloc(arena, local_len + 1 + domain_len + 1);

    memcpy(user, local, local_len);
    user[local_len] = '@';
    memcpy(user + local_len + 1, key.data, domain_len);
    return user;
}

static bool visit_account(void *ctx, struct slice key, void *row)
{
    const struct walk *walk = ctx;

    (void)row;
    return walk->visit.name(walk->ctx, user_of_key(walk->arena, key));
}

void state_each_account(struct state *state, struct arena *arena, const char *domain,
                        const char *after, state_name_visit visit, void *ctx)
{
    struct walk walk = {.arena = arena, .visit.name = visit, .ctx = ctx};
    struct key prefix = {.len = 0};
    struct key start = {.len = 0};

    if (domain[0] != '\0') {
        prefix = key_bytes(slice_make(domain, strlen(domain) + 1)); /* with the NUL that ends it */
    }
    if (after[0] != '\0') {
        start = key_user(after);
        key_add_bytes(&start, slice_make("", 1)); /* the next possible key */
    }
    rows_each(state, arena, TABLE_ACCOUNT, prefix, key_slice(&start), visit_account, &walk);
}

static bool visit_node(void *ctx, struct slice key, void *row)
{
    const struct walk *walk = ctx;

    (void)key;
    return walk->visit.node(walk->ctx, row);
}

void state_each_node(struct state *state, struct arena *arena, state_node_visit visit, void *ctx)
{
    struct walk walk = {.visit.node = visit, .ctx = ctx};

    rows_each(state, arena, TABLE_NODE, every, slice_make(NULL, 0), visit_node, &walk);
}

static bool visit_alarm(void *ctx, struct slice key, void *row)
{
    const struct walk *walk = ctx;

    (void)key;
    return walk->visit.alarm(walk->ctx, row);
}

void state_each_alarm(struct state *state, struct arena *arena, state_alarm_visit visit, void *ctx)
{
    struct walk walk = {.visit.alarm = visit, .ctx = ctx};

    rows_each(state, arena, TABLE_ALARM, every, slice_make(NULL, 0), visit_alarm, &walk);
}

static bool visit_group(void *ctx, struct slice key, void *row)
{
    const struct walk *walk = ctx;

    return walk->visit.group(walk->ctx, arena_strndup(walk->arena, key), row);
}

void state_each_group(struct state *state, struct arena *arena, state_group_visit visit, void *ctx)
{
    struct walk walk = {.arena = arena, .visit.group = visit, .ctx = ctx};

    rows_each(state, arena, TABLE_GROUP, every, slice_make(NULL, 0), visit_group, &walk);
}
