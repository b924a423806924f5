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

        homes->places[i] = (struct place){.node = row->node, .users = row->users};
    }
}

static void mark_group(struct homes *homes, const Pb__GroupRow *group, bool is_enabled)
{
    for (size_t i = 0; i < group->n_nodes; i++) {
        struct place *place = find(homes, group->nodes[i]);
        bool is_active = i == 0 || homes->mode != PB__ASSIGN_MODE__ACTIVE_STANDBY;

        place->is_grouped = true;
        place->takes = is_enabled && is_active;
        place->stands_by = is_enabled && !is_active;
    }
}

/* The nodes of enabled groups take users; while none is enabled, those of all. */
static void mark(struct homes *homes)
{
    struct row_list groups =
        rows_all(homes->state, homes->arena, TABLE_GROUP, (struct key){.len = 0});
    bool is_any_enabled = false;

    for (size_t i = 0; i < groups.count; i++) {
        is_any_enabled |= ((const Pb__GroupRow *)groups.items[i].row)->ha_enabled != 0;
    }
    for (size_t i = 0; i < groups.count; i++) {
        const Pb__GroupRow *group = groups.items[i].row;

        mark_group(homes, group, group->ha_enabled || !is_any_enabled);
    }
}

static void open_as(struct homes *homes, struct state *state, struct arena *arena,
                    Pb__AssignMode mode)
{
    *homes = (struct homes){.state = state, .arena = arena, .mode = mode};
    collect(homes);
    mark(homes);
}

void homes_open(struct homes *homes, struct state *state, struct arena *arena)
{
    open_as(homes, state, arena, state_assignment(state, arena)->mode);
}

void homes_close(struct homes *homes)
{
    for (size_t i = 0; i < homes->count; i++) {
        const struct place *place = &homes->places[i];

        if (place->is_changed) {
            Pb__NodeRow *row = state_node(homes->state, homes->arena, place->node);

            row->users = place->users;
            row_put(homes->state, TABLE_NODE, key_u32(place->node), row);
        }
    }
}

/* The one that takes users and has the fewest; NULL: none takes any. */
static struct place *find_least(struct homes *homes)
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

static struct key users_key(uint32_t node, bool by_hand)
{
    const uint8_t flag = by_hand ? 1 : 0;
    struct key key = key_u32(node);

    key_add_bytes(&key, slice_make(&flag, 1));
    return key;
}

static struct key home_key(uint32_t node, bool by_hand, const char *user)
{
    struct key key = users_key(node, by_hand);

    key_add_user(&key, user);
    return key;
}

static void count(struct homes *homes, uint32_t node, bool more)
{
    struct place *place = find(homes, node);

    if (place != NULL) {
        place->users = more ? place->users + 1 : place->users - 1;
        place->is_changed = true;
    }
}

void home_end(struct homes *homes, const char *user, Pb__AccountRow *row)
{
    row_delete(homes->state, TABLE_HOME, home_key(row->home, row->by_hand, user));
    count(homes, row->home, false);
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
    home.user = (char *)user;
    row_put(homes->state, TABLE_HOME, home_key(node, by_hand, user), &home);
    count(homes, node, true);
}

void home_begin(struct homes *homes, const char *user, Pb__AccountRow *row)
{
    const struct place *place =
        homes->mode == PB__ASSIGN_MODE__NO_ASSIGNMENT ? NULL : find_least(homes);

    settle(homes, user, row, place == NULL ? 0 : place->node, false);
}

static void move(struct homes *homes, const char *user, uint32_t node, bool by_hand)
{
    Pb__AccountRow *row = state_account(homes->state, homes->arena, user);

    home_end(homes, user, row);
    settle(homes, user, row, node, by_hand);
    row_put(homes->state, TABLE_ACCOUNT, key_user(user), row);
}

const char *home_elsewhere(struct apply *a, const char *user, uint64_t incarnation)
{
    const Pb__AccountRow *account = state_account(a->state, a->arena, user);
    const Pb__IncarnationRow *life = state_incarnation(a->state, a->arena, incarnation);
    const Pb__NodeRow *node;

    if (state_assignment(a->state, a->arena)->policy != PB__VISITOR_POLICY__REDIRECT ||
        account == NULL || life == NULL) {
        return "";
    }
    node = group_in_charge(a, account->home);
    if (node == NULL || node->node == life->node ||
        !node_is_up(a->state, a->arena, node->incarnation)) {
        return "";
    }
    return arena_strndup(a->out->arena, slice_str(node->client_address));
}

/* ---- the plan */

struct plan {
    struct homes homes; /* their numbers as if all had moved */
    struct state_move *moves;
    size_t count;
    size_t max;
};

static void plan_moves(struct plan *plan, struct place *from, uint32_t node, size_t max)
{
    size_t room = plan->max - plan->count;
    struct row_list users =
        rows_collect(plan->homes.state, plan->homes.arena, TABLE_HOME, users_key(node, false),
                     slice_make(NULL, 0), max < room ? max : room);

    for (size_t i = 0; i < users.count; i++) {
        struct place *to = find_least(&plan->homes);

        plan->moves[plan->count++] = (struct state_move){
            .user = ((const Pb__HomeRow *)users.items[i].row)->user, .from = node, .to = to->node};
        to->users++;
        if (from != NULL) {
            from->users--;
        }
    }
}

/* Who has no home, or one that nobody should have. */
static void plan_homeless(struct plan *plan)
{
    plan_moves(plan, NULL, 0, plan->max);
    for (size_t i = 0; i < plan->homes.count; i++) {
        struct place *place = &plan->homes.places[i];

        if (!place->is_grouped || place->stands_by) {
            plan_moves(plan, place, place->node, plan->max);
        }
    }
}

/* How many users a node keeps when those that take users share them equally. Of the ones that keep
 * one more there are as many as do not divide evenly: those with the most now, so that the fewest
 * move. */
static uint32_t fair_share(const struct homes *homes, const struct place *of)
{
    uint64_t total = 0;
    uint32_t takers = 0;
    uint32_t before = 0;

    for (size_t i = 0; i < homes->count; i++) {
        const struct place *place = &homes->places[i];

        if (place->takes) {
            total += place->users;
            takers++;
            before += place->users > of->users || (place->users == of->users && place < of);
        }
    }
    return (uint32_t)(total / takers) + (before < total % takers ? 1 : 0);
}

static void plan_spread(struct plan *plan)
{
    struct homes *homes = &plan->homes;
    size_t *surplus = arena_alloc(homes->arena, homes->count * sizeof(*surplus));

    for (size_t i = 0; i < homes->count; i++) {
        const struct place *place = &homes->places[i];
        uint32_t share = place->takes ? fair_share(homes, place) : 0;

        surplus[i] = place->takes && place->users > share ? place->users - share : 0;
    }
    for (size_t i = 0; i < homes->count; i++) {
        if (surplus[i] > 0) {
            plan_moves(plan, &homes->places[i], homes->places[i].node, surplus[i]);
        }
    }
}

size_t state_plan_moves(struct state *state, struct arena *arena, Pb__AssignMode mode, size_t max,
                        struct state_move **moves_out)
{
    struct plan plan = {.max = max, .moves = arena_alloc(arena, (max + 1) * sizeof(*plan.moves))};

    *moves_out = plan.moves;
    if (mode == PB__ASSIGN_MODE__NO_ASSIGNMENT) {
        return 0;
    }
    open_as(&plan.homes, state, arena, mode);
    if (find_least(&plan.homes) != NULL) {
        plan_homeless(&plan);
        plan_spread(&plan);
    }
    return plan.count;
}

/* ---- commands */

int assignment_set(struct apply *a, const Pb__AssignmentSet *command)
{
    Pb__AssignmentRow row = PB__ASSIGNMENT_ROW__INIT;

    if (command->mode > PB__ASSIGN_MODE__NO_ASSIGNMENT ||
        command->policy > PB__VISITOR_POLICY__REDIRECT) {
        return ERR_INVALID;
    }
    row.mode = command->mode;
    row.policy = command->policy;
    row_put(a->state, TABLE_ASSIGNMENT, key_u32(ASSIGNMENT_KEY), &row);
    return 0;
}

int rebalance(struct apply *a, const Pb__Rebalance *command)
{
    struct state_move *moves;
    struct homes homes;
    size_t count;

    if (command->max == 0 || command->max > STATE_MOVES_MAX) {
        return ERR_LIMIT;
    }
    count = state_plan_moves(a->state, a->arena, command->mode, command->max, &moves);
    homes_open(&homes, a->state, a->arena);
    for (size_t i = 0; i < count; i++) {
        move(&homes, moves[i].user, moves[i].to, false);
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
    if (wanted->node != 0 && (place == NULL || !place->is_grouped)) {
        return ERR_NOT_ALLOWED;
    }
    return 0;
}

int home_set(struct apply *a, const Pb__HomeSet *command)
{
    struct homes homes;

    if (command->n_users > STATE_MOVES_MAX) {
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
        move(&homes, command->users[i]->user, command->users[i]->node,
             command->users[i]->node != 0);
    }
    homes_close(&homes);
    return 0;
}
