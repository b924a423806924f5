/* The configuration, put into the words of the parts that are built from it. */
#include "node/base/log.h"
#include "node/base/mem.h"
#include "node/core/identity.h"
#include "node/process.h"
#include "storage/state/state.h"
#include "xmpp/im/about.h"

#include <stdio.h>
#include <unistd.h>

#define FILES_RESERVE 512 /* for store, log, links, copies, loops, and the control socket */

_Static_assert(CONF_SILENCE_S_MAX * 1000u <= STATE_SILENCE_MS_MAX,
               "presence is forgotten too early");

/* Nobody configures what the state would cut short; a confirm must be in its log in time. */
#define GREATEST(name, least, greatest, value, moment) GREATEST_##name = (greatest),
enum { CONF_TIMERS_MAP(GREATEST) };
_Static_assert(GREATEST_resume_window_s <= STATE_WINDOW_S_MAX, "sessions end before their window");
_Static_assert(GREATEST_confirm_s * 1000 < STATE_RESUME_EXTEND_MS, "confirms come too late");

int process_load_certificates(const struct conf *conf, char fault[TLS_FAULT_BYTES_MAX],
                              struct tls_set **out)
{
    size_t count = conf->c2s.certificates_count;
    struct tls_certificate *certificates = mem_zalloc(count * sizeof(*certificates));
    int rc;

    for (size_t i = 0; i < count; i++) {
        certificates[i].domain = conf->c2s.certificates[i].domain;
        certificates[i].cert_file = conf->c2s.certificates[i].certificate;
        certificates[i].key_file = conf->c2s.certificates[i].key;
    }
    rc = tls_set_load(certificates, count, fault, out);
    mem_free(&certificates);
    return rc;
}

_Static_assert(RLOG_FAULT_BYTES_MAX <= TLS_FAULT_BYTES_MAX, "one buffer takes both");

int process_check_links(const struct conf *conf, char fault[TLS_FAULT_BYTES_MAX])
{
    struct rlog_certificates *links;
    int rc = rlog_certificates_load(conf->node.id, conf->cluster.ca, conf->cluster.certificate,
                                    conf->cluster.key, fault, &links);

    if (rc == 0) {
        rlog_certificates_free(&links);
    }
    return rc;
}

uint32_t process_count_workers(const struct conf *conf)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (conf->node.witness == CONF_YES) {
        return 0;
    }
    if (conf->limits.workers != 0) {
        return conf->limits.workers;
    }
    return cores < 1 ? 1 : cores > CORE_WORKERS_MAX ? CORE_WORKERS_MAX : (uint32_t)cores;
}

/* Every client is a file. Strangers must not take those that the log and the store need next: a
 * node that cannot open one stops. */
static uint32_t connections_max(const struct conf *conf, uint64_t files_max)
{
    uint64_t reserve = files_max / 2 < FILES_RESERVE ? files_max / 2 : FILES_RESERVE;

    if (conf->limits.connections <= files_max - reserve) {
        return conf->limits.connections;
    }
    log_warn("node.few_files", LOG_UINT("files", files_max), LOG_UINT("reserve", reserve),
             LOG_UINT("wanted", conf->limits.connections),
             LOG_UINT("connections", files_max - reserve));
    return (uint32_t)(files_max - reserve);
}

struct worker_settings process_worker_settings(const struct conf *conf, uint64_t files_max)
{
    return (struct worker_settings){
        .stanza_bytes_max = conf->limits.stanza_bytes,
        .output_bytes_max = conf->limits.output_bytes,
        .stanzas_per_second = conf->limits.stanzas_per_second,
        .bytes_per_second = conf->limits.bytes_per_second,
        .burst_s = conf->limits.burst_seconds,
        .connections_per_address_max = conf->limits.connections_per_address,
        .connections_max = connections_max(conf, files_max),
        .resume_window_s = conf->timers.resume_window_s,
        .idle_probe_ms = conf->timers.idle_probe_s * 1000,
        .idle_dead_ms = conf->timers.idle_dead_s * 1000,
        .negotiation_ms = conf->timers.negotiation_s * 1000,
        .stanza_ms = conf->timers.stanza_s * 1000,
        .confirm_ms = conf->timers.confirm_s * 1000,
        .scram_iterations = conf->limits.scram_iterations,
        .tls_unique_on_tls13 = conf->c2s.tls_unique_on_tls13 == CONF_YES};
}

#define PURPOSE(name) CONF_PURPOSE_##name,
enum { CONF_PURPOSES_MAP(PURPOSE) PURPOSE_COUNT };
#undef PURPOSE

static size_t add_contacts(const char *field, char *const *addresses, uint32_t count,
                           struct about_contact *out)
{
    for (uint32_t i = 0; i < count; i++) {
        out[i] = (struct about_contact){.field = field, .address = addresses[i]};
    }
    return count;
}

struct blob *process_about(const struct conf *conf)
{
    struct about_contact contacts[PURPOSE_COUNT * CONF_CONTACTS_MAX];
    const struct conf_about *about = &conf->about;
    size_t count = 0;

#define PURPOSE(name)                                                                              \
    count += add_contacts(#name "-addresses", about->name, about->name##_count, &contacts[count]);
    CONF_PURPOSES_MAP(PURPOSE)
#undef PURPOSE
    return about_new(about->version == CONF_YES, contacts, count);
}

size_t process_first_members(const struct conf *conf, struct rlog_member out[RLOG_MEMBERS_MAX])
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
