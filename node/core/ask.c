/* What other threads ask of the core, by its mailbox or a copied status, and jobs of the state. */
#include "node/base/clock.h"
#include "node/base/mem.h"
#include "node/core/core_private.h"

#define WORKER_HUNG_MS 5000

struct rlog *core_log(struct core *core)
{
    return core->log;
}

bool core_may_serve(struct core *core)
{
    return atomic_load(&core->may_serve) && rlog_lease_held(core->log);
}

void core_note_doors(struct core *core, bool are_open)
{
    if (are_open) {
        atomic_fetch_add(&core->open_workers, 1);
    } else {
        atomic_fetch_sub(&core->open_workers, 1);
    }
}

void core_note_turn(struct core *core, uint32_t worker, uint64_t now_ms)
{
    atomic_store_explicit(&core->worker_turns_ms[worker], now_ms, memory_order_relaxed);
}

/* A worker turns once a second at least, whatever its clients do. */
static uint32_t count_hung(const struct core *core)
{
    uint64_t now_ms = clock_mono_ms();
    uint32_t count = 0;

    for (uint32_t i = 0; i < core->worker_count; i++) {
        uint64_t turn_ms = atomic_load_explicit(&core->worker_turns_ms[i], memory_order_relaxed);

        count += turn_ms + WORKER_HUNG_MS < now_ms ? 1 : 0;
    }
    return count;
}

void core_ask_credentials(struct core *core, const struct effect_ref *ref, const char *user)
{
    struct note *note = note_new(NOTE_CREDENTIALS);

    note->ref = *ref;
    note->user = mem_strdup(user);
    inbox_post_take(&core->inbox, note);
}

void core_use_about(struct core *core, struct blob *about)
{
    struct note *note = note_new(NOTE_ABOUT);

    note->bytes = blob_ref(about);
    inbox_post_take(&core->inbox, note);
}

void core_pull(struct core *core, const struct delivery_pull *pull)
{
    struct note *note = note_new(NOTE_PULL);

    note->pull = *pull;
    inbox_post_take(&core->inbox, note);
}

void core_post_job(struct core *core, struct core_job *job)
{
    struct note *note = note_new(NOTE_JOB);

    note->job = job;
    inbox_post_take(&core->inbox, note);
}

void core_post_scrub(struct core *core, struct core_job *job)
{
    struct note *note = note_new(NOTE_SCRUB);

    note->job = job;
    inbox_post_take(&core->inbox, note);
}

struct core_scrub core_scrub(struct core *core)
{
    return core->scrubbed;
}

void core_get_status(struct core *core, struct core_status *out)
{
    (void)pthread_mutex_lock(&core->status_mutex);
    *out = core->status;
    (void)pthread_mutex_unlock(&core->status_mutex);
    out->turns += atomic_load_explicit(&core->notes_handled, memory_order_relaxed);
    out->workers_hung = count_hung(core);
    if (out->serving && out->workers_hung > 0) {
        out->serving = false;
        out->waits_for = GATE_WORKER_HUNG;
    } else if (out->serving && atomic_load(&core->open_workers) != core->worker_count) {
        out->serving = false;
        out->waits_for = GATE_DOORS;
    }
}

struct state *core_state(struct core *core)
{
    return core->state;
}

struct arena *core_arena(struct core *core)
{
    return &core->arena;
}
