/* The life of a core: made, opened, run, stopped. */
#include "node/core/core.h"

#include "node/base/clock.h"
#include "node/base/log.h"
#include "node/base/mem.h"
#include "node/core/core_private.h"

#include <unistd.h>

#define LAST_WORDS_MS 3000 /* for the commands that workers submitted last */

static struct core *core_new(const struct core_config *config)
{
    struct core *core = mem_zalloc(sizeof(*core));

    core->node_id = config->node_id;
    core->name = mem_strdup(config->name);
    core->domain = mem_strdup(config->domain);
    core->link_address = mem_strdup(config->link_address);
    core->client_address = mem_strdup(config->client_address);
    core->is_witness = config->is_witness;
    core->about = config->about == NULL ? NULL : blob_ref(config->about);
    core->mark_ms = config->mark_ms;
    core->fallback_s = config->fallback_s;
    core->moves_per_second = config->moves_per_second;
    core->moving = moving_new();
    core->service_ms = config->service_s * UINT64_C(1000);
    core->replace_ms = config->replace_s * UINT64_C(1000);
    core->scrub_s = config->scrub_s;
    core->on_secrets = config->on_secrets;
    core->ctx = config->ctx;
    core->gate.grace_ms = config->lease_ms;
    arena_init(&core->arena);
    effects_init(&core->effects, &core->arena);
    (void)pthread_mutex_init(&core->status_mutex, NULL);
    core_init_thread(core);
    return core;
}
int core_open(const struct core_config *config, struct core **out)
{
    struct core *core = core_new(config);
    int rc = core_open_parts(core, config);

    if (rc != 0) {
        core_stop(&core);
        return rc;
    }
    *out = core;
    return 0;
}

void core_run(struct core *core, struct mailbox *const *workers, uint32_t worker_count,
              struct mailbox *admin)
{
    core->workers = workers;
    core->worker_count = worker_count;
    core->outboxes = mem_alloc(worker_count * sizeof(*core->outboxes));
    for (uint32_t i = 0; i < worker_count; i++) {
        outbox_init(&core->outboxes[i], workers[i]);
    }
    core->admin = admin;
    core->scrub = scrub_start(core->kv, &core->inbox, core->scrub_s);
    core_start_thread(core);
}
/* ---- stop */

/* Was everything applied that this node has submitted? Its farewell is the last of it, and not
 * worth waiting for a majority. */
static bool has_said_all(struct core *core)
{
    uint64_t farewell_ms = atomic_load(&core->farewell_ms);
    struct rlog_status status;

    if (farewell_ms == 0) {
        return false;
    }
    rlog_get_status(core->log, &status);
    return atomic_load(&core->is_gone) ||
           (status.as_of_ms > farewell_ms &&
            (status.incarnation == 0 || status.outstanding == 0 ||
             (status.outstanding == 1 && !rlog_lease_held(core->log))));
}

static void wait_for_last_words(struct core *core)
{
    const uint64_t deadline_ms = clock_mono_ms() + LAST_WORDS_MS;

    inbox_post_take(&core->inbox, note_new(NOTE_FAREWELL));
    while (!has_said_all(core)) {
        if (clock_mono_ms() >= deadline_ms) {
            log_warn("core.stop_unfinished");
            return;
        }
        (void)usleep(10 * 1000);
    }
}

static void stop_thread(struct core *core)
{
    if (core->is_running) {
        wait_for_last_words(core);
        inbox_post_take(&core->inbox, note_new(NOTE_STOP));
        (void)pthread_join(core->thread, NULL);
    } else {
        if (core->copies != NULL) {
            snapshot_stop(core->copies);
        }
        if (core->log != NULL) {
            rlog_stop(&core->log);
        }
        waker_close(&core->wake);
        uv_close((uv_handle_t *)&core->tick, NULL);
        (void)uv_run(&core->loop, UV_RUN_DEFAULT);
    }
}

/* Who asked is gone, but owns the job. */
static void return_job(struct core *core, struct core_job *job)
{
    struct port_message *message = port_new(PORT_JOB);

    message->job = job;
    mailbox_push_take(core->admin, &message->mail);
}

static void free_notes(struct core *core)
{
    struct mail *mail = mailbox_drain(&core->inbox.box);

    while (mail != NULL) {
        struct note *note = CONTAINER_OF(mail, struct note, mail);

        mail = mail->next;
        if (note->job != NULL) {
            return_job(core, note->job);
        }
        note_free(&note);
    }
}

void core_stop(struct core **core_address)
{
    struct core *core = *core_address;

    stop_thread(core);
    if (core->copies != NULL) {
        snapshot_free(&core->copies);
    }
    if (core->scrub != NULL) {
        kv_end_guests(core->kv);
        scrub_stop(&core->scrub);
    }
    moving_free(&core->moving);
    if (core->state != NULL) {
        state_free(&core->state);
    }
    if (core->kv != NULL) {
        kv_close(&core->kv);
    }
    for (uint32_t i = 0; i < core->worker_count; i++) {
        outbox_deinit(&core->outboxes[i]);
    }
    mem_free(&core->outboxes);
    free_notes(core);
    mailbox_deinit(&core->inbox.box);
    (void)uv_loop_close(&core->loop);
    waker_deinit(&core->wake);
    arena_deinit(&core->arena);
    (void)pthread_mutex_destroy(&core->status_mutex);
    blob_unref(&core->about);
    mem_free(&core->name);
    mem_free(&core->domain);
    mem_free(&core->link_address);
    mem_free(&core->client_address);
    mem_free(&core->copy_path);
    mem_free(core_address);
}
