#include "storage/state/home.h"

#include "storage/state/group.h"
#include "storage/state/node.h"

#define ASSIGNMENT_KEY 1

Pb__AssignmentRow *state_assignment(struct state *state, struct arena *arena)
{
    Pb__AssignmentRow *row = row_get(state, arena, TABLE_ASSIGNMENT, key_u32(ASSIGNMENT_KEY));

    if (row == NULL) {
        row = arena_alloc(arena, sizeof(*row));
        pb__assignment_row__init(row);
    }
    return row;
}

/* ---- the nodes */

static struct place *find(struct homes *homes, uint32_t node)
{
    for (size_t i = 0; i < homes->count; i++) {
        if (homes->places[i].node == node) {
            return &homes->places[i];
        }
    }
    return NULL;
}

static void collect(struct homes *homes)
{
    struct row_list nodes =
        rows_all(homes->state, homes->arena, TABLE_NODE, (struct key){.len = 0});

    homes->count = nodes.count;
    homes->places = arena_alloc(homes->arena, (nodes.count + 1) * sizeof(*homes->places));
    for (size_t i = 0; i < nodes.count; i++) {
        const Pb__NodeRow *row = nodes.items[i].row;

        homes->places[i] = (struct place){.node = row->node,
                                          .users = row->users,
                                          .by_hand = row->users_by_hand,
                                          .is_witness = row->witness};
    }
}

static void mark_group(struct homes *homes, const Pb__GroupRow *group)
{
    bool has_active = false;

    for (size_t i = 0; i < group->n_nodes; i++) {
        struct place *place = find(homes, group->nodes[i]);
        bool is_active =
            !place->is_witness && (!has_active || homes->mode != PB__ASSIGN_MODE__ACTIVE_STANDBY);

        has_active |= is_active;
        place->is_grouped = true;
        place->takes = is_active;
        place->stands_by = !is_active;
    }
}

static void mark(struct homes *homes)
{
    struct row_list groups =
        rows_all(homes->state, homes->arena, TABLE_GROUP, (struct key){.len = 0});

    for (size_t i = 0; i < groups.count; i++) {
        mark_group(homes, groups.items[i].row);
    }
}

void homes_open_as(struct homes *homes, struct state *state, struct arena *arena,
                   Pb__AssignMode mode)
{
    *homes = (struct homes){.state = state, .arena = arena, .mode = mode};
    collect(homes);
    mark(homes);
}

void homes_open(struct homes *homes, struct state *state, struct arena *arena)
{
    homes_open_as(homes, state, arena, state_assignment(state, arena)->mode);
}

void homes_close(struct homes *homes)
{
    for (size_t i = 0; i < homes->count; i++) {
        const struct place *place = &homes->places[i];

        if (place->is_changed) {
            Pb__NodeRow *row = state_node(homes->state, homes->arena, place->node);

            row->users = place->users;
            row->users_by_hand = place->by_hand;
            row_put(homes->state, TABLE_NODE, key_u32(place->node), row);
        }
    }
}

bool state_stands_by(struct state *state, struct arena *arena, uint32_t node)
{
    const Pb__GroupRow *group = group_of(state, arena, node);
    const struct place *place;
    struct homes homes;

    homes_open(&homes, state, arena);
    place = find(&homes, node);
    return place != NULL && place->stands_by && !place->is_witness && group != NULL &&
           group->ha_enabled;
}

struct place *homes_find_least(struct homes *homes)
{
    struct place *least = NULL;

    for (size_t i = 0; i < homes->count; i++) {
        struct place *place = &homes->places[i];

        if (place->takes && (least == NULL || place->users < least->users)) {
            least = place;
        }
    }
    return least;
}

/* ---- one user */

struct key home_users_key(uint32_t node, bool by_hand)
{
    const uint8_t flag = by_hand ? 1 : 0;
    struct key key = key_u32(node);

    key_add_bytes(&key, slice_make(&flag, 1));
    return key;
}

static struct key home_key(uint32_t node, bool by_hand, const char *user)
{
    struct key key = home_users_key(node, by_hand);

    key_add_user(&key, user);
    return key;
}

static void count(struct homes *homes, const Pb__AccountRow *row, int change)
{
    struct place *place = find(homes, row->home);

    if (place != NULL) {
        place->users += (uint32_t)change;
        place->by_hand += row->by_hand ? (uint32_t)change : 0;
        place->is_changed = true;
    }
}

void home_end(struct homes *homes, const char *user, Pb__AccountRow *row)
{
    row_delete(homes->state, TABLE_HOME, home_key(row->home, row->by_hand, user));
    count(homes, row, -1);
    row->home = 0;
    row->by_hand = false;
}

/* Of a user without a home. */
static void settle(struct homes *homes, const char *user, Pb__AccountRow *row, uint32_t node,
                   bool by_hand)
{
    Pb__HomeRow home = PB__HOME_ROW__INIT;

    row->home = node;
    row->by_hand = by_hand;
    home.user = (char *)(uintptr_t)user;
    row_put(homes->state, TABLE_HOME, home_key(node, by_hand, user), &home);
    count(homes, row, 1);
}

void home_begin(struct homes *homes, const char *user, Pb__AccountRow *row)
{
    const struct place *place =
        homes->mode == PB__ASSIGN_MODE__NO_ASSIGNMENT ? NULL : homes_find_least(homes);

    settle(homes, user, row, place == NULL ? 0 : place->node, false);
}

static void rehome(struct homes *homes, const char *user, uint32_t node, bool by_hand)
{
    Pb__AccountRow *row = state_account(homes->state, homes->arena, user);

    home_end(homes, user, row);
    settle(homes, user, row, node, by_hand);
    row_put(homes->state, TABLE_ACCOUNT, key_user(user), row);
}

/* ---- commands */

int assignment_set(struct apply *a, const Pb__AssignmentSet *command)
{
    Pb__AssignmentRow *row;

    if (command->mode > PB__ASSIGN_MODE__NO_ASSIGNMENT ||
        command->policy > PB__VISITOR_POLICY__REDIRECT) {
        return ERR_INVALID;
    }
    row = state_assignment(a->state, a->arena);
    row->mode = command->sets_mode ? command->mode : row->mode;
    row->policy = command->sets_policy ? command->policy : row->policy;
    row_put(a->state, TABLE_ASSIGNMENT, key_u32(ASSIGNMENT_KEY), row);
    return 0;
}

int rebalance(struct apply *a, const Pb__Rebalance *command)
{
    struct state_rehoming *rehomings;
    struct homes homes;
    size_t count;

    if (command->mode > PB__ASSIGN_MODE__NO_ASSIGNMENT) {
        return ERR_INVALID;
    }
    if (command->max == 0 || command->max > STATE_REHOMINGS_MAX) {
        return ERR_LIMIT;
    }
    /* The leader decided by a mode that is gone; an operator may ask for another one. */
    if (a->origin == 0 && command->mode != state_assignment(a->state, a->arena)->mode) {
        return ERR_CONFLICT;
    }
    count = state_plan_rehomings(a->state, a->arena, command->mode, command->max, &rehomings);
    homes_open(&homes, a->state, a->arena);
    for (size_t i = 0; i < count; i++) {
        rehome(&homes, rehomings[i].user, rehomings[i].to, false);
    }
    homes_close(&homes);
    a->outcome.row = (uint32_t)count;
    return 0;
}

static int check_home(struct apply *a, struct homes *homes, const Pb__UserHome *wanted)
{
    const struct place *place = find(homes, wanted->node);

    if (!row_exists(a->state, TABLE_ACCOUNT, key_user(wanted->user))) {
        return ERR_NOT_FOUND;
    }
    if (wanted->node != 0 && (place == NULL || !place->is_grouped || place->is_witness)) {
        return ERR_NOT_ALLOWED;
    }
    return 0;
}

int home_set(struct apply *a, const Pb__HomeSet *command)
{
    struct homes homes;

    if (command->n_users > STATE_REHOMINGS_MAX) {
        return ERR_LIMIT;
    }
    homes_open(&homes, a->state, a->arena);
    for (size_t i = 0; i < command->n_users; i++) {
        int rc = check_home(a, &homes, command->users[i]);

        if (rc != 0) {
            a->outcome.row = (uint32_t)i + 1;
            return rc;
        }
    }
    for (size_t i = 0; i < command->n_users; i++) {
        rehome(&homes, command->users[i]->user, command->users[i]->node,
               command->users[i]->node != 0);
    }
    homes_close(&homes);
    return 0;
}
