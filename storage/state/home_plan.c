/* The plan that brings users to where they belong: who gets another home, and which. */
#include "storage/state/home.h"

struct plan {
    struct homes homes; /* their numbers as if all had moved */
    struct state_rehoming *rehomings;
    size_t count;
    size_t max;
};

static void plan_rehomings(struct plan *plan, struct place *from, uint32_t node, bool by_hand,
                           size_t max)
{
    size_t room = plan->max - plan->count;
    struct row_list users =
        rows_collect(plan->homes.state, plan->homes.arena, TABLE_HOME,
                     home_users_key(node, by_hand), slice_make(NULL, 0), max < room ? max : room);

    for (size_t i = 0; i < users.count; i++) {
        struct place *to = homes_find_least(&plan->homes);

        plan->rehomings[plan->count++] = (struct state_rehoming){
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
    plan_rehomings(plan, NULL, 0, false, plan->max);
    for (size_t i = 0; i < plan->homes.count; i++) {
        struct place *place = &plan->homes.places[i];

        if (!place->is_grouped || place->stands_by) {
            plan_rehomings(plan, place, place->node, false, plan->max);
        }
        if (!place->is_grouped) { /* nobody may be placed there by hand either: check_home() */
            plan_rehomings(plan, place, place->node, true, plan->max);
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
            plan_rehomings(plan, &homes->places[i], homes->places[i].node, false, surplus[i]);
        }
    }
}

size_t state_plan_rehomings(struct state *state, struct arena *arena, Pb__AssignMode mode,
                            size_t max, struct state_rehoming **rehomings_out)
{
    struct plan plan = {.max = max,
                        .rehomings = arena_alloc(arena, (max + 1) * sizeof(*plan.rehomings))};

    *rehomings_out = plan.rehomings;
    if (mode == PB__ASSIGN_MODE__NO_ASSIGNMENT) {
        return 0;
    }
    homes_open_as(&plan.homes, state, arena, mode);
    if (homes_find_least(&plan.homes) != NULL) {
        plan_homeless(&plan);
        plan_spread(&plan);
    }
    return plan.count;
}
