#include "storage/state/node.h"

#include "storage/state/group.h"
#include "storage/state/next.h"

bool state_is_up(struct state *state, struct arena *arena, uint64_t incarnation)
{
    const Pb__IncarnationRow *row = state_incarnation(state, arena, incarnation);

    return row != NULL && row->up;
}

void node_take_seq(struct apply *a, uint64_t incarnation, uint64_t seq)
{
    Pb__IncarnationRow *row = state_incarnation(a->state, a->arena, incarnation);

    row->last_seq = seq;
    row_put(a->state, TABLE_INCARNATION, key_u64(incarnation), row);
}

void node_release(struct apply *a, uint64_t incarnation)
{
    if (!state_is_up(a->state, a->arena, incarnation) &&
        !rows_any(a->state, TABLE_OWNED, key_u64(incarnation))) {
        row_delete(a->state, TABLE_INCARNATION, key_u64(incarnation));
    }
}

static void push_incarnation(struct apply *a, uint32_t node, uint64_t incarnation, bool up)
{
    struct effect *effect = effects_push(a->out, EFFECT_INCARNATION);

    effect->node = node;
    effect->incarnation = incarnation;
    effect->up = up;
}

static void note_life(struct apply *a, uint32_t node, bool stopped)
{
    Pb__NodeRow *row = state_node(a->state, a->arena, node);

    if (row != NULL) {
        row->life_ms = a->now_ms;
        row->stopped = stopped;
        row_put(a->state, TABLE_NODE, key_u32(node), row);
    }
}

/* One command, no session row touched: who asks for a session's life looks here (DESIGN 7). */
static void end_incarnation(struct apply *a, uint64_t incarnation, bool stopped)
{
    Pb__IncarnationRow *row = state_incarnation(a->state, a->arena, incarnation);

    if (row == NULL || !row->up) {
        return;
    }
    row->up = false;
    row->ended_ms = a->now_ms;
    row_put(a->state, TABLE_INCARNATION, key_u64(incarnation), row);
    note_life(a, row->node, stopped);
    push_incarnation(a, row->node, incarnation, false);
    node_release(a, incarnation);
}

static Pb__NodeRow *node_load_or_new(struct apply *a, uint32_t node)
{
    Pb__NodeRow *row = state_node(a->state, a->arena, node);

    if (row == NULL) {
        row = arena_alloc(a->arena, sizeof(*row));
        pb__node_row__init(row);
        row->node = node;
    }
    return row;
}

int node_start(struct apply *a, const Pb__Start *command)
{
    Pb__NodeRow *node = node_load_or_new(a, command->node);
    Pb__IncarnationRow life = PB__INCARNATION_ROW__INIT;

    if (command->nonce.len == 0 || command->node == 0) {
        return ERR_INVALID;
    }
    a->outcome.kind = OUTCOME_STARTED;
    if (slice_eq(slice_make(node->nonce.data, node->nonce.len),
                 slice_make(command->nonce.data, command->nonce.len))) {
        a->outcome.incarnation = node->incarnation;
        return 0; /* the same START again */
    }
    end_incarnation(a, node->incarnation, false);

    node->incarnation = a->state->meta.next_incarnation++;
    node->nonce = command->nonce;
    node->life_ms = a->now_ms;
    node->stopped = false;
    node->starting = state_cluster(a->state, a->arena)->log_version >= STATE_LOG_VERSION_HEALTH;
    node->not_serving = false;
    node->services_down = 0;
    node->health_ms = a->now_ms;
    row_put(a->state, TABLE_NODE, key_u32(command->node), node);
    life.node = command->node;
    life.up = true;
    life.started_ms = a->now_ms;
    row_put(a->state, TABLE_INCARNATION, key_u64(node->incarnation), &life);
    push_incarnation(a, command->node, node->incarnation, true);
    a->outcome.incarnation = node->incarnation;
    return 0;
}

int node_down(struct apply *a, const Pb__NodeDown *command)
{
    if (!state_is_up(a->state, a->arena, command->incarnation)) {
        return ERR_NOT_FOUND;
    }
    end_incarnation(a, command->incarnation, false);
    return 0;
}

int node_stop(struct apply *a)
{
    if (a->origin == 0) {
        return ERR_INVALID;
    }
    end_incarnation(a, a->origin, true);
    return 0;
}

int node_health(struct apply *a, const Pb__NodeHealth *command)
{
    const Pb__IncarnationRow *life = state_incarnation(a->state, a->arena, command->incarnation);
    struct effect *effect;
    Pb__NodeRow *row;

    if (life == NULL || !life->up) {
        return ERR_NOT_FOUND;
    }
    row = state_node(a->state, a->arena, life->node);
    row->starting = false;
    row->not_serving = !command->serves;
    row->services_down = command->services_down;
    row->health_ms = a->now_ms;
    row_put(a->state, TABLE_NODE, key_u32(row->node), row);
    effect = effects_push(a->out, EFFECT_HEALTH);
    effect->node = row->node;
    effect->up = command->serves && command->services_down == 0;
    effect->services_down = command->services_down;
    return 0;
}

bool state_takes_sessions(struct state *state, struct arena *arena, const Pb__NodeRow *row)
{
    return !row->witness && !row->drained && row->client_address[0] != '\0' && !row->starting &&
           !row->not_serving && row->services_down == 0 &&
           state_is_up(state, arena, row->incarnation);
}

int node_set(struct apply *a, const Pb__NodeSet *command)
{
    Pb__NodeRow *row = node_load_or_new(a, command->node);

    if (command->node == 0) {
        return ERR_INVALID;
    }
    row->name = command->name;
    row->link_address = command->link_address;
    row->client_address = command->client_address;
    row->witness = command->witness;
    next_node_set(row, command);
    row_put(a->state, TABLE_NODE, key_u32(command->node), row);
    return 0;
}

int node_votes(struct apply *a, const Pb__NodeVotes *command)
{
    Pb__NodeRow *row = node_load_or_new(a, command->node);

    if (command->node == 0 || command->raft_id >> 32 != command->node) {
        return ERR_INVALID;
    }
    if (command->raft_id <= row->voter_raft_id) {
        return ERR_EXISTS; /* memberships of a node are numbered in their order */
    }
    row->voter_raft_id = command->raft_id;
    row_put(a->state, TABLE_NODE, key_u32(command->node), row);
    effects_push(a->out, EFFECT_VOTES)->node = command->node;
    return 0;
}

/* The next in a ring: spreads the load of a dead node. NULL: there is none. */
static const Pb__NodeRow *next_in_ring(struct state *state, struct arena *arena, uint32_t node)
{
    struct row_list nodes = rows_all(state, arena, TABLE_NODE, (struct key){.len = 0});
    const Pb__NodeRow *found = NULL;

    for (size_t i = 0; i < nodes.count; i++) {
        const Pb__NodeRow *row = nodes.items[i].row;

        if (row->node == node || !state_takes_sessions(state, arena, row)) {
            continue;
        }
        if (row->node > node) {
            return row;
        }
        found = found == NULL ? row : found;
    }
    return found;
}

const char *node_backup_address(struct state *state, struct arena *arena, uint32_t node)
{
    const Pb__NodeRow *peer = group_peer(state, arena, node);

    if (peer == NULL || !state_takes_sessions(state, arena, peer)) {
        peer = next_in_ring(state, arena, node);
    }
    return peer == NULL ? "" : peer->client_address;
}
