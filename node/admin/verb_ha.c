/* Verbs about high availability: what the nodes of each group are to each other, and the requests
 * of the operator, which are granted by ha/pair. */
#include "node/admin/verbs.h"
#include "node/base/mem.h"
#include "node/core/pairs.h"

#include <string.h>

/* ---- ha.status */

static json_t *node_view(const struct pair_of_nodes *pair, size_t i)
{
    const Pb__NodeRow *row = pair->rows[i];
    struct pair_view view = pair_view(&pair->facts, i);

    return json_pack("{s:I,s:s,s:s,s:s}", "node", (json_int_t)row->node, "name", row->name, "state",
                     pair_state_text(view.state), "reason", pair_reason_text(view.reason));
}

static bool list_pair(void *ctx, const struct pair_of_nodes *pair)
{
    json_t *nodes = json_array();

    for (size_t i = 0; i < pair->count; i++) {
        (void)json_array_append_new(nodes, node_view(pair, i));
    }
    (void)json_array_append_new(ctx, json_pack("{s:s,s:b,s:o}", "group", pair->group, "ha_enabled",
                                               (int)pair->facts.is_enabled, "nodes", nodes));
    return true;
}

static void read_status(struct request *request, struct core *core)
{
    json_t *groups = json_array();

    pairs_each(core, list_pair, groups);
    request->result = json_pack("{s:o}", "groups", groups);
}

void verb_ha_status(struct request *request)
{
    request_read_state(request, read_status);
}

/* ---- requests */

struct asked {
    struct request *request;
    bool is_found;
};

static void refuse(struct request *request, int rc, const char *why)
{
    request->rc = rc;
    request->fault = mem_strdup(why);
}

static bool is_meant(const struct request *request, const struct pair_of_nodes *pair,
                     size_t *node_out)
{
    *node_out = 0;
    if (request->kind == PAIR_RECOVER) {
        return pair->count > 0 && strcmp(pair->group, request_text(request, "group")) == 0;
    }
    for (size_t i = 0; i < pair->count; i++) {
        if (pair->rows[i]->node == request_number(request, "node", 0)) {
            *node_out = i;
            return true;
        }
    }
    return false;
}

static bool judge(void *ctx, const struct pair_of_nodes *pair)
{
    struct asked *asked = ctx;
    struct request *request = asked->request;
    struct pair_move move;
    const char *refusal;
    size_t node;

    if (!is_meant(request, pair, &node)) {
        return true;
    }
    asked->is_found = true;
    refusal = pair_grant(&pair->facts, (enum pair_request)request->kind, node, &move);
    if (refusal != NULL) {
        refuse(request, ERR_NOT_ALLOWED, refusal);
    } else {
        request->move = pairs_move(pair, &move);
    }
    return false;
}

static void read_grant(struct request *request, struct core *core)
{
    struct asked asked = {.request = request};

    pairs_each(core, judge, &asked);
    if (!asked.is_found) {
        refuse(request, ERR_NOT_FOUND,
               request->kind == PAIR_RECOVER ? "no such group with nodes"
                                             : "the node is in no group");
    }
}

static void submit_move(struct request *request)
{
    Pb__Command command = PB__COMMAND__INIT;

    command.body_case = PB__COMMAND__BODY_NODE_MOVE;
    command.node_move = &request->move;
    request_submit(request, &command);
}

static void ask(struct request *request, enum pair_request kind)
{
    json_int_t node = request_number(request, "node", 0);

    if (kind == PAIR_RECOVER && request_text(request, "group") == NULL) {
        request_fail_usage(request, "group is needed");
        return;
    }
    if (kind != PAIR_RECOVER && (node <= 0 || node > INT32_MAX)) {
        request_fail_usage(request, "node must be a node id");
        return;
    }
    request->kind = kind;
    request_read_then(request, read_grant, submit_move);
}

void verb_ha_failover(struct request *request)
{
    ask(request, PAIR_FAILOVER);
}

void verb_ha_fallback(struct request *request)
{
    ask(request, PAIR_FALLBACK);
}

void verb_ha_recover(struct request *request)
{
    ask(request, PAIR_RECOVER);
}
