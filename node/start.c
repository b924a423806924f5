/* Builds and wires the parts of the process, and takes them down in reverse order. */
#include "node/base/crypto.h"
#include "node/base/log.h"
#include "node/base/mem.h"
#include "node/net/listener.h"
#include "node/process.h"

#include <stdio.h>
#include <unistd.h>

#define CA_BYTES_MAX (64 * 1024)

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

static int start_core(struct process *process)
{
    const struct conf *conf = process->conf;
    struct rlog_member members[RLOG_MEMBERS_MAX];
    size_t member_count = process_first_members(conf, members);
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
    return core_open(&config, &process->core);
}

static int start_workers(struct process *process)
{
    const struct conf *conf = process->conf;
    uint8_t decoy_secret[HASH_SIZE_MAX] = {0};
    char address[ADDRESS_TEXT_BYTES_MAX];
    char tls_address[ADDRESS_TEXT_BYTES_MAX];
    struct worker_config config = {.core = process->core,
                                   .tls = process->tls,
                                   .address = address,
                                   .tls_address = conf->c2s.tls_port == 0 ? NULL : tls_address,
                                   .default_domain = conf->cluster.domain,
                                   .decoy_secret = slice_make(decoy_secret, sizeof(decoy_secret)),
                                   .stop_ms = conf->timers.stop_s * 1000};
    uint32_t count = process_count_workers(conf);
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
    config.settings = process_worker_settings(conf, count);
    for (uint32_t i = 0; i < count; i++) {
        config.index = i;
        process->workers[i] = worker_start(&config);
        process->worker_boxes[i] = worker_mailbox(process->workers[i]);
        process->worker_count++;
    }
    return 0;
}

static int start_admin(struct process *process)
{
    const struct admin_config config = {.socket_path = process->conf->control.socket,
                                        .core = process->core,
                                        .node_id = process->conf->node.id,
                                        .cluster = process->conf->cluster.name,
                                        .domain = process->conf->cluster.domain,
                                        .scram_iterations = process->conf->limits.scram_iterations,
                                        .reload = process_reload,
                                        .ctx = process};

    return admin_start(&config, &process->admin);
}

int process_start(struct process *process)
{
    char fault[TLS_FAULT_BYTES_MAX] = "";
    int rc;

    process->tls = tls_store_new();
    rc = process_load_certificates(process->tls, process->conf, fault);
    if (rc != 0) {
        log_error("node.certificate_unusable", LOG_STR("cause", fault));
    } else {
        rc = start_core(process);
    }
    if (rc == 0) {
        rc = start_workers(process);
    }
    if (rc == 0) {
        rc = start_admin(process);
    }
    if (rc == 0) {
        core_run(process->core, process->worker_boxes, process->worker_count,
                 admin_mailbox(process->admin));
        log_info("node.started", LOG_STR("name", process->conf->node.name),
                 LOG_STR("version", MUSTER_VERSION), LOG_UINT("workers", process->worker_count));
    }
    return rc;
}

/* Workers first, so that their clients' last commands still get into the log. */
void process_stop(struct process *process)
{
    for (uint32_t i = 0; i < process->worker_count; i++) {
        worker_stop(process->workers[i]);
    }
    if (process->admin != NULL) {
        admin_stop(process->admin);
    }
    if (process->core != NULL) {
        core_stop(&process->core);
    }
    if (process->admin != NULL) {
        admin_free(&process->admin);
    }
    for (uint32_t i = 0; i < process->worker_count; i++) {
        worker_free(&process->workers[i]);
    }
    tls_store_free(&process->tls);
}
