/* The state thread: its mailbox, one note after the other, and what each turn ends with. */
#include "node/base/clock.h"
#include "node/base/log.h"
#include "node/base/mem.h"
#include "node/core/core_private.h"

#include <unistd.h>

#define TICK_MS 100

void core_fail_stop(enum exit_code code)
{
    log_flush();
    _exit((int)code);
}
static void answer_credentials(struct core *core, const struct note *note)
{
    struct port_message *message = port_new(PORT_CREDENTIALS);
    Pb__AccountRow *row = state_account(core->state, &core->arena, note->user);

    if (row != NULL) {
        size_t size = pb__account_row__get_packed_size(row);
        uint8_t *bytes = arena_alloc(&core->arena, size);

        (void)pb__account_row__pack(row, bytes);
        message->bytes = blob_new(slice_make(bytes, size));
    }
    message->ref = note->ref;
    core_tell_worker(core, note->ref.worker, message);
}

/* This thread has it before any worker does: what a worker announces is what an answer says. */
static void tell_about(struct core *core)
{
    for (uint32_t i = 0; i < core->worker_count; i++) {
        struct port_message *message = port_new(PORT_ABOUT);

        message->bytes = blob_ref(core->about);
        core_tell_worker(core, i, message);
    }
}

static void use_about(struct core *core, struct blob *about)
{
    blob_unref(&core->about);
    core->about = blob_ref(about);
    tell_about(core);
}

static void run_job(struct core *core, struct core_job *job)
{
    struct port_message *message = port_new(PORT_JOB);

    job->run(job, core);
    message->job = job;
    mailbox_push_take(core->admin, &message->mail);
}

/* A scrub that is not started has its result at once. */
static void begin_scrub(struct core *core, struct core_job *job)
{
    if (!scrub_now(core->scrub, job)) {
        core->scrubbed = (struct core_scrub){.status = ERR_BUSY};
        run_job(core, job);
    }
}

static void end_scrub(struct core *core, const struct note *note)
{
    const bool is_stale = note->index < core->adopted_index;

    core_on_scrubbed(core, note->index, note->hash, note->status);
    core->scrubbed = (struct core_scrub){.mark_index = note->index,
                                         .status = is_stale ? ERR_BUSY : note->status};
    if (note->job != NULL) {
        run_job(core, note->job);
    }
}

static void handle(struct core *core, struct note *note)
{
    switch (note->kind) {
    case NOTE_ENTRY:
        core_apply(core, note->index, note->term, note->entry);
        break;
    case NOTE_ROLE:
        core_on_role(core, note->is_leader, note->node, note->term);
        break;
    case NOTE_SILENT:
        core_presume_dead(core, note->node, note->incarnation);
        break;
    case NOTE_OTHER_HASH:
        core_on_other_hash(core, note->node, note->index, note->hash);
        break;
    case NOTE_MANIFEST:
        core_on_manifest_wanted(core, note->index);
        break;
    case NOTE_COPY:
        core_on_copy_wanted(core, note->node, note->index);
        break;
    case NOTE_FETCHED:
        core_on_fetched(core, note->index, note->status);
        break;
    case NOTE_ROLE_CHANGED:
        core_on_role_changed(core, note->status);
        break;
    case NOTE_HANDED_ON:
        core_on_handed_on(core, note->status);
        break;
    case NOTE_DURABLE:
        core_on_durable(core, note->index, note->hash, note->status);
        break;
    case NOTE_SCRUB:
        begin_scrub(core, note->job);
        break;
    case NOTE_SCRUBBED:
        end_scrub(core, note);
        break;
    case NOTE_ABOUT:
        use_about(core, note->bytes);
        break;
    case NOTE_CREDENTIALS:
        answer_credentials(core, note);
        break;
    case NOTE_PULL:
        core_on_pull(core, &note->pull);
        break;
    case NOTE_JOB:
        run_job(core, note->job);
        break;
    case NOTE_FAREWELL:
        core_say_farewell(core);
        break;
    case NOTE_STOP:
        core->is_stopping = true;
        break;
    }
    arena_reset(&core->arena);
}

static void publish_status(struct core *core)
{
    (void)pthread_mutex_lock(&core->status_mutex);
    core->status.serving = core->gate.state == GATE_OPEN;
    core->status.state_differs = core->state_differs || core->hash_error != 0;
    core->status.waits_for = core->waits_for;
    core->status.has_pressure = kv_pressure(core->kv);
    core->status.is_low = core->store_is_low;
    core->status.log_is_low = core->log_is_low;
    core->status.incarnation = core->incarnation;
    core->status.applied_index = core->applied_index;
    core->status.mark_index = core->marks.newest_own_index;
    core->status.turns++;
    (void)pthread_mutex_unlock(&core->status_mutex);
}

/* After the last note the log is stopped from here, so that nothing on this thread can use it
 * later; what it still posts is freed by core_stop(). */
static void end_thread(struct core *core)
{
    snapshot_stop(core->copies);
    rlog_stop(&core->log);
    waker_close(&core->wake);
    uv_close((uv_handle_t *)&core->tick, NULL);
}

static void end_turn(struct core *core)
{
    uint64_t own_seq = core->incarnation == 0 ? 0 : state_last_seq(core->state, core->incarnation);

    rlog_applied(core->log, core->applied_index, own_seq);
    core_settle_outboxes(core);
    kv_end_turn(core->kv);
    core_step_gate(core);
    publish_status(core);
    if (core->is_stopping) {
        end_thread(core);
    }
}

static void take_turn(struct core *core)
{
    struct mail *mail = mailbox_drain(&core->inbox.box);

    while (mail != NULL) {
        struct note *note = CONTAINER_OF(mail, struct note, mail);

        mail = mail->next;
        handle(core, note);
        atomic_fetch_add_explicit(&core->notes_handled, 1, memory_order_relaxed);
        note_free(&note);
    }
    end_turn(core);
}

static void on_wake(void *ctx)
{
    take_turn(ctx);
}

static void on_tick(uv_timer_t *tick)
{
    struct core *core = tick->data;
    const uint64_t now_ms = clock_mono_ms();

    core_look_at_room(core);
    core_lead(core, now_ms);
    arena_reset(&core->arena);
    moving_step(core, now_ms);
    arena_reset(&core->arena);
    end_turn(core);
    if (core->log != NULL) { /* not stopped by that */
        core_tell_report(core);
    }
}

static void *run_thread(void *ctx)
{
    struct core *core = ctx;

    (void)pthread_setname_np(pthread_self(), "state");
    core_tell_all_nodes(core);
    core_tell_secrets(core);
    if (core->about != NULL) {
        tell_about(core);
    }
    core_start_incarnation(core);
    end_turn(core);
    (void)uv_run(&core->loop, UV_RUN_DEFAULT);
    return NULL;
}
static void wake_loop(void *ctx)
{
    waker_wake(ctx);
}

void core_init_thread(struct core *core)
{
    (void)uv_loop_init(&core->loop);
    waker_init(&core->wake, &core->loop, on_wake, core);
    (void)uv_timer_init(&core->loop, &core->tick);
    core->tick.data = core;
    mailbox_init(&core->inbox.box, wake_loop, &core->wake);
}

void core_start_thread(struct core *core)
{
    int rc;

    core->is_running = true;
    (void)uv_timer_start(&core->tick, on_tick, TICK_MS, TICK_MS);
    rc = pthread_create(&core->thread, NULL, run_thread, core);
    ASSERT(rc == 0);
}
