/* The homes of users, who is sent to the node that serves him, and the plan that evens homes out.
 */
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

/* The node that serves a user, unless it is this one, or takes no sessions now. One with the same
 * address, behind a balancer, may be this one. */
static const Pb__NodeRow *in_charge_elsewhere(struct state *state, struct arena *arena,
                                              const char *user, uint32_t node)
{
    const Pb__NodeRow *here = state_node(state, arena, node);
    const Pb__AccountRow *account = state_account(state, arena, user);
    const Pb__NodeRow *in_charge =
        account == NULL ? NULL : group_in_charge(state, arena, account->home);

    return in_charge != NULL && state_takes_sessions(state, arena, in_charge) &&
                   strcmp(in_charge->client_address, here->client_address) != 0
               ? in_charge
               : NULL;
}

const char *state_address_for(struct state *state, struct arena *arena, const char *user,
                              uint32_t node)
{
    const Pb__NodeRow *in_charge = in_charge_elsewhere(state, arena, user, node);

    return in_charge == NULL ? node_backup_address(state, arena, node) : in_charge->client_address;
}

/* Where the client is to go, "": nowhere. A node that is drained sends away whatever the policy. */
static const char *elsewhere(struct apply *a, const char *user, const Pb__NodeRow *here)
{
    const Pb__NodeRow *in_charge;

    if (here->drained) {
        return state_address_for(a->state, a->out->arena, user, here->node);
    }
    if (state_assignment(a->state, a->arena)->policy != PB__VISITOR_POLICY__REDIRECT) {
        return "";
    }
    in_charge = in_charge_elsewhere(a->state, a->out->arena, user, here->node);
    return in_charge == NULL ? "" : in_charge->client_address;
}

const char *home_send_away(struct apply *a, const char *user, uint64_t incarnation)
{
    const Pb__IncarnationRow *life = state_incarnation(a->state, a->arena, incarnation);
    const Pb__NodeRow *here = state_node(a->state, a->arena, life->node);
    const char *address = elsewhere(a, user, here);
    Pb__AccountRow *account = state_account(a->state, a->arena, user);

    /* Nodes behind a balancer have one address: it would lead back to here. */
    if (address[0] == '\0' || strcmp(address, here->client_address) == 0 ||
        (account->sent_away_by == here->node &&
         a->now_ms - account->sent_away_ms < STATE_SENT_AWAY_MS)) {
        return "";
    }
    account->sent_away_by = here->node;
    account->sent_away_ms = a->now_ms;
    row_put(a->state, TABLE_ACCOUNT, key_user(user), account);
    return address;
}

/* ---- the plan */

struct plan {
    struct homes homes; /* their numbers as if all had moved */
    struct state_move *moves;
    size_t count;
    size_t max;
};

static void plan_moves(struct plan *plan, struct place *from, uint32_t node, bool by_hand,
                       size_t max)
{
    size_t room = plan->max - plan->count;
    struct row_list users =
        rows_collect(plan->homes.state, plan->homes.arena, TABLE_HOME, users_key(node, by_hand),
                     slice_make(NULL, 0), max < room ? max : room);

    for (size_t i = 0; i < users.count; i++) {
        struct place *to = find_least(&plan->homes);

        plan->moves[plan->count++] = (struct state_move){
            .user = ((const Pb__HomeRow *)users.items[i].row)->user, .from = node, .to = to->node};
        to->users++;
        if (from != NULL) {
            from->users--;
            from->by_hand -= by_hand ? 1 : 0;
        }
    }
}

/* Who has no home, or one that nobody should have. */
static void plan_homeless(struct plan *plan)
{
    plan_moves(plan, NULL, 0, false, plan->max);
    for (size_t i = 0; i < plan->homes.count; i++) {
        struct place *place = &plan->homes.places[i];

        if (!place->is_grouped || place->stands_by) {
            plan_moves(plan, place, place->node, false, plan->max);
        }
        if (!place->is_grouped) { /* nobody may be placed there by hand either: check_home() */
            plan_moves(plan, place, place->node, true, plan->max);
        }
    }
}

/* Like water that finds its level: where more are placed by hand nothing else goes, and all others
 * get as many, or one less. */
struct level {
    uint64_t height;
    uint64_t full; /* so many reach it, the rest of the others is one below */
};

static uint64_t fill_to(const struct homes *homes, uint64_t height)
{
    uint64_t users = 0;

    for (size_t i = 0; i < homes->count; i++) {
        const struct place *place = &homes->places[i];

        if (place->takes) {
            users += place->by_hand > height ? place->by_hand : height;
        }
    }
    return users;
}

static struct level find_level(const struct homes *homes)
{
    struct level level = {.height = 0};
    uint64_t total = 0;
    uint64_t above;

    for (size_t i = 0; i < homes->count; i++) {
        total += homes->places[i].takes ? homes->places[i].users : 0;
    }
    above = total; /* high enough */
    while (level.height < above) {
        uint64_t middle = level.height + (above - level.height) / 2;

        if (fill_to(homes, middle) >= total) {
            above = middle;
        } else {
            level.height = middle + 1;
        }
    }
    level.full = level.height == 0 ? 0 : total - fill_to(homes, level.height - 1);
    return level;
}

/* How many users a node keeps. Those that have the most keep one more, so that the fewest move. */
static uint64_t share_of(const struct homes *homes, const struct level *level, size_t of)
{
    const struct place *own = &homes->places[of];
    uint64_t before = 0;

    if (own->by_hand >= level->height) {
        return own->by_hand;
    }
    for (size_t i = 0; i < homes->count; i++) {
        const struct place *place = &homes->places[i];

        before += place->takes && place->by_hand < level->height &&
                  (place->users > own->users || (place->users == own->users && i < of));
    }
    return level->height - (before < level->full ? 0 : 1);
}

static void plan_spread(struct plan *plan)
{
    struct homes *homes = &plan->homes;
    const struct level level = find_level(homes);
    size_t *surplus = arena_alloc(homes->arena, homes->count * sizeof(*surplus));

    for (size_t i = 0; i < homes->count; i++) {
        const struct place *place = &homes->places[i];
        uint64_t share = place->takes ? share_of(homes, &level, i) : place->users;

        surplus[i] = place->users > share ? place->users - share : 0;
    }
    for (size_t i = 0; i < homes->count; i++) {
        if (surplus[i] > 0) {
            plan_moves(plan, &homes->places[i], homes->places[i].node, false, surplus[i]);
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
    struct state_move *moves;
    struct homes homes;
    size_t count;

    if (command->mode > PB__ASSIGN_MODE__NO_ASSIGNMENT) {
        return ERR_INVALID;
    }
    if (command->max == 0 || command->max > STATE_MOVES_MAX) {
        return ERR_LIMIT;
    }
    /* The leader decided by a mode that is gone; an operator may ask for another one. */
    if (a->origin == 0 && command->mode != state_assignment(a->state, a->arena)->mode) {
        return ERR_CONFLICT;
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
    if (wanted->node != 0 && (place == NULL || !place->is_grouped || place->is_witness)) {
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
