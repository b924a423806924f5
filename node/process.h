/* process - what musterd is made of, and the steps of its life. Main thread, unless said otherwise.
 */
#ifndef NODE_PROCESS_H
#define NODE_PROCESS_H

#include "node/admin/admin.h"
#include "node/conf/conf.h"
#include "node/worker/worker.h"

#include <pthread.h>
#include <uv.h>

struct process {
    const char *conf_file;
    struct conf *conf;
    pthread_mutex_t reload_mutex; /* guards the next two: SIGHUP and musterctl reload may meet */
    struct reload *reload;        /* under way, or NULL */
    bool reload_over;             /* the process ends: no more of them */
    struct reload_call hup_call;  /* of SIGHUP */
    struct tls_store *tls;
    struct addresses *addresses;
    struct failures *failures;
    struct helpers *login_helpers;
    struct core *core;
    struct worker *workers[CORE_WORKERS_MAX];
    struct mailbox *worker_boxes[CORE_WORKERS_MAX];
    uint32_t worker_count;
    uint64_t files_max; /* that the kernel lets this process open */
    struct admin *admin;

    uv_loop_t loop;
    uv_signal_t on_term, on_int, on_hup;
    uv_timer_t pulse;
    uv_async_t reload_read;
    bool was_ready;
    bool told_serving;   /* what the service manager knows */
    uint64_t turns_seen; /* what the watchdog saw move last */
    unsigned still_pulses;
    uint64_t log_seen_ms;
};

/* settings.c */
NODISCARD int process_load_certificates(const struct conf *conf, char fault[TLS_FAULT_BYTES_MAX],
                                        struct tls_set **out);
/** Would other nodes take the certificate of this one? */
NODISCARD int process_check_links(const struct conf *conf, char fault[TLS_FAULT_BYTES_MAX]);
uint32_t process_count_workers(const struct conf *conf);
/** files_max: what the kernel lets this process open. Warns when that is too few. */
struct worker_settings process_worker_settings(const struct conf *conf, uint64_t files_max);
/** What the server says of itself; the caller unrefs. */
struct blob *process_about(const struct conf *conf);
/** Members as of the start of the cluster. */
size_t process_first_members(const struct conf *conf, struct rlog_member out[RLOG_MEMBERS_MAX]);

/** Read the configuration again; ctx is the process. Any thread. See admin.h. */
NODISCARD int process_reload(void *ctx, struct reload_call *call);
/** The files of a reload are read. */
void process_on_reload_read(uv_async_t *async);
/** No more reloads; one under way is answered with ERR_CLOSED. */
void process_end_reloads(struct process *process);

/** Build all parts; errors are logged. process_stop() also after a failure. */
NODISCARD int process_start(struct process *process);
void process_stop(struct process *process);

/** Start, serve until a signal, stop; the exit code of the program. */
int process_run(struct process *process);

#endif
