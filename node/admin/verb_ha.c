/* Verbs about high availability: what the nodes of each group are to each other, the requests of
 * the operator, which are granted by ha/pair, and what they would do. */
#include "node/admin/verbs.h"
#include "node/core/members.h"
#include "node/core/moving.h"
#include "node/core/pairs.h"

#include <string.h>

/* ---- ha.status */

static json_t *counts_view(const Pb__MoveCounts *counts)
{
    static const Pb__MoveCounts none = PB__MOVE_COUNTS__INIT;

    counts = counts == NULL ? &none : counts;
    return json_pack("{s:I,s:I,s:I,s:I,s:I}", "found", (json_int_t)counts->found, "dropped",
                     (json_int_t)counts->dropped, "moved", (json_int_t)counts->moved, "returned",
                     (json_int_t)counts->returned, "ended", (json_int_t)counts->ended);
}

struct status {
    struct core *core;
    json_t *groups;
};

static json_t *node_view(const struct pair_of_nodes *pair, size_t i, bool is_member)
{
    const Pb__NodeRow *row = pair->rows[i];
    struct pair_view view = pair_view(&pair->facts, i);

    return json_pack("{s:I,s:s,s:b,s:s,s:s,s:I,s:b,s:b,s:I,s:o}", "node", (json_int_t)row->node,
                     "name", row->name, "member", (int)is_member, "state",
                     pair_state_text(view.state), "reason", pair_reason_text(view.reason),
                     "since_ms", (json_int_t)view.since_ms, "drained", (int)row->drained, "moving",
                     (int)pair->facts.nodes[i].is_moving, "moves", (json_int_t)row->moves,
                     "sessions", counts_view(row->counts));
}

static bool list_pair(void *ctx, const struct pair_of_nodes *pair)
{
    const struct status *status = ctx;
    json_t *nodes = json_array();

    for (size_t i = 0; i < pair->count; i++) {
        const enum members_tie tie = members_tie(status->core, pair->rows[i]);

        if (tie != TIE_NONE) {
            (void)json_array_append_new(nodes, node_view(pair, i, tie == TIE_MEMBER));
        }
    }
    (void)json_array_append_new(status->groups,
                                json_pack("{s:s,s:b,s:o}", "group", pair->group, "ha_enabled",
                                          (int)pair->facts.is_enabled, "nodes", nodes));
    return true;
}

static void read_status(struct request *request, struct core *core)
{
    struct status status = {.core = core, .groups = json_array()};

    pairs_each(core, list_pair, &status);
    request->result = json_pack("{s:o,s:I}", "groups", status.groups, "time_ms",
                                (json_int_t)state_time_ms(core_state(core)));
}

void verb_ha_status(struct request *request)
{
    request_read_state(request, read_status);
}

/* ---- requests */

#define RATE_MAX 100000

struct asked {
    struct request *request;
    bool is_found;
};

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

/* Who is drained is about to be stopped: would the rest go on? */
static bool holds_majority(struct request *request, struct core *core)
{
    struct rlog_status log;
    size_t voters = 0;
    size_t answering = 0;

    rlog_get_status(core_log(core), &log);
    for (size_t i = 0; i < log.peer_count; i++) {
        const struct rlog_peer_status *peer = &log.peers[i];

        if (peer->role == RLOG_VOTER) {
            voters++;
            answering += peer->node_id != request_number(request, "node", 0) &&
                         (peer->connected || peer->node_id == request->admin->node_id);
        }
    }
    return answering > voters / 2;
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
        request_deny(request, refusal == pair_node_starts ? ERR_STARTING : ERR_NOT_ALLOWED, "%s",
                     refusal);
    } else {
        const size_t mover = move.away || pair->count < PAIR_NODES ? node : 1 - node;

        request->move = pairs_move(pair, &move);
        request->plan.mover = pair->rows[mover]->incarnation;
        request->plan.mover_node = pair->rows[mover]->node;
    }
    return false;
}

static void read_grant(struct request *request, struct core *core)
{
    struct asked asked = {.request = request};

    pairs_each(core, judge, &asked);
    if (!asked.is_found) {
        request_deny(request, ERR_NOT_FOUND, "%s",
                     request->kind == PAIR_RECOVER ? "no such group with nodes"
                                                   : "there is no such node");
    } else if (request->rc == 0 && request->kind == PAIR_DRAIN && !holds_majority(request, core)) {
        request_deny(request, ERR_NO_MAJORITY, "without the node there would be no majority");
    }
}

static void submit_move(struct request *request)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__MoveAbort abort = PB__MOVE_ABORT__INIT;

    if (request->kind == PAIR_ABORT) {
        abort.node = request->move.node;
        abort.moves = request->move.moves;
        command.body_case = PB__COMMAND__BODY_MOVE_ABORT;
        command.move_abort = &abort;
    } else {
        request->move.rate = (uint32_t)request_number(request, "rate", 0);
        request->move.deadline_s = (uint32_t)request_number(request, "deadline_s", 0);
        command.body_case = PB__COMMAND__BODY_NODE_MOVE;
        command.node_move = &request->move;
    }
    request_submit(request, &command);
}

static bool is_within(const struct request *request, const char *name, json_int_t max)
{
    json_int_t number = request_number(request, name, 0);

    return number >= 0 && number <= max;
}

/* False: the request has failed. */
static bool check_args(struct request *request, enum pair_request kind)
{
    uint32_t node;

    if (kind == PAIR_RECOVER && request_text(request, "group") == NULL) {
        request_fail_usage(request, "group is needed");
        return false;
    }
    if (kind != PAIR_RECOVER && !request_node(request, &node)) {
        return false;
    }
    if (!is_within(request, "rate", RATE_MAX) ||
        !is_within(request, "deadline_s", STATE_MOVE_DEADLINE_S_MAX)) {
        request_fail_usage(request, "rate or deadline_s is out of range");
        return false;
    }
    request->kind = kind;
    return true;
}

static void ask(struct request *request, enum pair_request kind)
{
    if (check_args(request, kind)) {
        request_read_then(request, read_grant, submit_move);
    }
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

void verb_ha_drain(struct request *request)
{
    ask(request, PAIR_DRAIN);
}

void verb_ha_abort(struct request *request)
{
    ask(request, PAIR_ABORT);
}

/* ---- ha.plan: what a request would do */

#define PLAN_ROWS 2000 /* a look: the state thread does nothing else meanwhile */

struct look {
    struct request *request;
    struct core *core;
    size_t rows;
};

static bool count_session(void *ctx, uint64_t session, const Pb__SessionRow *row)
{
    struct look *look = ctx;
    struct request *request = look->request;
    json_t *counts = request->result;
    const char *to;

    request->plan.next_session = session + 1;
    if (moving_drops(look->core, request->move.node, request->move.away, request->plan.mover,
                     row)) {
        to = state_address_for(core_state(look->core), core_arena(look->core), row->user,
                               request->plan.mover_node);
        (void)json_object_set_new(
            counts, to, json_integer(json_integer_value(json_object_get(counts, to)) + 1));
    }
    return ++look->rows < PLAN_ROWS;
}

static void read_sessions(struct request *request, struct core *core)
{
    struct look look = {.request = request, .core = core};

    state_each_session(core_state(core), core_arena(core), request->plan.next_session,
                       count_session, &look);
    request->plan.is_counted = look.rows < PLAN_ROWS;
}

static void count_on(struct request *request)
{
    if (request->plan.is_counted) {
        json_t *counts = request->result;

        request->result = NULL;
        request_ok(request, json_pack("{s:o}", "sessions", counts));
    } else {
        request_read_then(request, read_sessions, count_on);
    }
}

static void begin_count(struct request *request)
{
    request->result = json_object();
    request_read_then(request, read_sessions, count_on);
}

void verb_ha_plan(struct request *request)
{
    static const char *const names[PAIR_REQUESTS] = {
        [PAIR_FAILOVER] = "failover", [PAIR_FALLBACK] = "fallback", [PAIR_DRAIN] = "drain"};
    const char *wanted = request_text(request, "request");

    for (unsigned kind = 0; kind < PAIR_REQUESTS; kind++) {
        if (names[kind] != NULL && wanted != NULL && strcmp(names[kind], wanted) == 0) {
            if (check_args(request, (enum pair_request)kind)) {
                request_read_then(request, read_grant, begin_count);
            }
            return;
        }
    }
    request_fail_usage(request, "request is one of failover, fallback and drain");
}
