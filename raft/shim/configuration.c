/* configuration - which membership this node goes by. Raft: by the newest change in its log,
 * committed or not, and without one by that of its snapshot. libraft 0.15 takes the newest change
 * in the log of a restarted node for committed, so that cutting the log leaves it in force (defect
 * 28); it goes back to the last committed change, not to the one before the cut, and only while
 * that is in the log (defect 9); and after the install of a snapshot it still believes that a
 * change is under way. So the shim settles it after each of these. */
#include "raft/shim/internal.h"

/* libraft's encoding of a change: version u8, server count u64, and for each server id u64, address
 * with its NUL, role u8; integers little-endian. */
#define CHANGE_VERSION    1
#define CHANGE_HEAD_BYTES 9

static uint64_t get_u64_little_endian(const uint8_t *bytes)
{
    uint64_t value = 0;

    for (int i = 7; i >= 0; i--) {
        value = value << 8 | bytes[i];
    }
    return value;
}

/* Take one server from the front of rest. */
static bool read_server(struct slice *rest, struct raft_configuration *configuration)
{
    const uint8_t *address = rest->data + 8;
    const uint8_t *end = rest->len <= 8 ? NULL : memchr(address, 0, rest->len - 8);
    size_t used = end == NULL ? 0 : (size_t)(end + 2 - rest->data);

    if (end == NULL || used > rest->len ||
        raft_configuration_add(configuration, get_u64_little_endian(rest->data),
                               (const char *)address, end[1]) != 0) {
        return false;
    }
    *rest = slice_sub(*rest, used, rest->len);
    return true;
}

static bool read_change(const struct raft_entry *entry, struct raft_configuration *configuration)
{
    struct slice rest = slice_make(entry->buf.base, entry->buf.len);
    uint64_t count;

    if (rest.len < CHANGE_HEAD_BYTES || rest.data[0] != CHANGE_VERSION) {
        return false;
    }
    count = get_u64_little_endian(rest.data + 1);
    rest = slice_sub(rest, CHANGE_HEAD_BYTES, rest.len);
    for (uint64_t i = 0; i < count; i++) {
        if (!read_server(&rest, configuration)) {
            return false;
        }
    }
    return true;
}

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

    raft_configuration_close(configuration);
    raft_configuration_init(configuration);
    if (index == shim->snapshot_configuration_index) {
        copy(&shim->snapshot_configuration, configuration);
    } else if (!read_change(shim_entry_at(shim->raft, index), configuration)) {
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
