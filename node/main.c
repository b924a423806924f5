/* musterd - one node of a cluster. The composition root: reads the configuration, builds store,
 * log, state thread, workers and control socket, wires them, and takes them down in reverse order.
 * The main thread then only waits for signals and feeds the service manager's watchdog. */
#include "node/admin/admin.h"
#include "node/base/clock.h"
#include "node/base/crypto.h"
#include "node/base/log.h"
#include "node/base/mem.h"
#include "node/conf/conf.h"
#include "node/core/identity.h"
#include "node/net/listener.h"
#include "node/worker/worker.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include <uv.h>

#define CONF_FILE_DEFAULT "/etc/muster/muster.yaml"
#define WORKERS_MAX       64
#define PULSE_MS          500 /* how often the main thread looks at the others */
#define CA_BYTES_MAX      (64 * 1024)

struct node {
    const char *conf_file;
    struct conf *conf;
    pthread_mutex_t reload_mutex; /* SIGHUP and musterctl reload may meet */
    struct tls_store *tls;
    struct core *core;
    struct worker *workers[WORKERS_MAX];
    struct mailbox *worker_boxes[WORKERS_MAX];
    uint32_t worker_count;
    struct admin *admin;

    uv_loop_t loop;
    uv_signal_t on_term, on_int, on_hup;
    uv_timer_t pulse;
    bool was_ready;
    uint64_t turns_seen; /* what the watchdog saw move last */
    uint64_t log_seen_ms;
};

/* ---- configuration to what the parts want */

static int load_certificates(struct tls_store *store, const struct conf *conf,
                             char fault[TLS_FAULT_BYTES_MAX])
{
    size_t count = conf->c2s.certificates_count;
    struct tls_certificate *certificates = mem_zalloc(count * sizeof(*certificates));
    int rc;

    for (size_t i = 0; i < count; i++) {
        certificates[i].domain = conf->c2s.certificates[i].domain;
        certificates[i].cert_file = conf->c2s.certificates[i].certificate;
        certificates[i].key_file = conf->c2s.certificates[i].key;
    }
    rc = tls_store_load(store, certificates, count, fault);
    mem_free(&certificates);
    return rc;
}

static uint32_t count_workers(const struct conf *conf)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (conf->limits.workers != 0) {
        return conf->limits.workers;
    }
    return cores < 1 ? 1 : cores > WORKERS_MAX ? WORKERS_MAX : (uint32_t)cores;
}

static struct worker_settings settings_of(const struct conf *conf, uint32_t worker_count)
{
    return (struct worker_settings){
        .stanza_bytes_max = conf->limits.stanza_bytes,
        .output_bytes_max = conf->limits.output_bytes,
        .stanzas_per_second = conf->limits.stanzas_per_second,
        .bytes_per_second = conf->limits.bytes_per_second,
        .burst_s = conf->limits.burst_seconds,
        .connections_per_address_max = conf->limits.connections_per_address,
        .connections_max = (conf->limits.connections + worker_count - 1) / worker_count,
        .resume_window_s = conf->timers.resume_window_s,
        .idle_probe_ms = conf->timers.idle_probe_s * 1000,
        .idle_dead_ms = conf->timers.idle_dead_s * 1000,
        .negotiation_ms = conf->timers.negotiation_s * 1000,
        .stanza_ms = conf->timers.stanza_s * 1000,
        .confirm_ms = conf->timers.confirm_s * 1000,
        .tls_unique_on_tls13 = conf->c2s.tls_unique_on_tls13 == CONF_YES};
}

/* Members as of the start of the cluster. */
static size_t members_of(const struct conf *conf, struct rlog_member out[RLOG_MEMBERS_MAX])
{
    size_t count = conf->cluster.members_count;

    for (size_t i = 0; i < count && i < RLOG_MEMBERS_MAX; i++) {
        const struct conf_member *member = &conf->cluster.members[i];

        out[i] = (struct rlog_member){.raft_id =
                                          identity_raft_id(member->node, IDENTITY_FIRST_MEMBERSHIP),
                                      .node_id = member->node,
                                      .role = i < RLOG_VOTERS_MAX ? RLOG_VOTER : RLOG_STANDBY};
        (void)snprintf(out[i].address, sizeof(out[i].address), "%s", member->address);
    }
    return count;
}

/* Salts of accounts that do not exist come from it (see sasl.h). The cluster's CA is the same on
 * all nodes and never shown to clients. */
static int read_decoy_secret(const char *ca_file, uint8_t out[HASH_SIZE_MAX])
{
    uint8_t *bytes = mem_alloc(CA_BYTES_MAX);
    FILE *file = fopen(ca_file, "re");
    size_t len = file == NULL ? 0 : fread(bytes, 1, CA_BYTES_MAX, file);

    if (file != NULL) {
        (void)fclose(file);
    }
    if (len == 0) {
        log_error("node.ca_unreadable", LOG_STR("file", ca_file));
        mem_free(&bytes);
        return ERR_IO;
    }
    hash_digest(HASH_SHA256, slice_make(bytes, len), out);
    mem_free(&bytes);
    return 0;
}

/* ---- reload */

static void tell_workers(struct node *node)
{
    struct worker_settings settings = settings_of(node->conf, node->worker_count);
    struct blob *bytes = blob_new(slice_make(&settings, sizeof(settings)));

    for (uint32_t i = 0; i < node->worker_count; i++) {
        struct port_message *message = port_new(PORT_SETTINGS);

        message->bytes = blob_ref(bytes);
        mailbox_push_take(node->worker_boxes[i], &message->mail);
    }
    blob_unref(&bytes);
}

/* All or nothing: nothing is changed before everything is known to be good. */
static int reload_locked(struct node *node, char *fault)
{
    struct conf *fresh = NULL;
    const char *fixed;
    int rc = conf_load(node->conf_file, &fresh, fault);

    if (rc != 0) {
        return rc;
    }
    fixed = conf_needs_restart(node->conf, fresh);
    if (fixed != NULL) {
        (void)snprintf(fault, ADMIN_FAULT_BYTES_MAX, "%s needs a restart", fixed);
        rc = ERR_CONFIG;
    } else {
        rc = load_certificates(node->tls, fresh, fault);
    }
    if (rc != 0) {
        conf_free(&fresh);
        return rc;
    }
    conf_free(&node->conf);
    node->conf = fresh;
    log_set_level((enum log_level)fresh->log.level);
    tell_workers(node);
    return 0;
}

static int reload(void *ctx, char fault[ADMIN_FAULT_BYTES_MAX])
{
    struct node *node = ctx;
    int rc;

    (void)pthread_mutex_lock(&node->reload_mutex);
    rc = reload_locked(node, fault);
    (void)pthread_mutex_unlock(&node->reload_mutex);
    if (rc == 0) {
        log_info("node.reloaded");
    } else {
        log_error("node.reload_refused", LOG_STR("cause", fault));
    }
    return rc;
}

/* ---- start */

#define ADDRESS_TEXT_BYTES_MAX (RLOG_ADDRESS_MAX + 1)

/* "host:port", with brackets around an IPv6 literal. */
static void format_address(const char *host, uint16_t port, char out[ADDRESS_TEXT_BYTES_MAX])
{
    (void)snprintf(out, ADDRESS_TEXT_BYTES_MAX, strchr(host, ':') == NULL ? "%s:%u" : "[%s]:%u",
                   host, port);
}

/* Is the port free? Workers share theirs, so another program's use of it would go unseen. */
static int check_port(const char *address)
{
    int fd;
    int rc = listener_open(address, LISTENER_ALONE, &fd);

    if (rc == 0) {
        (void)close(fd);
    }
    return rc;
}

static int start_core(struct node *node)
{
    const struct conf *conf = node->conf;
    struct rlog_member members[RLOG_MEMBERS_MAX];
    size_t member_count = members_of(conf, members);
    char client_address[ADDRESS_TEXT_BYTES_MAX];
    struct core_config config = {.node_id = conf->node.id,
                                 .name = conf->node.name,
                                 .data_dir = conf->node.data,
                                 .domain = conf->cluster.domain,
                                 .link_bind = conf->cluster.bind,
                                 .link_address = conf->cluster.address,
                                 .client_address = client_address,
                                 .ca_file = conf->cluster.ca,
                                 .cert_file = conf->cluster.certificate,
                                 .key_file = conf->cluster.key,
                                 .peers = members,
                                 .peer_count = member_count,
                                 .heartbeat_ms = conf->timers.heartbeat_ms,
                                 .election_ms = conf->timers.election_ms,
                                 .lease_ms = conf->timers.lease_ms,
                                 .mark_ms = conf->timers.mark_ms,
                                 .snapshot_entries = conf->limits.log_entries,
                                 .map_bytes = (uint64_t)conf->limits.map_gib << 30,
                                 .unwritten_bytes_max = (size_t)conf->limits.unwritten_mib << 20,
                                 .reserve_bytes = (uint64_t)conf->limits.reserve_mib << 20};

    format_address(conf->c2s.address, conf->c2s.port, client_address);
    return core_open(&config, &node->core);
}

static int start_workers(struct node *node)
{
    const struct conf *conf = node->conf;
    uint8_t decoy_secret[HASH_SIZE_MAX] = {0};
    char address[ADDRESS_TEXT_BYTES_MAX];
    char tls_address[ADDRESS_TEXT_BYTES_MAX];
    struct worker_config config = {.core = node->core,
                                   .tls = node->tls,
                                   .address = address,
                                   .tls_address = conf->c2s.tls_port == 0 ? NULL : tls_address,
                                   .default_domain = conf->cluster.domain,
                                   .decoy_secret = slice_make(decoy_secret, sizeof(decoy_secret)),
                                   .stop_ms = conf->timers.stop_s * 1000};
    uint32_t count = count_workers(conf);
    int rc = read_decoy_secret(conf->cluster.ca, decoy_secret);

    format_address(conf->c2s.bind, conf->c2s.port, address);
    format_address(conf->c2s.bind, conf->c2s.tls_port, tls_address);
    if (rc == 0) {
        rc = check_port(address);
    }
    if (rc == 0 && conf->c2s.tls_port != 0) {
        rc = check_port(tls_address);
    }
    if (rc != 0) {
        return rc;
    }
    config.settings = settings_of(conf, count);
    for (uint32_t i = 0; i < count; i++) {
        config.index = i;
        node->workers[i] = worker_start(&config);
        node->worker_boxes[i] = worker_mailbox(node->workers[i]);
        node->worker_count++;
    }
    return 0;
}

static int start_admin(struct node *node)
{
    const struct admin_config config = {.socket_path = node->conf->control.socket,
                                        .core = node->core,
                                        .node_id = node->conf->node.id,
                                        .cluster = node->conf->cluster.name,
                                        .domain = node->conf->cluster.domain,
                                        .scram_iterations = node->conf->limits.scram_iterations,
                                        .reload = reload,
                                        .ctx = node};

    return admin_start(&config, &node->admin);
}

static int start(struct node *node)
{
    char fault[TLS_FAULT_BYTES_MAX] = "";
    int rc;

    node->tls = tls_store_new();
    rc = load_certificates(node->tls, node->conf, fault);
    if (rc != 0) {
        log_error("node.certificate_unusable", LOG_STR("cause", fault));
    } else {
        rc = start_core(node);
    }
    if (rc == 0) {
        rc = start_workers(node);
    }
    if (rc == 0) {
        rc = start_admin(node);
    }
    if (rc == 0) {
        core_run(node->core, node->worker_boxes, node->worker_count, admin_mailbox(node->admin));
        log_info("node.started", LOG_STR("name", node->conf->node.name),
                 LOG_STR("version", MUSTER_VERSION), LOG_UINT("workers", node->worker_count));
    }
    return rc;
}

/* Workers first, so that their clients' last commands still get into the log. */
static void stop(struct node *node)
{
    for (uint32_t i = 0; i < node->worker_count; i++) {
        worker_stop(node->workers[i]);
    }
    if (node->admin != NULL) {
        admin_stop(node->admin);
    }
    if (node->core != NULL) {
        core_stop(&node->core);
    }
    if (node->admin != NULL) {
        admin_free(&node->admin);
    }
    for (uint32_t i = 0; i < node->worker_count; i++) {
        worker_free(&node->workers[i]);
    }
    tls_store_free(&node->tls);
}

/* ---- the main thread's loop */

static void on_stop_signal(uv_signal_t *handle, int number)
{
    struct node *node = handle->data;

    log_info("node.stopping", LOG_INT("signal", number));
    (void)sd_notify(0, "STOPPING=1");
    uv_stop(&node->loop);
}

/* A node that still waits for its cluster is not made ready by a signal. */
static void on_hup_signal(uv_signal_t *handle, int number)
{
    const struct node *node = handle->data;
    char fault[ADMIN_FAULT_BYTES_MAX] = "";

    (void)number;
    if (node->was_ready) {
        (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
                         (unsigned long long)clock_mono_us());
    }
    (void)reload(handle->data, fault);
    if (node->was_ready) {
        (void)sd_notify(0, "READY=1");
    }
}

/* The watchdog is fed while both threads that the cluster depends on move: the state thread counts
 * its turns, the raft thread dates its status. */
static void on_pulse(uv_timer_t *timer)
{
    struct node *node = timer->data;
    struct core_status core;
    struct rlog_status log;

    core_get_status(node->core, &core);
    rlog_get_status(core_log(node->core), &log);
    if (core.turns != node->turns_seen && log.as_of_ms != node->log_seen_ms) {
        node->turns_seen = core.turns;
        node->log_seen_ms = log.as_of_ms;
        (void)sd_notify(0, "WATCHDOG=1");
    }
    if (core.serving && !node->was_ready) {
        node->was_ready = true;
        (void)sd_notify(0, "READY=1\nSTATUS=serving");
    }
}

static void start_signal(struct node *node, uv_signal_t *handle, uv_signal_cb callback, int number)
{
    (void)uv_signal_init(&node->loop, handle);
    handle->data = node;
    (void)uv_signal_start(handle, callback, number);
}

static void close_handle(uv_handle_t *handle, void *ctx)
{
    (void)ctx;
    uv_close(handle, NULL);
}

static void wait_for_end(struct node *node)
{
    (void)uv_run(&node->loop, UV_RUN_DEFAULT);
    uv_walk(&node->loop, close_handle, NULL);
    (void)uv_run(&node->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&node->loop);
}

static void init_loop(struct node *node)
{
    (void)uv_loop_init(&node->loop);
    start_signal(node, &node->on_term, on_stop_signal, SIGTERM);
    start_signal(node, &node->on_int, on_stop_signal, SIGINT);
    start_signal(node, &node->on_hup, on_hup_signal, SIGHUP);
    (void)uv_timer_init(&node->loop, &node->pulse);
    node->pulse.data = node;
    (void)uv_timer_start(&node->pulse, on_pulse, PULSE_MS, PULSE_MS);
}

/* Every client is a file; systemd's default soft limit is 1024. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int run_node(struct node *node)
{
    int rc;

    (void)signal(SIGPIPE, SIG_IGN);
    raise_file_limit();
    log_set_level((enum log_level)node->conf->log.level);
    (void)pthread_mutex_init(&node->reload_mutex, NULL);
    init_loop(node);
    rc = start(node);
    if (rc != 0) {
        uv_stop(&node->loop);
    }
    wait_for_end(node);
    stop(node);
    (void)pthread_mutex_destroy(&node->reload_mutex);
    if (rc == 0) {
        log_info("node.stopped");
    }
    return rc == 0 ? 0 : EXIT_START_FAILED;
}

/* ---- command line */

static int usage(FILE *out, int code)
{
    (void)fprintf(out, "usage: musterd [-c FILE] [-t]\n"
                       "  -c, --config FILE  configuration (default " CONF_FILE_DEFAULT ")\n"
                       "  -t, --test         check the configuration and exit\n"
                       "  -V, --version      print the version and exit\n"
                       "  -h, --help         print this and exit\n");
    return code;
}

static int check_only(const struct conf *conf)
{
    struct tls_store *store = tls_store_new();
    char fault[TLS_FAULT_BYTES_MAX] = "";
    int rc = load_certificates(store, conf, fault);

    tls_store_free(&store);
    if (rc != 0) {
        (void)fprintf(stderr, "%s\n", fault);
        return EXIT_START_FAILED;
    }
    (void)printf("configuration ok\n");
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"test", no_argument, NULL, 't'},
                                            {"version", no_argument, NULL, 'V'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct node node = {.conf_file = CONF_FILE_DEFAULT};
    char fault[CONF_FAULT_BYTES_MAX];
    bool test = false;
    int option;
    int code;

    while ((option = getopt_long(argc, argv, "c:tVh", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            node.conf_file = optarg;
            break;
        case 't':
            test = true;
            break;
        case 'V':
            (void)printf("musterd " MUSTER_VERSION "\n");
            return 0;
        case 'h':
            return usage(stdout, 0);
        default:
            return usage(stderr, EXIT_USAGE);
        }
    }
    if (optind != argc) {
        return usage(stderr, EXIT_USAGE);
    }
    if (conf_load(node.conf_file, &node.conf, fault) != 0) {
        (void)fprintf(stderr, "%s\n", fault);
        return EXIT_START_FAILED;
    }
    code = test ? check_only(node.conf) : run_node(&node);
    conf_free(&node.conf);
    return code;
}
