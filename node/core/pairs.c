#include "node/core/pairs.h"

#include "node/base/log.h"
#include "node/core/core_private.h"

static const enum pair_reason reasons[] = {
    [PB__MOVE_REASON__NEVER] = PAIR_NONE,
    [PB__MOVE_REASON__ADMIN_REQUEST] = PAIR_ADMIN_REQUEST,
    [PB__MOVE_REASON__CRITICAL_SERVICE_DOWN] = PAIR_CRITICAL_SERVICE_DOWN,
    [PB__MOVE_REASON__PEER_DOWN] = PAIR_PEER_DOWN,
    [PB__MOVE_REASON__PEER_REBOOT] = PAIR_PEER_REBOOT,
    [PB__MOVE_REASON__AUTOMATIC_FALLBACK] = PAIR_AUTOMATIC_FALLBACK,
    [PB__MOVE_REASON__AUTO_RECOVERY] = PAIR_AUTO_RECOVERY};

static enum pair_reason reason_of(unsigned stored)
{
    return stored < ARRAY_COUNT(reasons) ? reasons[stored] : PAIR_NONE;
}

static Pb__MoveReason reason_to_store(enum pair_reason reason)
{
    for (size_t i = 0; i < ARRAY_COUNT(reasons); i++) {
        if (reasons[i] == reason) {
            return (Pb__MoveReason)i;
        }
    }
    ASSERT(false && "no move has another reason");
    return PB__MOVE_REASON__NEVER;
}

struct walk {
    struct core *core;
    bool (*visit)(void *ctx, const struct pair_of_nodes *pair);
    void *ctx;
    struct walked {
        const Pb__NodeRow *row;
        bool is_grouped;
    } * nodes; /* all there are */
    size_t count;
    bool is_over; /* visit() wants no more */
};

static bool is_up(struct core *core, uint64_t incarnation)
{
    return state_is_up(core->state, &core->arena, incarnation);
}

static enum pair_life life_of(struct core *core, const Pb__NodeRow *row)
{
    if (!is_up(core, row->incarnation)) {
        return row->stopped ? PAIR_STOPPED : PAIR_DOWN;
    }
    return row->starting ? PAIR_STARTING : PAIR_UP;
}

static struct pair_node node_facts(struct core *core, const Pb__NodeRow *row)
{
    return (struct pair_node){.is_there = true,
                              .life = life_of(core, row),
                              .life_ms = row->life_ms,
                              .is_well =
                                  !row->witness && !row->not_serving && row->services_down == 0,
                              .well_ms = row->health_ms,
                              .is_away = row->away,
                              .is_drained = row->drained,
                              .is_moving = row->moving_by != 0 && is_up(core, row->moving_by),
                              .moved_for = reason_of(row->moved_for),
                              .moved_ms = row->moved_ms};
}

static bool is_of(const struct pair_of_nodes *pair, const Pb__NodeRow *row)
{
    for (size_t i = 0; i < pair->count; i++) {
        if (pair->rows[i]->node == row->node) {
            return true;
        }
    }
    return false;
}

static bool do_others_serve(const struct walk *walk, const struct pair_of_nodes *pair)
{
    for (size_t i = 0; i < walk->count; i++) {
        const Pb__NodeRow *row = walk->nodes[i].row;

        if (!is_of(pair, row) && state_takes_sessions(walk->core->state, &walk->core->arena, row)) {
            return true;
        }
    }
    return false;
}

static void add_node(struct walk *walk, struct pair_of_nodes *pair, uint32_t node)
{
    for (size_t i = 0; i < walk->count; i++) {
        struct walked *walked = &walk->nodes[i];

        if (walked->row->node == node) {
            walked->is_grouped = true;
            pair->rows[pair->count] = walked->row;
            pair->facts.nodes[pair->count++] = node_facts(walk->core, walked->row);
        }
    }
}

static bool visit_pair(struct walk *walk, struct pair_of_nodes *pair)
{
    pair->facts.falls_back = walk->core->fallback_s != 0;
    pair->facts.fallback_wait_ms = walk->core->fallback_s * UINT64_C(1000);
    pair->facts.others_serve = do_others_serve(walk, pair);
    walk->is_over = walk->is_over || !walk->visit(walk->ctx, pair);
    return !walk->is_over;
}

static bool visit_group(void *ctx, const char *name, const Pb__GroupRow *row)
{
    struct pair_of_nodes pair = {.group = name, .facts = {.is_enabled = row->ha_enabled}};

    for (size_t i = 0; i < row->n_nodes && i < PAIR_NODES; i++) {
        add_node(ctx, &pair, row->nodes[i]);
    }
    return visit_pair(ctx, &pair);
}

static bool count_node(void *ctx, const Pb__NodeRow *row)
{
    (void)row;
    ++*(size_t *)ctx;
    return true;
}

static bool collect_node(void *ctx, const Pb__NodeRow *row)
{
    struct walk *walk = ctx;

    walk->nodes[walk->count++] = (struct walked){.row = row};
    return true;
}

void pairs_each(struct core *core, bool (*visit)(void *ctx, const struct pair_of_nodes *pair),
                void *ctx)
{
    struct walk walk = {.core = core, .visit = visit, .ctx = ctx};
    size_t node_count = 0;

    state_each_node(core->state, &core->arena, count_node, &node_count);
    walk.nodes = arena_alloc(&core->arena, node_count * sizeof(*walk.nodes));
    state_each_node(core->state, &core->arena, collect_node, &walk);
    state_each_group(core->state, &core->arena, visit_group, &walk);
    for (size_t i = 0; i < walk.count && !walk.is_over; i++) {
        if (!walk.nodes[i].is_grouped) {
            struct pair_of_nodes alone = {.group = ""};

            add_node(&walk, &alone, walk.nodes[i].row->node);
            (void)visit_pair(&walk, &alone);
        }
    }
}

Pb__NodeMove pairs_move(const struct pair_of_nodes *pair, const struct pair_move *move)
{
    Pb__NodeMove command = PB__NODE_MOVE__INIT;

    command.node = pair->rows[move->node]->node;
    command.away = move->away;
    command.drain = move->drain;
    command.reason = reason_to_store(move->reason);
    command.moves = pair->rows[move->node]->moves;
    return command;
}

struct decision {
    struct core *core;
    uint64_t time_ms;
    bool is_fallback_awaited;
};

static bool decide(void *ctx, const struct pair_of_nodes *pair)
{
    struct decision *decision = ctx;
    struct pair_facts facts = pair->facts;
    Pb__Command command = PB__COMMAND__INIT;
    Pb__NodeMove node_move;
    struct pair_move move;

    for (size_t i = 0; i < pair->count; i++) {
        decision->is_fallback_awaited =
            decision->is_fallback_awaited || (facts.falls_back && facts.nodes[i].is_away &&
                                              facts.nodes[i].moved_for != PAIR_ADMIN_REQUEST);
    }
    facts.now_ms = decision->time_ms;
    if (!pair_decide(&facts, &move)) {
        return true;
    }
    node_move = pairs_move(pair, &move);
    command.body_case = PB__COMMAND__BODY_NODE_MOVE;
    command.node_move = &node_move;
    core_decide(decision->core, &command, COOKIE_NONE);
    return true;
}

void core_decide_pairs(struct core *core, uint64_t time_ms)
{
    struct decision decision = {.core = core, .time_ms = time_ms};

    pairs_each(core, decide, &decision);
    core->leader.is_fallback_awaited = decision.is_fallback_awaited;
}

void core_on_moved(struct core *core, const struct effect *effect)
{
    moving_look_again(core);
    log_warn(effect->away ? "core.node_failed_over" : "core.node_fell_back",
             LOG_UINT("node", effect->node),
             LOG_STR("reason", pair_reason_text(reason_of(effect->reason))));
}
