/* The main thread's loop: signals, and the service manager's watchdog. */
#include "node/base/clock.h"
#include "node/base/log.h"
#include "node/process.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define PULSE_MS      500  /* how often the main thread looks at the others */
#define PULSES_STILL  60   /* so often they did not move: they never will; as WatchdogSec= */
#define FILES_DEFAULT 1024 /* the soft limit of most systems */

static void on_stop_signal(uv_signal_t *handle, int number)
{
    struct process *process = handle->data;

    log_info("node.stopping", LOG_INT("signal", number));
    (void)sd_notify(0, "STOPPING=1");
    uv_stop(&process->loop);
}

/* A node that still waits for its cluster is not made ready by a signal. */
static void end_hup(const struct process *process)
{
    if (process->was_ready) {
        (void)sd_notify(0, "READY=1");
    }
}

static void on_hup_done(struct reload_call *call, int status, const char *fault)
{
    (void)status;
    (void)fault;
    end_hup(CONTAINER_OF(call, struct process, hup_call));
}

static void on_hup_signal(uv_signal_t *handle, int number)
{
    struct process *process = handle->data;
    int rc;

    (void)number;
    if (process->was_ready) {
        (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
                         (unsigned long long)clock_mono_us());
    }
    process->hup_call.done = on_hup_done;
    rc = process_reload(process, &process->hup_call);
    if (rc != 0) {
        log_error("node.reload_refused", LOG_STR("cause", err_text(rc)));
        end_hup(process);
    }
}

static void tell_serving(struct process *process, bool is_serving)
{
    if (is_serving && !process->was_ready) {
        process->was_ready = true;
        (void)sd_notify(0, "READY=1\nSTATUS=serving");
    } else if (is_serving != process->told_serving) {
        (void)sd_notify(0, is_serving ? "STATUS=serving" : "STATUS=not serving");
    }
    process->told_serving = is_serving;
}

/* Counted by pulses, not by time, which passes for a process that is stopped, too. */
static void judge_stillness(struct process *process, bool moves)
{
    process->still_pulses = moves ? 0 : process->still_pulses + 1;
    if (process->still_pulses >= PULSES_STILL) {
        log_error("node.hung");
        log_flush();
        abort(); /* its peer takes over, and the core dump says where it hung */
    }
}

/* The watchdog is fed while both threads that the cluster depends on move: the state thread counts
 * its turns, the raft thread dates its status. A worker that hangs is no reason to kill the node,
 * which still votes and serves the clients of the others: the status tells of it. */
static void on_pulse(uv_timer_t *timer)
{
    struct process *process = timer->data;
    struct core_status core;
    struct rlog_status log;
    bool moves;

    core_get_status(process->core, &core);
    rlog_get_status(core_log(process->core), &log);
    moves = core.turns != process->turns_seen && log.as_of_ms != process->log_seen_ms;
    judge_stillness(process, moves);
    if (moves) {
        process->turns_seen = core.turns;
        process->log_seen_ms = log.as_of_ms;
        (void)sd_notify(0, "WATCHDOG=1");
    }
    tell_serving(process, core.serving);
}

static void start_signal(struct process *process, uv_signal_t *handle, uv_signal_cb callback,
                         int number)
{
    (void)uv_signal_init(&process->loop, handle);
    handle->data = process;
    (void)uv_signal_start(handle, callback, number);
}

static void close_handle(uv_handle_t *handle, void *ctx)
{
    (void)ctx;
    uv_close(handle, NULL);
}

static void close_loop(struct process *process)
{
    uv_walk(&process->loop, close_handle, NULL);
    (void)uv_run(&process->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&process->loop);
}

static void init_loop(struct process *process)
{
    (void)uv_loop_init(&process->loop);
    start_signal(process, &process->on_term, on_stop_signal, SIGTERM);
    start_signal(process, &process->on_int, on_stop_signal, SIGINT);
    start_signal(process, &process->on_hup, on_hup_signal, SIGHUP);
    (void)uv_async_init(&process->loop, &process->reload_read, process_on_reload_read);
    process->reload_read.data = process;
    (void)uv_timer_init(&process->loop, &process->pulse);
    process->pulse.data = process;
    (void)uv_timer_start(&process->pulse, on_pulse, PULSE_MS, PULSE_MS);
}

/* Every client is a file; systemd's default soft limit is 1024. Returns how many there may be. */
static uint64_t raise_file_limit(void)
{
    struct rlimit limit;
    struct rlimit raised;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return FILES_DEFAULT;
    }
    raised = (struct rlimit){.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

/* The store is read through a mapping, so what the disk can not give, or what is missing at the end
 * of the file, is no error of a call. On any thread, in the middle of anything: no log. */
static void on_read_failed(int number)
{
    static const char text[] =
        "error node.read_failed cause=\"the disk does not give what the store has there\" "
        "hint=\"join again under a new raft id: musterctl node replace\"\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);

    (void)number;
    (void)written;
    _exit(EXIT_STORAGE_FAILED);
}

int process_run(struct process *process)
{
    int rc;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGBUS, on_read_failed);
    process->files_max = raise_file_limit();
    log_start();
    log_set_level((enum log_level)process->conf->log.level);
    (void)pthread_mutex_init(&process->reload_mutex, NULL);
    init_loop(process);
    rc = process_start(process);
    if (rc == 0) {
        (void)uv_run(&process->loop, UV_RUN_DEFAULT);
    }
    process_stop(process);
    close_loop(process); /* last: until then a second signal must not end a stop half way */
    (void)pthread_mutex_destroy(&process->reload_mutex);
    if (rc == 0) {
        log_info("node.stopped");
    }
    log_flush();
    return rc == 0 ? 0 : EXIT_START_FAILED;
}
