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
};

static struct pair_node node_facts(struct core *core, const Pb__NodeRow *row)
{
    const Pb__IncarnationRow *life = state_incarnation(core->state, &core->arena, row->incarnation);

    return (struct pair_node){.is_there = true,
                              .life = life != NULL && life->up ? PAIR_UP : PAIR_DOWN,
                              .life_ms = row->life_ms,
                              .is_well = true,
                              .is_away = row->away,
                              .moved_for = reason_of(row->moved_for)};
}

static bool visit_group(void *ctx, const char *name, const Pb__GroupRow *row)
{
    const struct walk *walk = ctx;
    struct core *core = walk->core;
    struct pair_of_nodes pair = {.group = name,
                                 .facts = {.is_enabled = row->ha_enabled,
                                           .falls_back = core->fallback_s != 0,
                                           .fallback_wait_ms = core->fallback_s * UINT64_C(1000)}};

    for (size_t i = 0; i < row->n_nodes && i < PAIR_NODES; i++) {
        pair.rows[i] = state_node(core->state, &core->arena, row->nodes[i]);
        ASSERT(pair.rows[i] != NULL); /* no row of a node is ever deleted */
        pair.facts.nodes[i] = node_facts(core, pair.rows[i]);
        pair.count = i + 1;
    }
    return walk->visit(walk->ctx, &pair);
}

void pairs_each(struct core *core, bool (*visit)(void *ctx, const struct pair_of_nodes *pair),
                void *ctx)
{
    struct walk walk = {.core = core, .visit = visit, .ctx = ctx};

    state_each_group(core->state, &core->arena, visit_group, &walk);
}

Pb__NodeMove pairs_move(const struct pair_of_nodes *pair, const struct pair_move *move)
{
    Pb__NodeMove command = PB__NODE_MOVE__INIT;

    command.node = pair->rows[move->node]->node;
    command.away = move->away;
    command.reason = reason_to_store(move->reason);
    command.moves = pair->rows[move->node]->moves;
    return command;
}

struct decision {
    struct core *core;
    uint64_t time_ms;
    bool is_anyone_away;
};

static bool decide(void *ctx, const struct pair_of_nodes *pair)
{
    struct decision *decision = ctx;
    struct pair_facts facts = pair->facts;
    Pb__Command command = PB__COMMAND__INIT;
    Pb__NodeMove node_move;
    struct pair_move move;

    for (size_t i = 0; i < pair->count; i++) {
        decision->is_anyone_away = decision->is_anyone_away || facts.nodes[i].is_away;
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
    core->leader.is_anyone_away = decision.is_anyone_away;
}

void core_on_moved(const struct effect *effect)
{
    log_warn(effect->away ? "core.node_failed_over" : "core.node_fell_back",
             LOG_UINT("node", effect->node),
             LOG_STR("reason", pair_reason_text(reason_of(effect->reason))));
}
