/* Builds and wires the parts of the process, and takes them down in reverse order. */
#include "node/base/clock.h"
#include "node/base/log.h"
#include "node/net/addresses.h"
#include "node/net/listener.h"
#include "node/process.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <unistd.h>

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

_Static_assert(STATE_TICKET_KEYS_MAX <= TLS_TICKET_KEYS_MAX, "the store has room for all keys");

/* The state has the next key first; the one after it is in use (schema.proto). */
static void set_ticket_keys(struct tls_store *store, const Pb__SecretsRow *secrets)
{
    struct tls_ticket_key keys[STATE_TICKET_KEYS_MAX];

    for (size_t i = 0; i < secrets->n_ticket_keys; i++) {
        const Pb__TicketKey *from = secrets->ticket_keys[i];
        struct tls_ticket_key *to = &keys[i < 2 ? 1 - i : i];

        memcpy(to->name, from->name.data, sizeof(to->name));
        memcpy(to->aes_key, from->aes_key.data, sizeof(to->aes_key));
        memcpy(to->mac_key, from->mac_key.data, sizeof(to->mac_key));
    }
    tls_store_set_ticket_keys(store, keys, secrets->n_ticket_keys);
    OPENSSL_cleanse(keys, sizeof(keys));
}

static void on_secrets(void *ctx, const Pb__SecretsRow *secrets)
{
    struct process *process = ctx;
    struct blob *decoy =
        blob_new(slice_make(secrets->decoy_secret.data, secrets->decoy_secret.len));

    set_ticket_keys(process->tls, secrets);
    for (uint32_t i = 0; i < process->worker_count; i++) {
        struct port_message *message = port_new(PORT_DECOY);

        message->bytes = blob_ref(decoy);
        mailbox_push_take(process->worker_boxes[i], &message->mail);
    }
    blob_unref(&decoy);
}

static int start_core(struct process *process)
{
    const struct conf *conf = process->conf;
    struct blob *about = process_about(conf);
    struct rlog_member members[RLOG_MEMBERS_MAX];
    size_t member_count = process_first_members(conf, members);
    char client_address[ADDRESS_TEXT_BYTES_MAX] = "";
    struct core_config config = {.node_id = conf->node.id,
                                 .name = conf->node.name,
                                 .data_dir = conf->node.data,
                                 .domain = conf->cluster.domain,
                                 .link_bind = conf->cluster.bind,
                                 .link_address = conf->cluster.address,
                                 .client_address = client_address,
                                 .is_witness = conf->node.witness == CONF_YES,
                                 .ca_file = conf->cluster.ca,
                                 .cert_file = conf->cluster.certificate,
                                 .key_file = conf->cluster.key,
                                 .peers = members,
                                 .peer_count = member_count,
                                 .heartbeat_ms = conf->timers.heartbeat_ms,
                                 .fallback_s = conf->timers.fallback_s,
                                 .moves_per_second = conf->limits.moves_per_second,
                                 .service_s = conf->timers.service_s,
                                 .replace_s = conf->timers.replace_s,
                                 .election_ms = conf->timers.election_ms,
                                 .lease_ms = conf->timers.lease_ms,
                                 .about = about,
                                 .mark_ms = conf->timers.mark_ms,
                                 .scrub_s = conf->timers.scrub_s,
                                 .snapshot_entries = conf->limits.log_entries,
                                 .map_bytes = (uint64_t)conf->limits.map_gib << 30,
                                 .unwritten_bytes_max = (size_t)conf->limits.unwritten_mib << 20,
                                 .reserve_bytes = (uint64_t)conf->limits.reserve_mib << 20,
                                 .on_secrets = on_secrets,
                                 .ctx = process};
    int rc;

    if (!config.is_witness) {
        format_address(conf->c2s.address, conf->c2s.port, client_address);
    }
    rc = core_open(&config, &process->core);
    blob_unref(&about);
    return rc;
}

static int start_workers(struct process *process)
{
    const struct conf *conf = process->conf;
    char address[ADDRESS_TEXT_BYTES_MAX];
    char tls_address[ADDRESS_TEXT_BYTES_MAX];
    struct worker_config config = {.core = process->core,
                                   .tls = process->tls,
                                   .addresses = process->addresses,
                                   .failures = process->failures,
                                   .helpers = process->login_helpers,
                                   .address = address,
                                   .tls_address = conf->c2s.tls_port == 0 ? NULL : tls_address,
                                   .default_domain = conf->cluster.domain,
                                   .stop_ms = conf->timers.stop_s * 1000};
    uint32_t count = process_count_workers(conf);
    int rc;

    if (count == 0) {
        return 0; /* a witness listens for no clients */
    }
    format_address(conf->c2s.bind, conf->c2s.port, address);
    format_address(conf->c2s.bind, conf->c2s.tls_port, tls_address);
    rc = check_port(address);
    if (rc == 0 && conf->c2s.tls_port != 0) {
        rc = check_port(tls_address);
    }
    if (rc != 0) {
        return rc;
    }
    config.settings = process_worker_settings(conf, process->files_max);
    for (uint32_t i = 0; i < count; i++) {
        config.index = i;
        process->workers[i] = worker_start(&config);
        process->worker_boxes[i] = worker_mailbox(process->workers[i]);
        process->worker_count++;
    }
    return 0;
}

static int open_admin(struct process *process)
{
    const struct admin_config config = {.socket_path = process->conf->control.socket,
                                        .core = process->core,
                                        .node_id = process->conf->node.id,
                                        .is_witness = process->conf->node.witness == CONF_YES,
                                        .cluster = process->conf->cluster.name,
                                        .domain = process->conf->cluster.domain,
                                        .scram_iterations = process->conf->limits.scram_iterations,
                                        .reload = process_reload,
                                        .ctx = process};

    return admin_open(&config, &process->admin);
}

int process_start(struct process *process)
{
    char fault[TLS_FAULT_BYTES_MAX] = "";
    struct tls_set *certificates;
    int rc;

    process->tls = tls_store_new();
    process->addresses = addresses_new();
    process->failures = failures_new(clock_mono_ms());
    process->login_helpers = helpers_start("login");
    rc = process_check_links(process->conf, fault);
    if (rc == 0) {
        rc = process_load_certificates(process->conf, fault, &certificates);
    }
    if (rc != 0) {
        log_error("node.certificate_unusable", LOG_STR("cause", fault));
    } else {
        tls_store_use_take(process->tls, certificates);
        rc = start_core(process);
    }
    if (rc == 0) {
        rc = start_workers(process);
    }
    if (rc == 0) {
        rc = open_admin(process);
    }
    if (rc == 0) {
        core_run(process->core, process->worker_boxes, process->worker_count,
                 admin_mailbox(process->admin));
        log_info("node.started", LOG_STR("name", process->conf->node.name),
                 LOG_STR("version", MUSTER_VERSION), LOG_UINT("workers", process->worker_count));
        admin_run(process->admin); /* last: it may ask for a reload at once */
    }
    return rc;
}

/* Workers first, so that their clients' last commands still get into the log. */
void process_stop(struct process *process)
{
    process_end_reloads(process);
    for (uint32_t i = 0; i < process->worker_count; i++) {
        worker_begin_stop(process->workers[i]);
    }
    for (uint32_t i = 0; i < process->worker_count; i++) {
        worker_end_stop(process->workers[i]);
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
    helpers_stop(&process->login_helpers);
    for (uint32_t i = 0; i < process->worker_count; i++) {
        worker_free(&process->workers[i]);
    }
    failures_free(&process->failures);
    addresses_free(&process->addresses);
    tls_store_free(&process->tls);
}
