/* Redundancy groups: which nodes stand in for each other (DESIGN 7). */
#include "storage/state/group.h"

#include "storage/state/move.h"

#include <ctype.h>

static bool is_name(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < len; i++) {
        if (!isascii(name[i]) || !(isalnum(name[i]) || strchr("._-", name[i]) != NULL)) {
            return false;
        }
    }
    return len > 0 && len <= STATE_GROUP_NAME_BYTES_MAX && name[0] != '-';
}

static struct key group_key(const char *name)
{
    return key_bytes(slice_str(name));
}

static Pb__GroupRow *group_load(struct apply *a, const char *name)
{
    return is_name(name) ? row_get(a->state, a->arena, TABLE_GROUP, group_key(name)) : NULL;
}

static struct row_list all_groups(struct apply *a)
{
    return rows_all(a->state, a->arena, TABLE_GROUP, (struct key){.len = 0});
}

static int group_create(struct apply *a, const Pb__GroupSet *command)
{
    Pb__GroupRow row = PB__GROUP_ROW__INIT;

    if (!is_name(command->name)) {
        return ERR_INVALID;
    }
    if (group_load(a, command->name) != NULL) {
        return ERR_EXISTS;
    }
    if (command->ha_enabled) {
        return ERR_NOT_ALLOWED; /* nobody could stand in for anybody yet */
    }
    if (all_groups(a).count >= STATE_GROUPS_MAX) {
        return ERR_LIMIT;
    }
    row_put(a->state, TABLE_GROUP, group_key(command->name), &row);
    return 0;
}

static bool has_node(const Pb__GroupRow *row, uint32_t node)
{
    for (size_t i = 0; i < row->n_nodes; i++) {
        if (row->nodes[i] == node) {
            return true;
        }
    }
    return false;
}

const Pb__GroupRow *group_of(struct state *state, struct arena *arena, uint32_t node)
{
    struct row_list groups = rows_all(state, arena, TABLE_GROUP, (struct key){.len = 0});

    for (size_t i = 0; i < groups.count; i++) {
        if (has_node(groups.items[i].row, node)) {
            return groups.items[i].row;
        }
    }
    return NULL;
}

Pb__NodeRow *group_peer(struct state *state, struct arena *arena, uint32_t node)
{
    const Pb__GroupRow *group = group_of(state, arena, node);

    for (size_t i = 0; group != NULL && group->ha_enabled && i < group->n_nodes; i++) {
        if (group->nodes[i] != node) {
            return state_node(state, arena, group->nodes[i]);
        }
    }
    return NULL;
}

const Pb__NodeRow *group_in_charge(struct state *state, struct arena *arena, uint32_t home)
{
    const Pb__NodeRow *row = state_node(state, arena, home);

    return row != NULL && row->away ? group_peer(state, arena, home) : row;
}

/* Nobody stands in for anybody any more; sessions stay where they are. */
static void bring_home(struct apply *a, const Pb__GroupRow *group)
{
    for (size_t i = 0; i < group->n_nodes; i++) {
        Pb__NodeRow *row = state_node(a->state, a->arena, group->nodes[i]);

        if (row != NULL && row->away && !row->drained) {
            move_home(a, row);
        }
    }
}

int group_set(struct apply *a, const Pb__GroupSet *command)
{
    Pb__GroupRow *row;

    if (command->create) {
        return group_create(a, command);
    }
    row = group_load(a, command->name);
    if (row == NULL) {
        return ERR_NOT_FOUND;
    }
    if (command->ha_enabled && row->n_nodes < STATE_GROUP_NODES_MAX) {
        return ERR_NOT_ALLOWED;
    }
    if (!command->ha_enabled) {
        bring_home(a, row);
    }
    row->ha_enabled = command->ha_enabled;
    row_put(a->state, TABLE_GROUP, group_key(command->name), row);
    return 0;
}

int group_remove(struct apply *a, const Pb__GroupRemove *command)
{
    const Pb__GroupRow *row = group_load(a, command->name);

    if (row == NULL) {
        return ERR_NOT_FOUND;
    }
    if (row->n_nodes > 0) {
        return ERR_NOT_ALLOWED;
    }
    row_delete(a->state, TABLE_GROUP, group_key(command->name));
    return 0;
}

static int add_node(struct apply *a, const Pb__GroupNode *command, Pb__GroupRow *row)
{
    uint32_t *nodes = arena_alloc(a->arena, (row->n_nodes + 1) * sizeof(*nodes));
    const Pb__NodeRow *node = state_node(a->state, a->arena, command->node);

    if (node == NULL) {
        return ERR_NOT_FOUND;
    }
    if (node->witness) {
        return ERR_NOT_ALLOWED; /* it could stand in for nobody */
    }
    if (group_of(a->state, a->arena, command->node) != NULL) {
        return ERR_EXISTS;
    }
    if (row->n_nodes >= STATE_GROUP_NODES_MAX) {
        return ERR_LIMIT;
    }
    for (size_t i = 0; i < row->n_nodes; i++) {
        nodes[i] = row->nodes[i];
    }
    nodes[row->n_nodes++] = command->node;
    row->nodes = nodes;
    return 0;
}

static int remove_node(const Pb__GroupNode *command, Pb__GroupRow *row)
{
    size_t kept = 0;

    if (!has_node(row, command->node)) {
        return ERR_NOT_FOUND;
    }
    if (row->ha_enabled) {
        return ERR_NOT_ALLOWED;
    }
    for (size_t i = 0; i < row->n_nodes; i++) {
        if (row->nodes[i] != command->node) {
            row->nodes[kept++] = row->nodes[i];
        }
    }
    row->n_nodes = kept;
    return 0;
}

int group_node(struct apply *a, const Pb__GroupNode *command)
{
    Pb__GroupRow *row = group_load(a, command->name);
    int rc;

    if (row == NULL) {
        return ERR_NOT_FOUND;
    }
    rc = command->remove ? remove_node(command, row) : add_node(a, command, row);
    if (rc == 0) {
        row_put(a->state, TABLE_GROUP, group_key(command->name), row);
    }
    return rc;
}
