/* configuration - which membership this node goes by. Raft: by the newest change in its log,
 * committed or not, and without one by that of its snapshot. libraft 0.15 takes the newest change
 * in the log of a restarted node for committed, so that cutting the log leaves it in force (defect
 * 28); it goes back to the last committed change, not to the one before the cut, and only while
 * that is in the log (defect 9); and after the install of a snapshot it still believes that a
 * change is under way. So the shim settles it after each of these. */
#include "raft/shim/change.h"
#include "raft/shim/internal.h"

static void copy(const struct raft_configuration *from, struct raft_configuration *to)
{
    for (unsigned i = 0; i < from->n; i++) {
        const struct raft_server *server = &from->servers[i];
        int rv = raft_configuration_add(to, server->id, server->address, server->role);

        ASSERT(rv == 0); /* ids and addresses differ as they do in the original */
    }
}

void shim_configuration_deinit(struct shim *shim)
{
    raft_configuration_close(&shim->snapshot_configuration);
}

void shim_remember_snapshot(struct shim *shim, const struct raft_snapshot *snapshot)
{
    raft_configuration_close(&shim->snapshot_configuration);
    raft_configuration_init(&shim->snapshot_configuration);
    copy(&snapshot->configuration, &shim->snapshot_configuration);
    shim->snapshot_configuration_index = snapshot->configuration_index;
}

/* Index of the newest change up to `end`, in the log or what the snapshot says; 0: none. */
static raft_index newest_change(const struct shim *shim, raft_index end)
{
    const struct raft *raft = shim->raft;

    for (raft_index i = end; i > raft->log.offset && i > shim->snapshot_configuration_index; i--) {
        const struct raft_entry *entry = shim_entry_at(raft, i);

        if (entry != NULL && entry->type == RAFT_CHANGE) {
            return i;
        }
    }
    return shim->snapshot_configuration_index;
}

static void adopt(struct shim *shim, raft_index index)
{
    struct raft_configuration *configuration = &shim->raft->configuration;
    const struct raft_entry *change = shim_entry_at(shim->raft, index);

    raft_configuration_close(configuration);
    raft_configuration_init(configuration);
    if (index == shim->snapshot_configuration_index) {
        copy(&shim->snapshot_configuration, configuration);
    } else if (change_decode(slice_make(change->buf.base, change->buf.len), configuration) != 0) {
        shim->config.fail_stop(shim->config.ctx, "a change of the membership is not readable");
    }
}

void shim_settle_configuration(struct shim *shim, raft_index end)
{
    struct raft *raft = shim->raft;
    raft_index applied = raft->last_applied < end ? raft->last_applied : end;
    raft_index newest = newest_change(shim, end);

    if (!shim_guards(shim, SHIM_GUARD_CONFIGURATION)) {
        return;
    }
    adopt(shim, newest);
    raft->configuration_index = newest_change(shim, applied);
    raft->configuration_uncommitted_index = newest > raft->configuration_index ? newest : 0;
}

/* While libraft handles entries that may cut its log, it must not roll back by itself: it would not
 * if it knew of no change under way. */
void shim_hide_change(struct shim *shim)
{
    if (shim_guards(shim, SHIM_GUARD_CONFIGURATION)) {
        shim->hidden_change = shim->raft->configuration_uncommitted_index;
        shim->raft->configuration_uncommitted_index = 0;
    }
}

void shim_before_cut(struct shim *shim, raft_index index)
{
    if (shim->hidden_change >= index) {
        shim_settle_configuration(shim, index - 1);
        shim->hidden_change = shim->raft->configuration_uncommitted_index;
    }
}

void shim_show_change(struct shim *shim)
{
    struct raft *raft = shim->raft;

    /* What it applied meanwhile is committed. */
    if (shim->hidden_change > raft->last_applied) {
        raft->configuration_uncommitted_index = shim->hidden_change;
    }
    shim->hidden_change = 0;
}
