#include "storage/state/move.h"

#include "storage/state/group.h"
#include "storage/state/node.h"

static void begin(struct apply *a, Pb__NodeRow *row, const Pb__NodeMove *command,
                  uint64_t moving_by)
{
    struct effect *effect = effects_push(a->out, EFFECT_MOVED);

    effect->node = row->node;
    effect->away = command->away;
    effect->reason = command->reason;
    row->away = command->away;
    row->drained = command->away && command->drain;
    row->moved_for = command->reason;
    row->moved_ms = a->now_ms;
    row->moves++;
    row->moving_by = moving_by;
    row->move_rate = command->rate;
    row->move_by_ms =
        command->deadline_s == 0 ? 0 : a->now_ms + command->deadline_s * UINT64_C(1000);
    row->counts = NULL;
    row_put(a->state, TABLE_NODE, key_u32(row->node), row);
}

void move_home(struct apply *a, Pb__NodeRow *row)
{
    Pb__NodeMove command = PB__NODE_MOVE__INIT;

    command.reason = PB__MOVE_REASON__ADMIN_REQUEST;
    begin(a, row, &command, 0);
}

static bool is_up(struct apply *a, const Pb__NodeRow *row)
{
    return row != NULL && state_is_up(a->state, a->arena, row->incarnation);
}

/* Has what the command was decided on changed? A node may have come back, or died; and two nodes
 * that are away would be served by nobody. */
static bool is_outdated(struct apply *a, const Pb__NodeRow *row, const Pb__NodeRow *peer,
                        const Pb__NodeMove *command)
{
    const bool changes = row->away != command->away || (command->drain && !row->drained);
    const bool needs_it_down = command->reason == PB__MOVE_REASON__PEER_DOWN ||
                               command->reason == PB__MOVE_REASON__PEER_REBOOT;

    return row->moves != command->moves || !changes ||
           (command->away ? (needs_it_down && is_up(a, row)) || (peer != NULL && peer->away)
                          : !is_up(a, row));
}

int node_move(struct apply *a, const Pb__NodeMove *command)
{
    Pb__NodeRow *row = state_node(a->state, a->arena, command->node);
    const Pb__NodeRow *peer = group_peer(a->state, a->arena, command->node);
    const Pb__NodeRow *mover = command->away ? row : peer;

    if (command->reason <= PB__MOVE_REASON__NEVER ||
        command->reason > PB__MOVE_REASON__AUTO_RECOVERY || (command->drain && !command->away) ||
        command->deadline_s > STATE_MOVE_DEADLINE_S_MAX) {
        return ERR_INVALID;
    }
    if (row == NULL) {
        return ERR_NOT_FOUND;
    }
    if (peer == NULL && command->away && !command->drain) {
        return ERR_NOT_ALLOWED;
    }
    if (is_outdated(a, row, peer, command)) {
        return ERR_CONFLICT;
    }
    begin(a, row, command, is_up(a, mover) ? mover->incarnation : 0);
    return 0;
}

int move_report(struct apply *a, const Pb__MoveReport *command)
{
    Pb__NodeRow *row = state_node(a->state, a->arena, command->node);

    if (row == NULL || row->moves != command->moves || row->moving_by == 0 ||
        row->moving_by != a->origin) {
        return ERR_CONFLICT;
    }
    row->counts = command->counts;
    if (command->over) {
        row->moving_by = 0;
        row->moved_ms = a->now_ms;
    }
    row_put(a->state, TABLE_NODE, key_u32(row->node), row);
    return 0;
}

int move_abort(struct apply *a, const Pb__MoveAbort *command)
{
    Pb__NodeRow *row = state_node(a->state, a->arena, command->node);

    if (row == NULL) {
        return ERR_NOT_FOUND;
    }
    if (row->moves != command->moves || row->moving_by == 0) {
        return ERR_CONFLICT;
    }
    if (row->away) {
        move_home(a, row);
    } else {
        row->moving_by = 0;
        row->moved_ms = a->now_ms;
        row_put(a->state, TABLE_NODE, key_u32(row->node), row);
    }
    return 0;
}
