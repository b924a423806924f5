/* A reload: certificates, limits and timers from the configuration file, all or nothing. */
#include "node/base/log.h"
#include "node/core/port.h"
#include "node/process.h"

#include <stdio.h>

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

/* Certificates of both kinds: those of the links are used only when those for clients are good. */
static int load_certificates(struct process *process, const struct conf *fresh, char *fault)
{
    struct rlog_certificates *links;
    int rc = rlog_certificates_load(fresh->node.id, fresh->cluster.ca, fresh->cluster.certificate,
                                    fresh->cluster.key, fault, &links);

    if (rc != 0) {
        return rc;
    }
    rc = process_load_certificates(process->tls, fresh, fault);
    if (rc != 0) {
        rlog_certificates_free(&links);
        return rc;
    }
    rlog_use_certificates_take(core_log(process->core), links);
    return 0;
}

/* All or nothing: nothing is changed before everything is known to be good. */
static int reload_locked(struct process *process, char *fault)
{
    struct conf *fresh = NULL;
    const char *fixed;
    int rc = conf_load(process->conf_file, &fresh, fault);

    if (rc != 0) {
        return rc;
    }
    fixed = conf_needs_restart(process->conf, fresh);
    if (fixed != NULL) {
        (void)snprintf(fault, ADMIN_FAULT_BYTES_MAX, "%s needs a restart", fixed);
        rc = ERR_CONFIG;
    } else {
        rc = load_certificates(process, fresh, fault);
    }
    if (rc != 0) {
        conf_free(&fresh);
        return rc;
    }
    conf_free(&process->conf);
    process->conf = fresh;
    log_set_level((enum log_level)fresh->log.level);
    tell_workers(process);
    return 0;
}

int process_reload(void *ctx, char fault[ADMIN_FAULT_BYTES_MAX])
{
    struct process *process = ctx;
    int rc;

    (void)pthread_mutex_lock(&process->reload_mutex);
    rc = reload_locked(process, fault);
    (void)pthread_mutex_unlock(&process->reload_mutex);
    if (rc == 0) {
        log_info("node.reloaded");
    } else {
        log_error("node.reload_refused", LOG_STR("cause", fault));
    }
    return rc;
}
