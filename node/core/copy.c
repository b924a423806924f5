/* A node that is too far behind for the log takes a copy of another node's store (DESIGN 4). Its
 * clients are gone meanwhile; what its own commands in the gap led to, nobody here will ever know,
 * so it goes on under a new incarnation. */
#include "node/base/log.h"
#include "node/base/mem.h"
#include "node/core/core_private.h"

#include <stdio.h>

static uint64_t copied_index(void *ctx)
{
    struct core *core = ctx;
    struct kv_mark mark;

    kv_durable_mark(core->kv, &mark);
    return mark.index;
}

static int write_copy(void *ctx, int fd, uint64_t *applied_out)
{
    struct kv_mark mark;
    int rc = core_copy(ctx, fd, &mark);

    if (rc == 0) {
        *applied_out = mark.index;
    }
    return rc;
}

int core_copy(struct core *core, int fd, struct kv_mark *mark_out)
{
    return kv_copy(core->kv, fd, mark_out);
}

uint64_t core_durable_index(struct core *core)
{
    return copied_index(core);
}

bool core_has_room(struct core *core)
{
    return kv_has_room(core->kv);
}

static void on_fetched(void *ctx, uint64_t applied_index, int status)
{
    struct core *core = ctx;
    struct note *note = note_new(NOTE_FETCHED);

    note->index = applied_index;
    note->status = status;
    inbox_post_take(&core->inbox, note);
}

void core_open_copies(struct core *core, const char *data_dir)
{
    struct buf path = BUF_EMPTY;

    buf_printf(&path, "%s/incoming.copy", data_dir);
    core->copy_path = mem_strdup(buf_text(&path));
    buf_deinit(&path);
    core->copies = snapshot_new(&(struct snapshot_config){.path = core->copy_path,
                                                          .ctx = core,
                                                          .copied_index = copied_index,
                                                          .write_copy = write_copy,
                                                          .on_fetched = on_fetched});
}

void core_on_copy_wanted(struct core *core, uint32_t from_node, uint64_t index_min)
{
    log_warn("core.copy_wanted", LOG_UINT("from", from_node), LOG_UINT("index_min", index_min),
             LOG_UINT("applied", core->applied_index));
    if (core->incarnation != 0) {
        rlog_leave(core->log); /* the copy takes long: its sessions are for other nodes now */
    }
    core_leave(core);
    snapshot_fetch(core->copies, from_node, index_min);
}

static bool tell_node(void *ctx, const Pb__NodeRow *node)
{
    core_tell_node(ctx, node->node);
    return true;
}

void core_tell_all_nodes(struct core *core)
{
    state_each_node(core->state, &core->arena, tell_node, core);
}

static int install(struct core *core, uint64_t *applied_out)
{
    int rc = kv_replace(core->kv, core->copy_path, applied_out);

    if (rc == ERR_STORAGE) {
        core_fail_stop(EXIT_STORAGE_FAILED);
    }
    if (rc == 0) {
        state_reload(core->state);
        core_adopt_mark(core);
        core_tell_all_nodes(core);
        core_tell_secrets(core);
        core_tell_version(core);
    }
    return rc;
}

/* When it failed a copy is wanted again soon. */
void core_on_fetched(struct core *core, uint64_t copy_index, int status)
{
    uint64_t applied_index = core->applied_index;
    int rc = status;

    if (rc == 0 && copy_index > core->applied_index) {
        rc = install(core, &applied_index);
    } /* else a leader had the entries after all: going back would undo them */
    if (rc != 0) {
        log_warn("core.copy_failed", LOG_STR("cause", err_text(rc)));
    }
    rlog_copy_installed(core->log, applied_index, rc);
    core_start_incarnation(core);
}
