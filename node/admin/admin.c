#include "node/admin/admin.h"

#include "node/admin/backup.h"
#include "node/admin/control.h"
#include "node/admin/request.h"
#include "node/base/log.h"
#include "node/base/mem.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONTROL_BACKLOG 64

/* ---- the thread */

static void begin_stop(struct admin *admin)
{
    admin->is_stopping = true;
    atomic_store(&admin->is_over, true);
    request_all_unknown(admin);
    backup_end(admin);
    control_close_all(admin);
    uv_close((uv_handle_t *)&admin->listener, NULL);
    uv_close((uv_handle_t *)&admin->retry, NULL);
    waker_close(&admin->wake);
}

static void handle(struct admin *admin, const struct port_message *message)
{
    switch (message->kind) {
    case PORT_OUTCOME:
        request_on_outcome(admin, message->ref.cookie, &message->outcome);
        break;
    case PORT_JOB:
        request_on_job(message->job);
        break;
    case PORT_CEASE:
        request_all_unknown(admin);
        break;
    case PORT_STOP:
        begin_stop(admin);
        break;
    default:
        ASSERT(false && "meant for a worker");
    }
}

static void drain(struct admin *admin)
{
    struct mail *mail = mailbox_drain(&admin->inbox);

    while (mail != NULL) {
        struct port_message *message = CONTAINER_OF(mail, struct port_message, mail);

        mail = mail->next;
        handle(admin, message);
        port_free(&message);
    }
}

static void on_wake(void *ctx)
{
    drain(ctx);
}

static void on_connection(uv_stream_t *listener, int status)
{
    if (status == 0) {
        control_accept(listener->data);
    }
}

static void *run(void *ctx)
{
    struct admin *admin = ctx;

    (void)pthread_setname_np(pthread_self(), "control");
    (void)uv_run(&admin->loop, UV_RUN_DEFAULT);
    return NULL;
}

static void wake_loop(void *ctx)
{
    waker_wake(ctx);
}

/* ---- start and stop */

/* libuv calls it "permission denied", too, when there is no such folder. */
static const char *cause_of(int rc, const char *path)
{
    char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];

    (void)snprintf(folder, sizeof(folder), "%s", path);
    if (rc == UV_EACCES && access(dirname(folder), F_OK) != 0) {
        rc = uv_translate_sys_error(errno);
    }
    return uv_strerror(rc);
}

/* The socket is for root and this user alone before anyone can connect. */
static int listen_at(struct admin *admin, const char *path)
{
    int rc;

    (void)unlink(
        path); /* left by a process that was killed; a living one holds the data directory */
    rc = uv_pipe_bind(&admin->listener, path);
    if (rc == 0 && chmod(path, 0600) != 0) {
        rc = -errno;
    }
    if (rc == 0) {
        rc = uv_listen((uv_stream_t *)&admin->listener, CONTROL_BACKLOG, on_connection);
    }
    if (rc != 0) {
        log_error("admin.listen_failed", LOG_STR("socket", path),
                  LOG_STR("cause", cause_of(rc, path)));
        return ERR_IO;
    }
    return 0;
}

static struct admin *admin_new(const struct admin_config *config)
{
    struct admin *admin = mem_zalloc(sizeof(*admin));

    admin->core = config->core;
    admin->node_id = config->node_id;
    admin->is_witness = config->is_witness;
    admin->cluster = mem_strdup(config->cluster);
    admin->domain = mem_strdup(config->domain);
    admin->scram_iterations = config->scram_iterations;
    admin->reload = config->reload;
    admin->reload_ctx = config->ctx;
    admin->socket_path = mem_strdup(config->socket_path);
    (void)uv_loop_init(&admin->loop);
    waker_init(&admin->wake, &admin->loop, on_wake, admin);
    (void)uv_timer_init(&admin->loop, &admin->retry);
    (void)uv_pipe_init(&admin->loop, &admin->listener, 0);
    admin->retry.data = admin;
    admin->listener.data = admin;
    /* bounded by what was asked: a control connection has one request under way */
    mailbox_init(&admin->inbox, wake_loop, &admin->wake);
    return admin;
}

int admin_open(const struct admin_config *config, struct admin **out)
{
    struct admin *admin = admin_new(config);
    int rc = listen_at(admin, config->socket_path);

    if (rc != 0) {
        begin_stop(admin);
        (void)uv_run(&admin->loop, UV_RUN_DEFAULT);
        admin_free(&admin);
        return rc;
    }
    *out = admin;
    return 0;
}

void admin_run(struct admin *admin)
{
    int rc;

    admin->helpers = helpers_start("derive");
    rc = pthread_create(&admin->thread, NULL, run, admin);
    ASSERT(rc == 0);
}

struct mailbox *admin_mailbox(struct admin *admin)
{
    return &admin->inbox;
}

void admin_stop(struct admin *admin)
{
    mailbox_push_take(&admin->inbox, &port_new(PORT_STOP)->mail);
    (void)pthread_join(admin->thread, NULL);
    helpers_stop(&admin->helpers);
    (void)unlink(admin->socket_path);
}

void admin_free(struct admin **address)
{
    struct admin *admin = *address;

    drain(admin); /* jobs that came back late: their requests only end */
    mailbox_deinit(&admin->inbox);
    (void)uv_loop_close(&admin->loop);
    waker_deinit(&admin->wake);
    backlog_clear(&admin->backlog);
    mem_free(&admin->socket_path);
    mem_free(&admin->cluster);
    mem_free(&admin->domain);
    mem_free(address);
}
