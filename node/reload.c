/* A reload: certificates, limits, timers and what the server says of itself, from the configuration
 * file, all or nothing. A thread of its own reads the files, since one that hangs must not stop the
 * node; the main thread, which alone has the configuration, then uses all of it or nothing. One at
 * a time. */
#include "node/base/log.h"
#include "node/base/mem.h"
#include "node/core/port.h"
#include "node/process.h"

#include <stdatomic.h>
#include <stdio.h>

enum reload_state {
    RELOAD_READING, /* the thread has it */
    RELOAD_READ,    /* the main thread has it, and joins the thread */
    RELOAD_LEFT     /* the process ends: the thread frees it, or never comes back */
};

struct reload {
    atomic_int state;
    pthread_t thread;
    struct process *process; /* not for the thread once it is left */
    struct reload_call *call;
    char *conf_file;

    int rc; /* of the configuration when there is no fresh one, else of the certificates */
    char fault[ADMIN_FAULT_BYTES_MAX];
    struct conf *fresh;
    struct rlog_certificates *links;
    struct tls_set *clients;
};

static void reload_free(struct reload **address)
{
    struct reload *reload = *address;

    if (reload->fresh != NULL) {
        conf_free(&reload->fresh);
    }
    if (reload->links != NULL) {
        rlog_certificates_free(&reload->links);
    }
    if (reload->clients != NULL) {
        tls_set_free(&reload->clients);
    }
    mem_free(&reload->conf_file);
    mem_free(address);
}

/* ---- the thread */

/* Certificates of both kinds. */
static int read_files(struct reload *reload)
{
    int rc = conf_load(reload->conf_file, &reload->fresh, reload->fault);

    if (rc == 0) {
        const struct conf *fresh = reload->fresh;

        rc = rlog_certificates_load(fresh->node.id, fresh->cluster.ca, fresh->cluster.certificate,
                                    fresh->cluster.key, reload->fault, &reload->links);
    }
    if (rc == 0) {
        rc = process_load_certificates(reload->fresh, reload->fault, &reload->clients);
    }
    return rc;
}

static void *run(void *ctx)
{
    struct reload *reload = ctx;
    int expected = RELOAD_READING;

    (void)pthread_setname_np(pthread_self(), "reload");
    reload->rc = read_files(reload);
    if (atomic_compare_exchange_strong(&reload->state, &expected, RELOAD_READ)) {
        (void)uv_async_send(&reload->process->reload_read);
    } else {
        reload_free(&reload);
    }
    return NULL;
}

/* ---- main thread */

static void tell_workers(struct process *process)
{
    struct worker_settings settings = process_worker_settings(process->conf, process->files_max);
    struct blob *bytes = blob_new(slice_make(&settings, sizeof(settings)));

    for (uint32_t i = 0; i < process->worker_count; i++) {
        struct port_message *message = port_new(PORT_SETTINGS);

        message->bytes = blob_ref(bytes);
        mailbox_push_take(process->worker_boxes[i], &message->mail);
    }
    blob_unref(&bytes);
}

static void tell_about(struct process *process)
{
    struct blob *about = process_about(process->conf);

    core_use_about(process->core, about);
    blob_unref(&about);
}

/* Nothing is changed before everything is known to be good. */
static int use(struct process *process, struct reload *reload)
{
    const char *fixed;

    if (reload->fresh == NULL) {
        return reload->rc; /* the configuration itself */
    }
    fixed = conf_needs_restart(process->conf, reload->fresh);
    if (fixed != NULL) {
        (void)snprintf(reload->fault, sizeof(reload->fault), "%s needs a restart", fixed);
        return ERR_CONFIG;
    }
    if (reload->rc != 0) {
        return reload->rc;
    }
    rlog_use_certificates_take(core_log(process->core), reload->links);
    reload->links = NULL;
    tls_store_use_take(process->tls, reload->clients);
    reload->clients = NULL;
    conf_free(&process->conf);
    process->conf = reload->fresh;
    reload->fresh = NULL;
    log_set_level((enum log_level)process->conf->log.level);
    tell_workers(process);
    tell_about(process);
    return 0;
}

/* The reload that is read, or at the end the one under way; NULL: none. */
static struct reload *take(struct process *process, bool is_end)
{
    struct reload *reload;

    (void)pthread_mutex_lock(&process->reload_mutex);
    reload = process->reload;
    if (is_end || (reload != NULL && atomic_load(&reload->state) == RELOAD_READ)) {
        process->reload = NULL;
    } else {
        reload = NULL;
    }
    process->reload_over = process->reload_over || is_end;
    (void)pthread_mutex_unlock(&process->reload_mutex);
    return reload;
}

static void answer(struct reload *reload, int rc)
{
    if (rc == 0) {
        log_info("node.reloaded");
    } else {
        log_error("node.reload_refused", LOG_STR("cause", reload->fault));
    }
    reload->call->done(reload->call, rc, reload->fault);
}

void process_on_reload_read(uv_async_t *async)
{
    struct process *process = async->data;
    struct reload *reload = take(process, false);

    if (reload != NULL) {
        (void)pthread_join(reload->thread, NULL);
        answer(reload, use(process, reload));
        reload_free(&reload);
    }
}

void process_end_reloads(struct process *process)
{
    struct reload *reload = take(process, true);
    int expected = RELOAD_READING;
    struct reload_call *call;
    pthread_t thread;

    if (reload == NULL) {
        return;
    }
    call = reload->call;
    thread = reload->thread;
    if (atomic_compare_exchange_strong(&reload->state, &expected, RELOAD_LEFT)) {
        (void)pthread_detach(thread); /* what it reads may hang for ever */
    } else {
        (void)pthread_join(thread, NULL);
        reload_free(&reload);
    }
    call->done(call, ERR_CLOSED, "the node stops");
}

/* ---- any thread */

static struct reload *begin(struct process *process, struct reload_call *call)
{
    struct reload *reload = mem_zalloc(sizeof(*reload));
    int rc;

    reload->process = process;
    reload->call = call;
    reload->conf_file = mem_strdup(process->conf_file);
    rc = pthread_create(&reload->thread, NULL, run, reload);
    ASSERT(rc == 0);
    return reload;
}

int process_reload(void *ctx, struct reload_call *call)
{
    struct process *process = ctx;
    int rc = 0;

    (void)pthread_mutex_lock(&process->reload_mutex);
    if (process->reload_over) {
        rc = ERR_CLOSED;
    } else if (process->reload != NULL) {
        rc = ERR_BUSY;
    } else {
        process->reload = begin(process, call);
    }
    (void)pthread_mutex_unlock(&process->reload_mutex);
    return rc;
}
