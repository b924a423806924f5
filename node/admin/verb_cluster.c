/* Verbs about the members of the cluster. */
#include "node/admin/verbs.h"
#include "node/base/address.h"
#include "node/base/clock.h"
#include "node/base/mem.h"
#include "node/core/members.h"

#include <stdio.h>
#include <string.h>

/* ---- cluster.status */

struct node_list {
    struct core *core;
    json_t *rows;
};

static bool list_node(void *ctx, const Pb__NodeRow *row)
{
    struct node_list *list = ctx;
    const bool is_up =
        state_is_up(core_state(list->core), core_arena(list->core), row->incarnation);
    const enum members_tie tie = members_tie(list->core, row);

    if (tie == TIE_NONE) {
        return true;
    }
    (void)json_array_append_new(
        list->rows,
        json_pack("{s:I,s:s,s:b,s:s,s:s,s:I,s:b,s:b}", "node", (json_int_t)row->node, "name",
                  row->name, "member", (int)(tie == TIE_MEMBER), "link_address", row->link_address,
                  "client_address", row->client_address, "incarnation",
                  (json_int_t)row->incarnation, "up", (int)is_up, "witness", (int)row->witness));
    return true;
}

static void read_nodes(struct request *request, struct core *core)
{
    struct node_list list = {.core = core, .rows = json_array()};
    struct rlog_status log;

    rlog_get_status(core_log(core), &log);
    state_each_node(core_state(core), core_arena(core), list_node, &list);
    request->result = json_pack("{s:I,s:I,s:o}", "leader", (json_int_t)log.leader_node, "term",
                                (json_int_t)log.term, "nodes", list.rows);
}

void verb_cluster_status(struct request *request)
{
    request_read_state(request, read_nodes);
}

/* ---- membership */

static const struct rlog_peer_status *find_member(const struct rlog_status *log, json_int_t node)
{
    for (size_t i = 0; i < log->peer_count; i++) {
        if (log->peers[i].node_id == node) {
            return &log->peers[i];
        }
    }
    return NULL;
}

static bool read_role(struct request *request, enum rlog_role *out)
{
    static const struct {
        const char *name;
        enum rlog_role role;
    } roles[] = {{"voter", RLOG_VOTER}, {"standby", RLOG_STANDBY}};
    const char *text = request_text(request, "role");

    for (size_t i = 0; text != NULL && i < ARRAY_COUNT(roles); i++) {
        if (strcmp(text, roles[i].name) == 0) {
            *out = roles[i].role;
            return true;
        }
    }
    request_fail_usage(request, "role must be voter or standby");
    return false;
}

/* A raft id is never used again, also not after its removal, of which no list is kept: wall seconds
 * as the membership number are above every earlier one. A removal within the same second, and a
 * clock that was set back, are caught by the highest number that the log has seen, or that was
 * given out here a moment ago. */
static uint64_t next_raft_id(struct admin *admin, const struct rlog_status *log, uint32_t node)
{
    uint32_t membership = (uint32_t)(clock_wall_ms() / 1000);

    if (membership <= log->membership_highest) {
        membership = log->membership_highest + 1;
    }
    if (membership <= admin->membership_last) {
        membership = admin->membership_last + 1;
    }
    admin->membership_last = membership;
    return (uint64_t)node << 32 | membership;
}

void verb_member_add(struct request *request)
{
    struct rlog *log = core_log(request->admin->core);
    const char *address = request_text(request, "address");
    json_int_t node = request_number(request, "node", 0);
    struct rlog_member member = {.role = RLOG_SPARE};
    struct rlog_status status;
    struct address parsed;

    if (node <= 0 || node > INT32_MAX || address == NULL || address_parse(address, &parsed) != 0) {
        request_fail_usage(request, "node and address (host:port) are needed");
        return;
    }
    rlog_get_status(log, &status);
    member.node_id = (uint32_t)node;
    member.raft_id = next_raft_id(request->admin, &status, member.node_id);
    (void)snprintf(member.address, sizeof(member.address), "%s", address);
    request->result = json_pack("{s:I,s:I}", "node", node, "raft_id", (json_int_t)member.raft_id);
    rlog_member_add(log, &member, request_on_log_done, request);
}

/* The member that "raft_id" or "node" names; 0: the request has failed already. A node that is not
 * yet told who the members are can still name a raft id. */
static uint64_t named_member(struct request *request)
{
    json_int_t raft_id = request_number(request, "raft_id", 0);
    const struct rlog_peer_status *peer;
    struct rlog_status status;

    if (raft_id > 0) {
        return (uint64_t)raft_id;
    }
    rlog_get_status(core_log(request->admin->core), &status);
    peer = find_member(&status, request_number(request, "node", 0));
    if (peer == NULL) {
        request_fail(request, ERR_NOT_FOUND, "no such member");
        return 0;
    }
    return peer->raft_id;
}

/* A voter whose vote is not on record could come back without its log, and vote a second time. */
static void read_vote(struct request *request, struct core *core)
{
    struct members members;

    members_read(core, &members);
    for (size_t i = 0; i < members.count; i++) {
        const struct member_view *member = &members.items[i];
        bool is_noted = member->row != NULL && member->row->voter_raft_id >= member->peer->raft_id;

        if (member->peer->raft_id == request->raft_id && member->peer->role == RLOG_VOTER &&
            !is_noted && request->kind != RLOG_VOTER &&
            members.log_version >= STATE_LOG_VERSION_VOTES) {
            request_deny(request, ERR_BUSY,
                         "the vote of node %u is not on record yet: ask again in a second",
                         member->peer->node_id);
        }
    }
}

static void assign(struct request *request)
{
    rlog_member_assign(core_log(request->admin->core), request->raft_id,
                       (enum rlog_role)request->kind, request_on_log_done, request);
}

void verb_member_assign(struct request *request)
{
    enum rlog_role role;
    uint64_t raft_id;

    if (!read_role(request, &role)) {
        return;
    }
    raft_id = named_member(request);
    if (raft_id != 0) {
        request->kind = role;
        request->raft_id = raft_id;
        request_read_then(request, read_vote, assign);
    }
}

void verb_member_remove(struct request *request)
{
    uint64_t raft_id = named_member(request);

    if (raft_id != 0) {
        rlog_member_remove(core_log(request->admin->core), raft_id, request_on_log_done, request);
    }
}

static void read_heir(struct request *request, struct core *core)
{
    const json_int_t node = request_number(request, "node", 0);
    const struct rlog_peer_status *peer;
    struct rlog_status status;

    rlog_get_status(core_log(core), &status);
    peer = find_member(&status, node);
    if (node != 0 && peer == NULL) {
        request_deny(request, ERR_NOT_FOUND, "node %lld is no member", (long long)node);
    } else if (node != 0 && peer->role != RLOG_VOTER) {
        request_deny(request, ERR_NOT_FOUND, "node %lld is no voter, so it cannot lead",
                     (long long)node);
    }
}

/* Raft thread. */
static void on_transferred(void *ctx, int status)
{
    struct request *request = ctx;

    if (status == ERR_NOT_FOUND) {
        request->fault = mem_strdup("there is no other voter to lead");
    }
    request_on_log_done(request, status);
}

static void transfer(struct request *request)
{
    rlog_transfer(core_log(request->admin->core), (uint32_t)request_number(request, "node", 0),
                  on_transferred, request);
}

void verb_cluster_transfer(struct request *request)
{
    json_int_t node = request_number(request, "node", 0);

    if (node < 0 || node > INT32_MAX) {
        request_fail_usage(request, "node must be a node id");
        return;
    }
    request_read_then(request, read_heir, transfer);
}
