/* Verbs about the nodes as members: who they are, and the changes that an operator asks for. What
 * the state knows is checked here; what the answers of the voters decide, by the leader
 * (raft/member). */
#include "node/admin/member_item.h"
#include "node/admin/verbs.h"
#include "node/base/mem.h"

/* ---- node.list */

static json_t *list_item(const struct members *members, const struct member_view *member)
{
    const struct rlog_peer_status *peer = member->peer;
    const Pb__NodeRow *row = member->row;

    return json_pack(
        "{s:I,s:s,s:s,s:b,s:s,s:b,s:b,s:I,s:I}", "node", (json_int_t)peer->node_id, "name",
        row == NULL ? "" : row->name, "role", member_role_text(members, member), "witness",
        (int)(row != NULL && row->witness), "address", peer->address, "connected",
        (int)peer->connected, "up", (int)member->is_up, "incarnation",
        (json_int_t)(row == NULL ? 0 : row->incarnation), "raft_id", (json_int_t)peer->raft_id);
}

static void read_members(struct request *request, struct core *core)
{
    json_t *rows = json_array();
    struct members members;

    members_read(core, &members);
    for (size_t i = 0; i < members.count; i++) {
        (void)json_array_append_new(rows, list_item(&members, &members.items[i]));
    }
    request->result = json_pack("{s:o}", "nodes", rows);
}

void verb_node_list(struct request *request)
{
    request_read_state(request, read_members);
}

/* ---- refusals */

/* The member that is meant; NULL: refused. */
static const struct rlog_peer_status *find_member(struct request *request,
                                                  const struct rlog_status *log)
{
    json_int_t node = request_number(request, "node", 0);

    for (size_t i = 0; i < log->peer_count; i++) {
        if (log->peers[i].node_id == node) {
            return &log->peers[i];
        }
    }
    request_deny(request, ERR_NOT_FOUND, "node %lld is no member", (long long)node);
    return NULL;
}

/* Raft thread: give a refusal of the leader the words of the verb, if it has some. */
static void on_log_done(struct request *request, int status, int code, const char *text)
{
    if (status == code) {
        request->fault = mem_strdup(text);
    }
    request_on_log_done(request, status);
}

/* ---- node.remove */

struct seat {
    uint32_t node;
    const char *group; /* NULL: it is in none */
    bool is_enabled;
};

static bool find_seat(void *ctx, const char *name, const Pb__GroupRow *row)
{
    struct seat *seat = ctx;

    for (size_t i = 0; i < row->n_nodes; i++) {
        if (row->nodes[i] == seat->node) {
            seat->group = name;
            seat->is_enabled = row->ha_enabled;
            return false;
        }
    }
    return true;
}

static bool is_last_to_serve(struct core *core, const struct rlog_status *log, uint32_t node)
{
    for (size_t i = 0; i < log->peer_count; i++) {
        uint32_t other = log->peers[i].node_id;
        const Pb__NodeRow *row = state_node(core_state(core), core_arena(core), other);

        if (other != node && row != NULL && row->client_address[0] != '\0') {
            return false;
        }
    }
    return true;
}

static void read_removal(struct request *request, struct core *core)
{
    const struct rlog_peer_status *peer;
    struct rlog_status log;
    struct seat seat = {0};

    rlog_get_status(core_log(core), &log);
    peer = find_member(request, &log);
    if (peer == NULL) {
        return;
    }
    seat.node = peer->node_id;
    state_each_group(core_state(core), core_arena(core), find_seat, &seat);
    if (seat.group != NULL && seat.is_enabled) {
        request_deny(request, ERR_NOT_ALLOWED,
                     "node %u is in group %s, which is enabled; first: group disable %s, group "
                     "remove-node %s %u",
                     seat.node, seat.group, seat.group, seat.group, seat.node);
    } else if (is_last_to_serve(core, &log, seat.node)) {
        request_deny(request, ERR_NOT_ALLOWED, "no other node is known that serves clients");
    } else if (seat.node == request->admin->node_id) {
        request_deny(request, ERR_NOT_ALLOWED,
                     "a node that goes cannot tell how it went: ask another one");
    } else {
        request->raft_id = peer->raft_id;
        request->result = json_pack("{s:I,s:s}", "node", (json_int_t)seat.node, "group",
                                    seat.group == NULL ? "" : seat.group);
    }
}

static void on_removed(void *ctx, int status)
{
    on_log_done(ctx, status, ERR_NO_MAJORITY,
                "of the voters that would be left no majority answers; first: start those that are "
                "down, or remove them");
}

static void remove_member(struct request *request)
{
    rlog_member_remove(core_log(request->admin->core), request->raft_id, on_removed, request);
}

void verb_node_remove(struct request *request)
{
    uint32_t node;

    if (request_node(request, &node)) {
        request_read_then(request, read_removal, remove_member);
    }
}

/* ---- node.promote */

static size_t count_voters(const struct rlog_status *log)
{
    size_t voters = 0;

    for (size_t i = 0; i < log->peer_count; i++) {
        voters += log->peers[i].role == RLOG_VOTER;
    }
    return voters;
}

static void read_promotion(struct request *request, struct core *core)
{
    const struct rlog_peer_status *peer;
    struct rlog_status log;

    rlog_get_status(core_log(core), &log);
    peer = find_member(request, &log);
    if (peer == NULL) {
        return;
    }
    if (peer->role == RLOG_VOTER) {
        request_deny(request, ERR_EXISTS, "node %u is a voter", peer->node_id);
    } else if (peer->role == RLOG_SPARE) {
        request_deny(request, ERR_NOT_ALLOWED,
                     "node %u has not joined yet; when it is there it gets a role by itself",
                     peer->node_id);
    } else if (count_voters(&log) >= RLOG_VOTERS_MAX) {
        request_deny(request, ERR_LIMIT,
                     "there are %d voters, and no more can be; first: node remove one",
                     RLOG_VOTERS_MAX);
    } else if (!peer->connected) {
        request_deny(request, ERR_NOT_ALLOWED, "node %u is not connected", peer->node_id);
    } else {
        request->raft_id = peer->raft_id;
    }
}

static void on_promoted(void *ctx, int status)
{
    on_log_done(ctx, status, ERR_TIMEOUT, "it has not caught up with the log in a minute");
}

static void promote(struct request *request)
{
    rlog_member_assign(core_log(request->admin->core), request->raft_id, RLOG_VOTER, on_promoted,
                       request);
}

void verb_node_promote(struct request *request)
{
    uint32_t node;

    if (request_node(request, &node)) {
        request_read_then(request, read_promotion, promote);
    }
}
