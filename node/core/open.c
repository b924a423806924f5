/* What a core opens in the data directory, in this order: who this node is, store, log. */
#include "node/base/log.h"
#include "node/core/core_private.h"
#include "node/core/identity.h"
#include "storage/state/vet.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

static int make_dir(const char *data_dir, const char *name, char *path, size_t size)
{
    (void)snprintf(path, size, "%s%s%s", data_dir, *name == '\0' ? "" : "/", name);
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        log_error("core.mkdir_failed", LOG_STR("dir", path), LOG_INT("errno", errno));
        return ERR_IO;
    }
    return 0;
}

#define PATH_BYTES_MAX 1100

static int open_store(struct core *core, const struct core_config *config, const char *dir)
{
    struct kv_config kv = {.dir = dir,
                           .map_bytes = config->map_bytes,
                           .unwritten_bytes_max = config->unwritten_bytes_max,
                           .reserve_bytes = config->reserve_bytes,
                           .on_durable = inbox_on_durable,
                           .ctx = &core->inbox};
    int rc;

    state_describe(&kv);
    rc = kv_open(&kv, &core->kv);
    if (rc == 0) {
        core->state = state_new(core->kv);
        core_adopt_mark(core);
    }
    return rc;
}

/* What becomes of the identity when there is a log. */
struct beginning {
    struct identity *identity;
    const char *data_dir;
    const char *log_dir;
};

static int begin_log(void *ctx)
{
    struct beginning *beginning = ctx;

    return identity_begin(beginning->identity, beginning->data_dir, beginning->log_dir);
}

/* Who founds the cluster, if this node does and has not done so yet. */
static void set_founders(struct rlog_config *log, const struct core_config *config,
                         const struct identity *identity)
{
    log->is_founder = identity_is_founder(identity);
    if (identity->bootstrap) {
        log->bootstrap = config->peers;
        log->bootstrap_count = config->peer_count;
    }
}

static void set_store(struct rlog_config *log, const struct kv_mark *mark)
{
    log->applied_index = mark->index;
    log->applied_term = mark->term;
    log->applied_hash = mark->hash;
}

static int open_log(struct core *core, const struct core_config *config, const char *dir,
                    struct identity *identity)
{
    struct kv_mark mark;
    struct beginning beginning = {
        .identity = identity, .data_dir = config->data_dir, .log_dir = dir};
    struct rlog_config log = {.node_id = config->node_id,
                              .raft_id = identity->raft_id,
                              .dir = dir,
                              .address = config->link_address,
                              .bind = config->link_bind,
                              .ca_file = config->ca_file,
                              .cert_file = config->cert_file,
                              .key_file = config->key_file,
                              .peers = config->peers,
                              .peer_count = config->peer_count,
                              .heartbeat_ms = config->heartbeat_ms,
                              .election_ms = config->election_ms,
                              .lease_ms = config->lease_ms,
                              .snapshot_entries = config->snapshot_entries,
                              .applied_time_ms = state_time_ms(core->state),
                              .written_version =
                                  state_cluster(core->state, &core->arena)->log_version,
                              .newest_version = STATE_LOG_VERSION,
                              .vet = vet_command,
                              .extension = snapshot_extension(core->copies),
                              .begin = begin_log,
                              .begin_ctx = &beginning};
    const struct rlog_events events = inbox_log_events(&core->inbox);
    int rc;

    kv_durable_mark(core->kv, &mark);
    set_store(&log, &mark);
    set_founders(&log, config, identity);
    if (identity->member_count > 0) {
        log.peers = identity->members;
        log.peer_count = identity->member_count;
    }
    rc = rlog_start(&log, &events, &core->log);
    if (rc == 0) {
        snapshot_start(core->copies, core->log);
    }
    return rc;
}

int core_open_parts(struct core *core, const struct core_config *config)
{
    char state_dir[PATH_BYTES_MAX];
    char log_dir[PATH_BYTES_MAX];
    struct identity identity;
    int rc;

    rc = make_dir(config->data_dir, "", state_dir, sizeof(state_dir));
    if (rc == 0) {
        rc = make_dir(config->data_dir, "state", state_dir, sizeof(state_dir));
    }
    if (rc == 0) {
        rc = make_dir(config->data_dir, "raft", log_dir, sizeof(log_dir));
    }
    if (rc == 0) {
        rc = identity_open(config->data_dir, config->node_id, &identity);
    }
    if (rc == 0) {
        rc = identity_check_log(&identity, log_dir);
    }
    if (rc == 0) {
        rc = identity_clear_log(&identity, log_dir);
    }
    if (rc == 0) {
        rc = open_store(core, config, state_dir);
    }
    if (rc == 0) {
        core_open_copies(core, config->data_dir);
        rc = open_log(core, config, log_dir, &identity);
    }
    return rc;
}
