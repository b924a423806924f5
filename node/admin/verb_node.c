/* Verbs about the node itself and the cluster's state hash. */
#include "node/admin/member_item.h"
#include "node/admin/verbs.h"
#include "node/base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- node.status */

static json_t *peer_item(const struct rlog_peer_status *peer)
{
    return json_pack("{s:I,s:I,s:s,s:s,s:b,s:I,s:I,s:I}", "node", (json_int_t)peer->node_id,
                     "raft_id", (json_int_t)peer->raft_id, "role", member_role_name(peer->role),
                     "address", peer->address, "connected", peer->connected, "match_index",
                     (json_int_t)peer->match_index, "rtt_us", (json_int_t)peer->rtt_us,
                     "queue_bytes", (json_int_t)peer->queue_bytes);
}

static json_t *peers_list(const struct rlog_status *log)
{
    json_t *peers = json_array();

    for (size_t i = 0; i < log->peer_count; i++) {
        (void)json_array_append_new(peers, peer_item(&log->peers[i]));
    }
    return peers;
}

void verb_node_status(struct request *request)
{
    struct admin *admin = request->admin;
    struct core_status core;
    struct rlog_status log;
    json_t *result;

    core_get_status(admin->core, &core);
    rlog_get_status(core_log(admin->core), &log);
    result = json_pack(
        "{s:I,s:s,s:s,s:s,s:I,s:b,s:b,s:b,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "node",
        (json_int_t)admin->node_id, "cluster", admin->cluster, "domain", admin->domain, "version",
        MUSTER_VERSION, "pid", (json_int_t)getpid(), "witness", (int)admin->is_witness, "serving",
        core.serving, "lease", rlog_lease_held(core_log(admin->core)), "role",
        log.is_leader ? "leader" : "follower", "leader", (json_int_t)log.leader_node, "term",
        (json_int_t)log.term, "last_index", (json_int_t)log.last_index, "commit_index",
        (json_int_t)log.commit_index, "applied_index", (json_int_t)core.applied_index, "mark_index",
        (json_int_t)core.mark_index, "incarnation", (json_int_t)core.incarnation, "outstanding",
        (json_int_t)log.outstanding, "workers_hung", (json_int_t)core.workers_hung, "alarms",
        member_alarm_names(core_health(&core, &log).alarms), "peers", peers_list(&log));
    request_ok(request, result);
}

/* ---- state.hash, state.mark, state.scrub */

static void read_hash(struct request *request, struct core *core)
{
    struct core_hash hash = core_hash(core);
    const json_int_t wanted = request_number(request, "index", 0);
    char text[32];

    if (wanted != 0) {
        hash.mark_index = (uint64_t)wanted;
        if (!core_hash_at(core, hash.mark_index, &hash.hash)) {
            request->rc = ERR_NOT_FOUND;
            return;
        }
    }
    (void)snprintf(text, sizeof(text), "%016" PRIx64, hash.hash);
    request->result =
        json_pack("{s:I,s:I,s:s,s:b}", "node", (json_int_t)request->admin->node_id, "index",
                  (json_int_t)hash.mark_index, "hash", text, "current", hash.is_current);
}

/* Without an index it is the newest mark; 0 is none, so that read_hash() takes it for no index. */
void verb_state_hash(struct request *request)
{
    const json_t *index = json_object_get(request->args, "index");

    if (index != NULL && (!json_is_integer(index) || json_integer_value(index) <= 0)) {
        request_fail_usage(request,
                           "index must be a number from 1 on; without one it is the newest");
        return;
    }
    request_read_state(request, read_hash);
}

static void mark(struct request *request, struct core *core)
{
    if (!core_close_window(core)) {
        request->rc = ERR_NOT_LEADER;
    }
}

void verb_state_mark(struct request *request)
{
    request_read_state(request, mark);
}

static void read_scrub(struct request *request, struct core *core)
{
    const struct core_scrub scrub = core_scrub(core);

    if (scrub.status != 0 && scrub.status != ERR_CORRUPT) {
        request->rc = scrub.status;
        return;
    }
    request->result = json_pack("{s:I,s:I,s:s}", "node", (json_int_t)request->admin->node_id,
                                "index", (json_int_t)scrub.mark_index, "rows",
                                scrub.status == 0 ? "as written" : "differ");
}

void verb_state_scrub(struct request *request)
{
    request_scrub(request, read_scrub);
}

/* ---- reload, log.level */

void verb_reload(struct request *request)
{
    request_reload(request);
}

void verb_log_level(struct request *request)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    const char *wanted = request_text(request, "level");

    for (size_t i = 0; wanted != NULL && i < ARRAY_COUNT(names); i++) {
        if (strcmp(wanted, names[i]) == 0) {
            log_set_level((enum log_level)i);
            request_ok(request, NULL);
            return;
        }
    }
    request_fail_usage(request, "level must be debug, info, warn or error");
}
