#include "tests/unit/storage_state/check.h"

#include "tests/unit/storage_state/world.h"

#include "node/base/mem.h"

static const struct key every = {.len = 0};

uint64_t check_hash(struct state *state)
{
    uint64_t hash = 0;

    for (unsigned table = 0; table < TABLE_COUNT; table++) {
        struct kv_iter *iter = kv_iter_open(state->kv, table, slice_make(NULL, 0));
        struct slice key, value;

        while (kv_iter_next(iter, &key, &value)) {
            hash += kv_row_hash(table, key, value);
        }
        kv_iter_close(&iter);
    }
    return hash;
}

/* ---- invariants */

static uint64_t pending_bytes(struct state *state, struct arena *arena, uint64_t session)
{
    struct row_list list = rows_all(state, arena, TABLE_PENDING, key_u64(session));
    uint64_t bytes = 0;

    for (size_t i = 0; i < list.count; i++) {
        bytes += ((const Pb__PendingRow *)list.items[i].row)->bytes;
    }
    return bytes;
}

static void check_sessions(struct state *state, struct arena *arena)
{
    struct row_list list = rows_all(state, arena, TABLE_SESSION, every);

    assert_int_equal(list.count, rows_all(state, arena, TABLE_SESSION_OF, every).count);
    assert_int_equal(list.count, rows_all(state, arena, TABLE_OWNED, every).count);
    for (size_t i = 0; i < list.count; i++) {
        const Pb__SessionRow *row = list.items[i].row;
        uint64_t session = key_last_u64(list.items[i].key);
        uint32_t window_ms = row->deadline_ms != 0 ? UINT32_MAX : row->window_ms;

        assert_true(row_exists(state, TABLE_SESSION_OF, key_user_u64(row->user, session)));
        assert_true(
            row_exists(state, TABLE_OWNED, key_owned(row->owner->incarnation, window_ms, session)));
        assert_true(row_exists(state, TABLE_INCARNATION, key_u64(row->owner->incarnation)));
        assert_true(row_exists(state, TABLE_ACCOUNT, key_user(row->user)));
        assert_int_equal(row->pending_count,
                         rows_all(state, arena, TABLE_PENDING, key_u64(session)).count);
        assert_int_equal(row->directed_count,
                         rows_all(state, arena, TABLE_DIRECTED, key_u64(session)).count);
        assert_true(row->directed_count <= STATE_DIRECTED_MAX);
        assert_int_equal(row->pending_bytes, pending_bytes(state, arena, session));
        assert_true(row->pending_count <= STATE_PENDING_SELF_MAX + STATE_OFFLINE_SETTLED_MAX);
        if (row->detached || row->epoch != row->confirmed_epoch) {
            assert_true(row->deadline_ms != 0); /* P5: a deadline that the log enforces */
        }
        if (row->deadline_ms != 0) {
            assert_true(
                row_exists(state, TABLE_DEADLINE, key_deadline(row->deadline_ms, 0, session)));
        }
        if (row->resumable) {
            assert_true(row_exists(state, TABLE_RESUME,
                                   key_bytes(slice_make(row->resume_id.data, row->resume_id.len))));
        }
    }
}

static void check_incarnations(struct state *state, struct arena *arena)
{
    struct row_list list = rows_all(state, arena, TABLE_INCARNATION, every);

    for (size_t i = 0; i < list.count; i++) {
        const Pb__IncarnationRow *row = list.items[i].row;

        assert_true(row->up || rows_any(state, TABLE_OWNED, key_bytes(list.items[i].key)));
    }
}

static void check_presence(struct state *state, struct arena *arena)
{
    struct row_list list = rows_all(state, arena, TABLE_PRESENCE, every);

    assert_int_equal(list.count, rows_all(state, arena, TABLE_SHOWN, every).count);
    for (size_t i = 0; i < list.count; i++) {
        const Pb__PresenceRow *row = list.items[i].row;

        assert_int_equal(row->session, key_last_u64(list.items[i].key));
        assert_true(row_exists(state, TABLE_SHOWN, key_bytes(list.items[i].key)));
        if (row->until_ms == 0) {
            assert_true(row_exists(state, TABLE_SESSION, key_u64(row->session)));
        } else {
            assert_true(
                row_exists(state, TABLE_DEADLINE, key_deadline(row->until_ms, 1, row->session)));
            assert_false(row_exists(state, TABLE_SESSION, key_u64(row->session)));
        }
    }
}

/* Who must hear of an end is known as long as there is somebody to end. */
static void check_directed(struct state *state, struct arena *arena)
{
    struct row_list list = rows_all(state, arena, TABLE_DIRECTED, every);
    struct row_list presences = rows_all(state, arena, TABLE_PRESENCE, every);

    for (size_t i = 0; i < list.count; i++) {
        uint64_t session = get_u64(list.items[i].key.data);
        bool found = row_exists(state, TABLE_SESSION, key_u64(session));

        for (size_t n = 0; n < presences.count; n++) {
            found = found || key_last_u64(presences.items[n].key) == session;
        }
        assert_true(found);
    }
}

/* Of each ended session that is remembered its user's index says so, and of no other. */
static void check_ended(struct state *state, struct arena *arena)
{
    struct row_list list = rows_all(state, arena, TABLE_ENDED, every);

    assert_int_equal(list.count, rows_all(state, arena, TABLE_ENDED_OF, every).count);
    for (size_t i = 0; i < list.count; i++) {
        const Pb__TombstoneRow *row = list.items[i].row;

        assert_true(row_exists(state, TABLE_ENDED_OF,
                               key_ended_of(row->user, row->until_ms, row->session)));
        assert_true(row_exists(
            state, TABLE_DEADLINE,
            key_deadline(row->until_ms, PB__DEADLINE_KIND__SESSION_TOMBSTONE, row->session)));
        assert_true(rows_all(state, arena, TABLE_ENDED_OF, key_user(row->user)).count <=
                    STATE_SESSION_TOMBSTONES_MAX);
    }
}

/* Deadlines name what is there: each row of the index has its owner, so none is left over. */
static void check_deadlines(struct state *state, struct arena *arena)
{
    struct row_list list = rows_all(state, arena, TABLE_DEADLINE, every);

    for (size_t i = 0; i < list.count; i++) {
        const Pb__DeadlineRow *row = list.items[i].row;
        uint64_t deadline_ms = get_u64(list.items[i].key.data);
        const Pb__SessionRow *session;
        const Pb__PresenceRow *presence;
        const Pb__TombstoneRow *tombstone;

        switch (get_u32(list.items[i].key.data + 8)) {
        case PB__DEADLINE_KIND__SESSION:
            session = state_session(state, arena, row->session);
            assert_non_null(session);
            assert_int_equal(session->deadline_ms, deadline_ms);
            break;
        case PB__DEADLINE_KIND__STANDING_PRESENCE:
            presence = row_get(state, arena, TABLE_PRESENCE, key_user_u64(row->user, row->session));
            assert_non_null(presence);
            assert_int_equal(presence->until_ms, deadline_ms);
            break;
        case PB__DEADLINE_KIND__PRESENCE_TOMBSTONE:
            tombstone =
                row_get(state, arena, TABLE_TOMBSTONE, key_user_digest(row->user, row->resource));
            assert_non_null(tombstone);
            assert_int_equal(tombstone->until_ms, deadline_ms);
            break;
        case PB__DEADLINE_KIND__SESSION_TOMBSTONE:
            assert_true(row_exists(state, TABLE_ENDED,
                                   key_bytes(slice_make(row->resume_id.data, row->resume_id.len))));
            break;
        default:
            assert_true(row_exists(state, TABLE_ERASURE, key_user(row->user)));
        }
    }
}

/* Each stanza of the table is named by as many lists as it says. */
static void check_shared(struct state *state, struct arena *arena)
{
    struct row_list stanzas = rows_all(state, arena, TABLE_STANZA, every);
    struct row_list pending = rows_all(state, arena, TABLE_PENDING, every);
    struct row_list offline = rows_all(state, arena, TABLE_OFFLINE, every);
    uint64_t named = 0, counted = 0;

    for (size_t i = 0; i < pending.count; i++) {
        const Pb__PendingRow *row = pending.items[i].row;

        assert_true(row_exists(state, TABLE_SESSION, key_u64(get_u64(pending.items[i].key.data))));
        if (row->what_case == PB__PENDING_ROW__WHAT_SHARED) {
            assert_true(row_exists(state, TABLE_STANZA, key_u64(row->shared)));
            named++;
        }
    }
    for (size_t i = 0; i < offline.count; i++) {
        const Pb__OfflineRow *row = offline.items[i].row;

        assert_true(row_exists(state, TABLE_STANZA, key_u64(row->shared)));
        named++;
    }
    for (size_t i = 0; i < stanzas.count; i++) {
        const Pb__StanzaRefsRow *refs =
            row_get(state, arena, TABLE_STANZA_REFS, key_bytes(stanzas.items[i].key));

        counted += refs == NULL ? 1 : refs->count;
    }
    assert_int_equal(named, counted);
    assert_true(rows_all(state, arena, TABLE_STANZA_REFS, every).count <= stanzas.count);
}

/* Items are what they may be, and the rows of their users say how much they are together. */
static void check_rosters(struct state *state, struct arena *arena)
{
    struct row_list rosters = rows_all(state, arena, TABLE_ROSTER, every);
    size_t found = 0;

    for (size_t i = 0; i < rosters.count; i++) {
        const Pb__RosterRow *roster = rosters.items[i].row;
        struct key user = key_bytes(rosters.items[i].key);
        struct row_list list = rows_all(state, arena, TABLE_ROSTER_ITEM, user);
        uint64_t bytes = 0;
        size_t requests = 0;

        for (size_t n = 0; n < list.count; n++) {
            const Pb__RosterItem *item = list.items[n].row;
            struct key key = user;

            key_add_digest(&key, item->contact);
            assert_int_equal(slice_cmp(key_slice(&key), list.items[n].key), 0);
            assert_true(item->listed || item->pending_in);
            assert_true(item->listed || (item->subscription == 0 && !item->ask && !item->approved));
            assert_true(item->pending_in == (item->request != NULL));
            bytes += pb__roster_item__get_packed_size(item);
            requests += item->pending_in ? 1 : 0;
        }
        assert_int_equal(roster->count, list.count);
        assert_int_equal(roster->bytes, bytes);
        assert_int_equal(roster->requests, requests);
        assert_true(roster->count <= STATE_ROSTER_MAX && roster->bytes <= STATE_ROSTER_BYTES_MAX);
        found += list.count;
    }
    assert_int_equal(found, rows_all(state, arena, TABLE_ROSTER_ITEM, every).count);
}

static void check_totals(struct state *state, struct arena *arena)
{
    struct row_list totals = rows_all(state, arena, TABLE_OFFLINE_TOTAL, every);
    struct row_list rows = rows_all(state, arena, TABLE_OFFLINE, every);
    uint64_t sum = 0, bytes = 0;

    for (size_t i = 0; i < totals.count; i++) {
        const Pb__OfflineTotalRow *row = totals.items[i].row;

        assert_true(row->count > 0 && row->count <= STATE_OFFLINE_SETTLED_MAX);
        assert_true(row->bytes <= STATE_OFFLINE_SETTLED_BYTES_MAX);
        sum += row->count;
        bytes += row->bytes;
    }
    assert_int_equal(sum, rows.count);
    for (size_t i = 0; i < rows.count; i++) {
        bytes -= ((const Pb__OfflineRow *)rows.items[i].row)->bytes;
    }
    assert_int_equal(bytes, 0);
}

static bool is_from(struct state *state, struct arena *arena, const char *user, const char *contact)
{
    const Pb__RosterItem *item = state_roster_item(state, arena, user, contact);

    return item != NULL && (item->subscription & PB__ROSTER_ITEM__SUBSCRIPTION__FROM) != 0;
}

void check_subscriptions(struct state *state, const char *const *users, size_t count)
{
    struct arena arena;

    arena_init(&arena);
    for (size_t i = 0; i < count; i++) {
        struct row_list list = rows_all(state, &arena, TABLE_ROSTER_ITEM, key_user(users[i]));

        for (size_t n = 0; n < list.count; n++) {
            const Pb__RosterItem *item = list.items[n].row;

            if ((item->subscription & PB__ROSTER_ITEM__SUBSCRIPTION__TO) != 0) {
                assert_true(is_from(state, &arena, item->contact, users[i]));
            }
        }
    }
    arena_deinit(&arena);
}

/* Every account has one home row, and each node knows how many have it for their home. */
static void check_homes(struct state *state, struct arena *arena)
{
    struct row_list accounts = rows_all(state, arena, TABLE_ACCOUNT, (struct key){.len = 0});
    struct row_list nodes = rows_all(state, arena, TABLE_NODE, (struct key){.len = 0});
    struct row_list homes = rows_all(state, arena, TABLE_HOME, (struct key){.len = 0});

    assert_int_equal(accounts.count, homes.count);
    for (size_t n = 0; n < nodes.count; n++) {
        const Pb__NodeRow *node = nodes.items[n].row;
        uint32_t users = 0;
        uint32_t by_hand = 0;

        assert_true(node->node != 0);
        for (size_t i = 0; i < accounts.count; i++) {
            const Pb__AccountRow *account = accounts.items[i].row;

            users += account->home == node->node;
            by_hand += account->home == node->node && account->by_hand;
        }
        assert_int_equal(node->users, users);
        assert_int_equal(node->users_by_hand, by_hand);
    }
}

/* What users keep is as much as their rows say, and empty elements are no rows. */
static void check_kept(struct state *state, struct arena *arena)
{
    struct row_list totals = rows_all(state, arena, TABLE_KEPT_TOTAL, every);
    struct row_list rows = rows_all(state, arena, TABLE_KEPT, every);
    uint64_t sum = 0, bytes = 0;

    for (size_t i = 0; i < totals.count; i++) {
        const Pb__KeptTotalRow *row = totals.items[i].row;

        assert_true(row->count > 0 && row->count <= STATE_KEPT_MAX);
        assert_true(row->bytes <= STATE_KEPT_BYTES_MAX);
        sum += row->count;
        bytes += row->bytes;
    }
    assert_int_equal(sum, rows.count);
    for (size_t i = 0; i < rows.count; i++) {
        const Pb__KeptRow *row = rows.items[i].row;

        assert_true(row->kept->element.len > 0);
        bytes -= row->kept->element.len;
    }
    assert_int_equal(bytes, 0);
}

void check_invariants(struct state *state)
{
    struct arena arena;

    arena_init(&arena);
    check_homes(state, &arena);
    check_sessions(state, &arena);
    check_incarnations(state, &arena);
    check_presence(state, &arena);
    check_directed(state, &arena);
    check_ended(state, &arena);
    check_deadlines(state, &arena);
    check_shared(state, &arena);
    check_rosters(state, &arena);
    check_totals(state, &arena);
    check_kept(state, &arena);
    arena_deinit(&arena);
}
