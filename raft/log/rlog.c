/* rlog - the raft thread: its start, its turn, its end. */
#include "raft/log/internal.h"

#include "node/base/clock.h"
#include "node/base/log.h"
#include "node/base/mem.h"
#include "raft/member/member.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEARTBEAT_MS_DEFAULT    100
#define ELECTION_MS_DEFAULT     600
#define LEASE_MS_DEFAULT        1000
#define HANDOVER_MS             1000
#define DISK_FREE_BYTES_DEFAULT (256 * 1024 * 1024)
/* A follower behind by a whole copy must not be sent a second one meanwhile. */
#define INSTALL_SNAPSHOT_MS (10 * 60 * 1000)
#define CATCH_UP_ROUNDS     100
#define SPACE_PERIOD_MS     1000

/* A thread that the kernel keeps at a disk keeps the process from ending, and the sockets with it.
 * They are shut all the same, so that peers and clients go elsewhere. What is no socket refuses. */
static void shut_sockets(void)
{
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *item;

    while (dir != NULL && (item = readdir(dir)) != NULL) {
        int fd = atoi(item->d_name); /* "." and "..": 0 */

        if (fd > STDERR_FILENO) {
            (void)shutdown(fd, SHUT_RDWR);
        }
    }
}

void rlog_fail_stop(struct rlog *rlog, const char *reason)
{
    log_error("raft.fail_stop", LOG_STR("reason", reason), LOG_STR("io", rlog->disk.errmsg));
    shut_sockets();
    log_flush();
    _exit(EXIT_FAIL_STOP);
}

static void on_fail_stop(void *ctx, const char *reason)
{
    rlog_fail_stop(ctx, reason);
}

static void on_snapshot_offered(void *ctx, raft_id from, raft_index index)
{
    rlog_copy_offered(ctx, from, index);
}

static void close_handles(struct rlog *rlog)
{
    waker_close(&rlog->wake);
    uv_close((uv_handle_t *)&rlog->prepare, NULL);
    uv_close((uv_handle_t *)&rlog->beat, NULL);
}

static void on_links_closed(void *ctx)
{
    close_handles(ctx);
}

static void close_links(struct rlog *rlog)
{
    if (rlog->links == NULL) {
        close_handles(rlog);
    } else {
        link_set_close(rlog->links, on_links_closed, rlog);
    }
}

static void on_raft_closed(struct raft *raft)
{
    close_links(raft->data);
}

static void begin_close(struct rlog *rlog)
{
    rlog->life = LIFE_CLOSES;
    if (rlog->raft_open) {
        rlog->raft.data = rlog;
        raft_close(&rlog->raft, on_raft_closed);
    } else {
        close_links(rlog);
    }
}

static void continue_stop(struct rlog *rlog)
{
    if (rlog->life != LIFE_HANDS_OVER || clock_mono_ms() < rlog->handover_ends_ms) {
        return;
    }
    if (rlog->fail_reason != NULL) {
        rlog_fail_stop(rlog, rlog->fail_reason);
    }
    begin_close(rlog);
}

/* Everything that the raft thread does, once per iteration of its loop before it may sleep. */
static void turn(struct rlog *rlog)
{
    if (rlog->life == LIFE_CLOSES) {
        shim_turn(rlog->shim); /* may still have something to write */
        return;
    }
    /* In this order: what the state thread ordered because of an entry is done before the entry
     * counts as applied. */
    rlog_read_progress(rlog);
    rlog_execute_orders(rlog);
    shim_turn(rlog->shim);
    rlog_deliver_gaps(rlog);
    rlog_follow_members(rlog);
    rlog_tell_log(rlog);
    rlog_follow_role(rlog);
    rlog_send_commands(rlog);
    rlog_propose(rlog);
    member_turn(rlog->members, rlog->role.leader_node, clock_mono_ms());
    shim_turn(rlog->shim);
    /* Followers get what is theirs before the own disk: they have to write it too, and the way to
     * them is long. */
    link_set_flush(rlog->links);
    shim_begin_writes(rlog->shim);
    rlog_publish_status(rlog);
    rlog_await_progress(rlog);
    continue_stop(rlog);
}

static void on_prepare(uv_prepare_t *prepare)
{
    turn(prepare->data);
}

static void on_wake(void *ctx)
{
    (void)ctx; /* the turn does the work */
}

/* A full disk makes libraft stall or give up (defect 17): leave while others can take over. */
static void watch_space(struct rlog *rlog)
{
    uint64_t now_ms = clock_mono_ms();

    if (rlog->life != LIFE_RUNS || now_ms - rlog->space_checked_ms < SPACE_PERIOD_MS) {
        return;
    }
    rlog->space_checked_ms = now_ms;
    if (rlog_check_space(rlog) != 0) {
        rlog_begin_stop(rlog, "the disk of the log is almost full");
    }
}

static void on_beat(uv_timer_t *beat)
{
    struct rlog *rlog = beat->data;

    rlog_stall_beat(rlog);
    if (rlog->life == LIFE_CLOSES) {
        return;
    }
    rlog_lease_beat(rlog);
    rlog_shed_beat(rlog);
    rlog_bound_log(rlog);
    rlog_copy_beat(rlog);
    rlog_peers_beat(rlog);
    rlog_reports_beat(rlog);
    watch_space(rlog);
}

static void wake_loop(void *ctx)
{
    struct rlog *rlog = ctx;

    waker_wake(&rlog->wake);
}

/* raft_uv is for the disk only: its network never hears or says anything. */
static int no_network_init(struct raft_uv_transport *transport, raft_id id, const char *address)
{
    (void)transport;
    (void)id;
    (void)address;
    return 0;
}

static int no_network_listen(struct raft_uv_transport *transport, raft_uv_accept_cb accept)
{
    (void)transport;
    (void)accept;
    return 0;
}

static int no_network_connect(struct raft_uv_transport *transport, struct raft_uv_connect *request,
                              raft_id id, const char *address, raft_uv_connect_cb connected)
{
    (void)transport;
    (void)request;
    (void)id;
    (void)address;
    (void)connected;
    return RAFT_NOCONNECTION;
}

static void no_network_close(struct raft_uv_transport *transport, raft_uv_transport_close_cb closed)
{
    closed(transport);
}

static const char *copy_text(const char *text)
{
    return text == NULL ? NULL : mem_strdup(text);
}

static struct rlog_member *copy_members(const struct rlog_member *members, size_t count)
{
    struct rlog_member *copy;

    if (count == 0) {
        return NULL;
    }
    copy = mem_alloc(count * sizeof(*copy));
    memcpy(copy, members, count * sizeof(*copy));
    return copy;
}

static void copy_config(struct rlog *rlog, const struct rlog_config *config)
{
    struct rlog_config *own = &rlog->config;

    *own = *config;
    own->dir = copy_text(config->dir);
    own->address = copy_text(config->address);
    own->bind = copy_text(config->bind);
    own->ca_file = copy_text(config->ca_file);
    own->cert_file = copy_text(config->cert_file);
    own->key_file = copy_text(config->key_file);
    own->bootstrap = copy_members(config->bootstrap, config->bootstrap_count);
    own->peers = copy_members(config->peers, config->peer_count);
    own->heartbeat_ms = config->heartbeat_ms == 0 ? HEARTBEAT_MS_DEFAULT : config->heartbeat_ms;
    own->election_ms = config->election_ms == 0 ? ELECTION_MS_DEFAULT : config->election_ms;
    if (config->disk_free_bytes_min == 0) {
        own->disk_free_bytes_min = DISK_FREE_BYTES_DEFAULT;
    }
    own->lease_ms = config->lease_ms == 0 ? LEASE_MS_DEFAULT : config->lease_ms;
}

static void free_config(struct rlog_config *config)
{
    mem_release((void *)config->dir);
    mem_release((void *)config->address);
    mem_release((void *)config->bind);
    mem_release((void *)config->ca_file);
    mem_release((void *)config->cert_file);
    mem_release((void *)config->key_file);
    mem_release((void *)config->bootstrap);
    mem_release((void *)config->peers);
}

static bool send_member_frame(void *ctx, uint32_t node_id, bool is_ask, struct slice bytes)
{
    return rlog_send(ctx, node_id, LINK_BULK, is_ask ? FRAME_MEMBER_ASK : FRAME_MEMBER_ANSWER,
                     bytes);
}

static bool member_answers(void *ctx, raft_id id)
{
    const struct rlog *rlog = ctx;

    return lease_answers(&rlog->leases, shim_node_of(id), clock_boot_ms());
}

static void init_parts(struct rlog *rlog)
{
    rlog->vote_fd = -1;
    rlog->delivered = rlog->config.applied_index;
    rlog->store_index = rlog->config.applied_index;
    rlog->durable_index = rlog->config.applied_index;
    stamp_seen(&rlog->clock, rlog->config.applied_time_ms);
    atomic_store(&rlog->time_ms, rlog->config.applied_time_ms);
    rlog_set_written(rlog, rlog->config.written_version);
    rlog->leases.lease_ms = rlog->config.lease_ms;
    rlog->leases.drift_ms = rlog->config.lease_ms / 10;
    (void)pthread_mutex_init(&rlog->progress_mutex, NULL);
    (void)pthread_mutex_init(&rlog->status_mutex, NULL);
    /* commands in it are bounded by rlog_submit(), which says ERR_BUSY */
    mailbox_init(&rlog->inbox, wake_loop, rlog);
    rlog_machine_init(rlog);
    rlog_init_keep(rlog);
}

static void init_loop(struct rlog *rlog)
{
    uint64_t beat_ms = rlog->config.lease_ms / 3;
    int rc = uv_loop_init(&rlog->loop);

    ASSERT(rc == 0);
    waker_init(&rlog->wake, &rlog->loop, on_wake, rlog);
    (void)uv_prepare_init(&rlog->loop, &rlog->prepare);
    (void)uv_timer_init(&rlog->loop, &rlog->beat);
    rlog->prepare.data = rlog;
    rlog->beat.data = rlog;
    (void)uv_prepare_start(&rlog->prepare, on_prepare);
    (void)uv_timer_start(&rlog->beat, on_beat, beat_ms, beat_ms);
}

static int from_raft(struct rlog *rlog, const char *step, int rv)
{
    /* What is too short, or fails a checksum of LZ4, is an I/O error to libraft. */
    bool is_damaged = rv == RAFT_CORRUPT || rv == RAFT_MALFORMED || rv == RAFT_IOERR;

    if (rv == 0) {
        return 0;
    }
    log_error("raft.start_failed", LOG_STR("step", step), LOG_STR("cause", raft_strerror(rv)),
              LOG_STR("detail", rlog->raft.errmsg), LOG_STR("io", rlog->disk.errmsg),
              LOG_STR("hint", is_damaged ? RLOG_REJOIN_HINT : ""));
    switch (rv) {
    case RAFT_CORRUPT:
    case RAFT_MALFORMED:
        return ERR_CORRUPT;
    case RAFT_NOSPACE:
        return ERR_NO_SPACE;
    default:
        return ERR_IO;
    }
}

static int bootstrap(struct rlog *rlog)
{
    struct raft_configuration members;
    int rv = 0;

    if (rlog->config.bootstrap_count == 0) {
        return 0;
    }
    raft_configuration_init(&members);
    for (size_t i = 0; i < rlog->config.bootstrap_count && rv == 0; i++) {
        const struct rlog_member *member = &rlog->config.bootstrap[i];

        rv = raft_configuration_add(&members, member->raft_id, member->address,
                                    rlog_raft_role(member->role));
    }
    if (rv == 0) {
        rv = raft_bootstrap(&rlog->raft, &members);
    }
    if (rv == 0 && rlog->config.applied_index != 0) {
        rv = rlog_found_behind_store(rlog, &members);
    }
    raft_configuration_close(&members);
    return rv == RAFT_CANTBOOTSTRAP ? 0 : from_raft(rlog, "bootstrap", rv);
}

/* A crash while its first segment was written leaves a founder without members: it would wait for
 * ever for somebody to add it. */
static int check_founder(const struct rlog *rlog)
{
    if (!rlog->config.is_founder || rlog->raft.configuration.n > 0) {
        return 0;
    }
    log_error("raft.no_members", LOG_STR("dir", rlog->config.dir),
              LOG_STR("hint", "the log of a founding node is damaged: restore it, or join the node "
                              "again under a new raft id"));
    return ERR_CORRUPT;
}

static void set_up_raft(struct rlog *rlog)
{
    raft_uv_set_auto_recovery(&rlog->disk, false); /* it hides damage (defect 13) */
    raft_set_pre_vote(&rlog->raft, true);
    raft_set_heartbeat_timeout(&rlog->raft, rlog->config.heartbeat_ms);
    raft_set_election_timeout(&rlog->raft, rlog->config.election_ms);
    raft_set_install_snapshot_timeout(&rlog->raft, INSTALL_SNAPSHOT_MS);
    raft_set_max_catch_up_rounds(&rlog->raft, CATCH_UP_ROUNDS);
    raft_set_max_catch_up_round_duration(&rlog->raft, MEMBER_TIME_MS);
    rlog_bound_log(rlog);
}

static int open_disk(struct rlog *rlog)
{
    int rv;

    rlog->no_network = (struct raft_uv_transport){
        .init = no_network_init,
        .listen = no_network_listen,
        .connect = no_network_connect,
        .close = no_network_close,
    };
    rv = raft_uv_init(&rlog->disk, &rlog->loop, rlog->config.dir, &rlog->no_network);
    return from_raft(rlog, "open directory", rv);
}

/* An error of libraft; RAFT_CORRUPT was logged with what to do. */
static int on_ballot_loaded(void *ctx, raft_term term, raft_id vote)
{
    int rc = rlog_check_ballot(ctx, &(struct ballot){.term = term, .vote = vote});

    return rc == 0 ? 0 : rc == ERR_CORRUPT ? RAFT_CORRUPT : RAFT_IOERR;
}

static int on_ballot(void *ctx, raft_term term, raft_id vote)
{
    return rlog_note_ballot(ctx, &(struct ballot){.term = term, .vote = vote});
}

static void on_ballot_written(void *ctx)
{
    rlog_ballot_written(ctx);
}

static int open_raft(struct rlog *rlog)
{
    const struct shim_config shim = {
        .id = rlog->config.raft_id,
        .disk = &rlog->disk,
        .transport = {.ctx = rlog, .send = rlog_send_raft},
        .ctx = rlog,
        .fail_stop = on_fail_stop,
        .on_snapshot_offered = on_snapshot_offered,
        .on_ballot_loaded = on_ballot_loaded,
        .on_ballot = on_ballot,
        .on_ballot_written = on_ballot_written,
    };
    int rc;

    rlog->shim = shim_new(&shim);
    shim_attach(rlog->shim, &rlog->raft);
    rlog->members = member_new(&(struct member_config){.raft = &rlog->raft,
                                                       .shim = rlog->shim,
                                                       .ctx = rlog,
                                                       .send = send_member_frame,
                                                       .answers = member_answers,
                                                       .lease_ms = rlog->config.lease_ms});
    rc = from_raft(rlog, "init",
                   raft_init(&rlog->raft, shim_io(rlog->shim), &rlog->machine, rlog->config.raft_id,
                             rlog->config.address));
    if (rc != 0) {
        return rc;
    }
    rlog->raft_open = true;
    set_up_raft(rlog);
    rc = bootstrap(rlog);
    if (rc == 0 && rlog->config.begin != NULL) {
        rc = rlog->config.begin(rlog->config.begin_ctx);
    }
    if (rc != 0) {
        return rc;
    }
    rc = from_raft(rlog, "load log", raft_start(&rlog->raft));
    if (rc == 0) {
        rc = check_founder(rlog);
    }
    return rc == 0 ? rlog_check_tail(rlog) : rc;
}

static void on_handed_over(void *ctx, int status)
{
    struct rlog *rlog = ctx;

    (void)status; /* in vain or not: it was tried */
    rlog->handover_ends_ms = 0;
}

void rlog_begin_stop(struct rlog *rlog, const char *fail_reason)
{
    const struct member_request request = {.kind = MEMBER_TRANSFER,
                                           .term = rlog->raft.current_term};

    if (rlog->life != LIFE_RUNS) {
        return;
    }
    rlog->life = LIFE_HANDS_OVER;
    rlog->fail_reason = fail_reason;
    if (rlog->role.is_leader && rlog->peer_count > 0) {
        rlog->handover_ends_ms = clock_mono_ms() + HANDOVER_MS;
        member_change(rlog->members, &request, on_handed_over, rlog, clock_mono_ms());
    }
}

static void free_all(struct rlog *rlog)
{
    int rc = uv_loop_close(&rlog->loop);

    ASSERT(rc == 0);
    waker_deinit(&rlog->wake);
    if (rlog->members != NULL) {
        member_free(&rlog->members);
    }
    if (rlog->shim != NULL) {
        raft_uv_close(&rlog->disk);
        shim_free(&rlog->shim);
    }
    rlog_close_ballot(rlog);
    rlog_drop_orders(rlog);
    mailbox_deinit(&rlog->inbox);
    origin_deinit(&rlog->origin);
    intake_clear(&rlog->intake);
    buf_deinit(&rlog->scratch);
    mem_free(&rlog->unapplied.ring);
    (void)pthread_mutex_destroy(&rlog->progress_mutex);
    (void)pthread_mutex_destroy(&rlog->status_mutex);
    free_config(&rlog->config);
    mem_free(&rlog);
}

static void *run_thread(void *ctx)
{
    struct rlog *rlog = ctx;

    (void)pthread_setname_np(pthread_self(), "raft");
    (void)uv_run(&rlog->loop, UV_RUN_DEFAULT);
    return NULL;
}

int rlog_start(const struct rlog_config *config, const struct rlog_events *events,
               struct rlog **out)
{
    struct rlog *rlog = mem_zalloc(sizeof(*rlog));
    int rc;

    copy_config(rlog, config);
    rlog->events = *events;
    init_parts(rlog);
    init_loop(rlog);
    rc = rlog_check_space(rlog);
    if (rc == 0) {
        rc = rlog_check_aio();
    }
    if (rc == 0) {
        rc = rlog_check_files(rlog);
    }
    if (rc == 0) {
        rlog_undo_cut(rlog);
        rlog_remove_replaced(rlog);
        rc = open_disk(rlog);
    }
    if (rc == 0) {
        rc = open_raft(rlog);
    }
    if (rc == 0) {
        rc = rlog_open_links(rlog);
    }
    if (rc == 0) {
        rlog_publish_status(rlog);
        rc = pthread_create(&rlog->thread, NULL, run_thread, rlog) == 0 ? 0 : ERR_IO;
    }
    if (rc != 0) {
        begin_close(rlog);
        (void)uv_run(&rlog->loop, UV_RUN_DEFAULT);
        free_all(rlog);
        return rc;
    }
    *out = rlog;
    return 0;
}

void rlog_stop(struct rlog **rlog)
{
    rlog_order_stop(*rlog);
    (void)pthread_join((*rlog)->thread, NULL);
    free_all(*rlog);
    *rlog = NULL;
}
