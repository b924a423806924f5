/* What holds for the whole cluster: one row. */
#include "storage/state/apply.h"

#define CLUSTER_KEY 1

Pb__ClusterRow *state_cluster(struct state *state, struct arena *arena)
{
    Pb__ClusterRow *row = row_get(state, arena, TABLE_CLUSTER, key_u32(CLUSTER_KEY));

    if (row == NULL) {
        row = arena_alloc(arena, sizeof(*row));
        pb__cluster_row__init(row);
    }
    return row;
}

int cluster_set(struct apply *a, const Pb__ClusterSet *command)
{
    Pb__ClusterRow *row = state_cluster(a->state, a->arena);

    if (command->monitor > PB__MONITOR_SETTING__MONITOR_DISABLED ||
        (command->log_version == 0 && command->monitor == 0)) {
        return ERR_INVALID;
    }
    if (command->log_version != 0 && command->log_version <= row->log_version) {
        return ERR_CONFLICT; /* what may have been written can not be taken back */
    }
    if (command->log_version != 0) {
        row->log_version = command->log_version;
        kv_set_schema(a->state->kv, state_schema_of(row->log_version));
        (void)effects_push(a->out, EFFECT_VERSION);
    }
    if (command->monitor != PB__MONITOR_SETTING__MONITOR_AS_BEFORE) {
        row->monitor_off = command->monitor == PB__MONITOR_SETTING__MONITOR_DISABLED;
    }
    row_put(a->state, TABLE_CLUSTER, key_u32(CLUSTER_KEY), row);
    return 0;
}
