#include "node/core/core.h"

#include "node/base/clock.h"
#include "node/base/log.h"
#include "node/base/mem.h"
#include "node/core/core_private.h"
#include "node/core/identity.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define TICK_MS       100
#define LAST_WORDS_MS 3000 /* for the commands that workers submitted last */

void core_fail_stop(enum exit_code code)
{
    _exit((int)code);
}

/* ---- the thread */

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

static void run_job(struct core *core, struct core_job *job)
{
    struct port_message *message = port_new(PORT_JOB);

    job->run(job, core);
    message->job = job;
    mailbox_push_take(core->admin, &message->mail);
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
        core_presume_dead(core, note->node);
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
    case NOTE_PROMOTED:
        core_on_promoted(core, note->status);
        break;
    case NOTE_DURABLE:
        core_on_durable(core, note->index, note->hash, note->status);
        break;
    case NOTE_CREDENTIALS:
        answer_credentials(core, note);
        break;
    case NOTE_PULL:
        core_answer_pull(core, &note->pull);
        break;
    case NOTE_JOB:
        run_job(core, note->job);
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
    core->status.has_pressure = kv_pressure(core->kv);
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
    uv_close((uv_handle_t *)&core->wake, NULL);
    uv_close((uv_handle_t *)&core->tick, NULL);
}

static void end_turn(struct core *core)
{
    uint64_t own_seq = core->incarnation == 0 ? 0 : state_last_seq(core->state, core->incarnation);

    rlog_applied(core->log, core->applied_index, own_seq);
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
        note_free(&note);
    }
    end_turn(core);
}

static void on_wake(uv_async_t *wake)
{
    take_turn(wake->data);
}

static void on_tick(uv_timer_t *tick)
{
    struct core *core = tick->data;

    core_lead(core, clock_mono_ms());
    end_turn(core);
}

static void *run(void *ctx)
{
    struct core *core = ctx;

    (void)pthread_setname_np(pthread_self(), "state");
    core_tell_all_incarnations(core);
    core_start_incarnation(core);
    end_turn(core);
    (void)uv_run(&core->loop, UV_RUN_DEFAULT);
    return NULL;
}

static void wake_loop(void *ctx)
{
    (void)uv_async_send(ctx);
}

/* ---- open */

static int make_dir(const char *data_dir, const char *name, char *path, size_t size)
{
    (void)snprintf(path, size, "%s%s%s", data_dir, *name == '\0' ? "" : "/", name);
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        log_error("core.mkdir_failed", LOG_STR("dir", path), LOG_INT("errno", errno));
        return ERR_IO;
    }
    return 0;
}

#define PATH_BYTES_MAX 1100

static int open_store(struct core *core, const struct core_config *config, const char *dir)
{
    const struct kv_config kv = {.dir = dir,
                                 .tables = state_tables,
                                 .table_count = state_table_count,
                                 .schema = STATE_SCHEMA_VERSION,
                                 .map_bytes = config->map_bytes,
                                 .unwritten_bytes_max = config->unwritten_bytes_max,
                                 .reserve_bytes = config->reserve_bytes,
                                 .on_durable = inbox_on_durable,
                                 .ctx = &core->inbox};
    int rc = kv_open(&kv, &core->kv);

    if (rc == 0) {
        core->state = state_new(core->kv);
        core_adopt_mark(core);
    }
    return rc;
}

/* Who founds the cluster, if this node does; the log ignores it when it has begun. */
static void set_founders(struct rlog_config *log, const struct core_config *config,
                         const struct identity *identity)
{
    if (identity->bootstrap) {
        log->bootstrap = config->peers;
        log->bootstrap_count = config->peer_count;
    }
}

static int open_log(struct core *core, const struct core_config *config, const char *dir,
                    const struct identity *identity)
{
    struct rlog_config log = {.node_id = config->node_id,
                              .raft_id = identity->raft_id,
                              .dir = dir,
                              .address = config->link_address,
                              .bind = config->link_bind,
                              .ca_file = config->ca_file,
                              .cert_file = config->cert_file,
                              .key_file = config->key_file,
                              .peers = config->peers,
                              .peer_count = config->peer_count,
                              .heartbeat_ms = config->heartbeat_ms,
                              .election_ms = config->election_ms,
                              .lease_ms = config->lease_ms,
                              .snapshot_entries = config->snapshot_entries,
                              .applied_index = core->applied_index,
                              .applied_time_ms = state_time_ms(core->state),
                              .extension = snapshot_extension(core->copies)};
    const struct rlog_events events = inbox_log_events(&core->inbox);
    int rc;

    set_founders(&log, config, identity);
    rc = rlog_start(&log, &events, &core->log);
    if (rc == 0) {
        snapshot_start(core->copies, core->log);
    }
    return rc;
}

static int open_all(struct core *core, const struct core_config *config)
{
    char state_dir[PATH_BYTES_MAX];
    char log_dir[PATH_BYTES_MAX];
    struct identity identity;
    int rc;

    rc = make_dir(config->data_dir, "", state_dir, sizeof(state_dir));
    if (rc == 0) {
        rc = make_dir(config->data_dir, "state", state_dir, sizeof(state_dir));
    }
    if (rc == 0) {
        rc = make_dir(config->data_dir, "raft", log_dir, sizeof(log_dir));
    }
    if (rc == 0) {
        rc = identity_open(config->data_dir, config->node_id, &identity);
    }
    if (rc == 0) {
        rc = identity_check_log(&identity, log_dir);
    }
    if (rc == 0) {
        rc = open_store(core, config, state_dir);
    }
    if (rc == 0) {
        core_open_copies(core, config->data_dir);
        rc = open_log(core, config, log_dir, &identity);
    }
    if (rc == 0) {
        rc = identity_begin(&identity, config->data_dir, log_dir);
    }
    return rc;
}

static struct core *core_new(const struct core_config *config)
{
    struct core *core = mem_zalloc(sizeof(*core));

    core->node_id = config->node_id;
    core->name = mem_strdup(config->name);
    core->domain = mem_strdup(config->domain);
    core->link_address = mem_strdup(config->link_address);
    core->client_address = mem_strdup(config->client_address);
    core->mark_ms = config->mark_ms;
    core->gate.grace_ms = config->lease_ms;
    arena_init(&core->arena);
    effects_init(&core->effects, &core->arena);
    (void)pthread_mutex_init(&core->status_mutex, NULL);
    (void)uv_loop_init(&core->loop);
    (void)uv_async_init(&core->loop, &core->wake, on_wake);
    core->wake.data = core;
    (void)uv_timer_init(&core->loop, &core->tick);
    core->tick.data = core;
    mailbox_init(&core->inbox.box, 0, wake_loop, &core->wake);
    return core;
}

int core_open(const struct core_config *config, struct core **out)
{
    struct core *core = core_new(config);
    int rc = open_all(core, config);

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
    int rc;

    core->workers = workers;
    core->worker_count = worker_count;
    core->admin = admin;
    core->is_running = true;
    (void)uv_timer_start(&core->tick, on_tick, TICK_MS, TICK_MS);
    rc = pthread_create(&core->thread, NULL, run, core);
    ASSERT(rc == 0);
}

/* ---- stop */

static void wait_for_last_words(struct core *core)
{
    const uint64_t begin_ms = clock_mono_ms();
    const uint64_t deadline_ms = begin_ms + LAST_WORDS_MS;
    struct rlog_status status;

    do {
        rlog_get_status(core->log, &status);
        if (status.as_of_ms > begin_ms && (status.outstanding == 0 || status.incarnation == 0)) {
            return;
        }
        (void)usleep(10 * 1000);
    } while (clock_mono_ms() < deadline_ms);
    log_warn("core.stop_unfinished", LOG_UINT("outstanding", status.outstanding));
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
        uv_close((uv_handle_t *)&core->wake, NULL);
        uv_close((uv_handle_t *)&core->tick, NULL);
        (void)uv_run(&core->loop, UV_RUN_DEFAULT);
    }
}

static void free_notes(struct core *core)
{
    struct mail *mail = mailbox_drain(&core->inbox.box);

    while (mail != NULL) {
        struct note *note = CONTAINER_OF(mail, struct note, mail);

        mail = mail->next;
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
    if (core->state != NULL) {
        state_free(&core->state);
    }
    if (core->kv != NULL) {
        kv_close(&core->kv);
    }
    free_notes(core);
    mailbox_deinit(&core->inbox.box);
    (void)uv_loop_close(&core->loop);
    arena_deinit(&core->arena);
    (void)pthread_mutex_destroy(&core->status_mutex);
    mem_free(&core->name);
    mem_free(&core->domain);
    mem_free(&core->link_address);
    mem_free(&core->client_address);
    mem_free(&core->copy_path);
    mem_free(core_address);
}

/* ---- faces for other threads and for jobs */

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

void core_ask_credentials(struct core *core, const struct effect_ref *ref, const char *user)
{
    struct note *note = note_new(NOTE_CREDENTIALS);

    note->ref = *ref;
    note->user = mem_strdup(user);
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

void core_get_status(struct core *core, struct core_status *out)
{
    (void)pthread_mutex_lock(&core->status_mutex);
    *out = core->status;
    (void)pthread_mutex_unlock(&core->status_mutex);
    out->serving = out->serving && atomic_load(&core->open_workers) == core->worker_count;
}

struct state *core_state(struct core *core)
{
    return core->state;
}

struct arena *core_arena(struct core *core)
{
    return &core->arena;
}
