/* Verbs about the homes of users. */
#include "node/admin/verbs.h"
#include "node/core/members.h"

#include <string.h>

static const char *const mode_names[] = {
    [PB__ASSIGN_MODE__BALANCED] = "balanced",
    [PB__ASSIGN_MODE__ACTIVE_STANDBY] = "active-standby",
    [PB__ASSIGN_MODE__NO_ASSIGNMENT] = "none",
};
static const char *const policy_names[] = {
    [PB__VISITOR_POLICY__ACCEPT] = "accept",
    [PB__VISITOR_POLICY__REDIRECT] = "redirect",
};

/* The position of name in a list; count when it is not there. */
static size_t find_name(const char *const *names, size_t count, const char *name)
{
    size_t i = 0;

    while (i < count && (name == NULL || strcmp(names[i], name) != 0)) {
        i++;
    }
    return i;
}

/* ---- assignment.show */

struct node_list {
    struct core *core;
    json_t *rows;
};

static bool list_node(void *ctx, const Pb__NodeRow *row)
{
    struct node_list *list = ctx;
    const enum members_tie tie = members_tie(list->core, row);

    if (tie != TIE_NONE) {
        (void)json_array_append_new(
            list->rows, json_pack("{s:I,s:b,s:I}", "node", (json_int_t)row->node, "member",
                                  (int)(tie == TIE_MEMBER), "users", (json_int_t)row->users));
    }
    return true;
}

static void read_assignment(struct request *request, struct core *core)
{
    const Pb__AssignmentRow *row = state_assignment(core_state(core), core_arena(core));
    struct node_list list = {.core = core, .rows = json_array()};

    state_each_node(core_state(core), core_arena(core), list_node, &list);
    request->result = json_pack("{s:s,s:s,s:o}", "mode", mode_names[row->mode], "policy",
                                policy_names[row->policy], "nodes", list.rows);
}

void verb_assignment_show(struct request *request)
{
    request_read_state(request, read_assignment);
}

/* ---- assignment.set: what is not given stays */

void verb_assignment_set(struct request *request)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__AssignmentSet set = PB__ASSIGNMENT_SET__INIT;
    const char *mode = request_text(request, "mode");
    const char *policy = request_text(request, "policy");
    size_t mode_number = find_name(mode_names, ARRAY_COUNT(mode_names), mode);
    size_t policy_number = find_name(policy_names, ARRAY_COUNT(policy_names), policy);

    if (mode != NULL && mode_number == ARRAY_COUNT(mode_names)) {
        request_fail_usage(request, "mode is balanced, active-standby or none");
        return;
    }
    if (policy != NULL && policy_number == ARRAY_COUNT(policy_names)) {
        request_fail_usage(request, "policy is accept or redirect");
        return;
    }
    set.sets_mode = mode != NULL;
    set.mode = mode == NULL ? 0 : (Pb__AssignMode)mode_number;
    set.sets_policy = policy != NULL;
    set.policy = policy == NULL ? 0 : (Pb__VisitorPolicy)policy_number;
    command.body_case = PB__COMMAND__BODY_ASSIGNMENT_SET;
    command.assignment_set = &set;
    request_submit(request, &command);
}

/* ---- assignment.plan, assignment.rebalance */

/* Asked for while nobody is assigned by itself: once, as if they were balanced. */
static Pb__AssignMode mode_to_plan(struct core *core)
{
    Pb__AssignMode mode = state_assignment(core_state(core), core_arena(core))->mode;

    return mode == PB__ASSIGN_MODE__NO_ASSIGNMENT ? PB__ASSIGN_MODE__BALANCED : mode;
}

static void read_plan(struct request *request, struct core *core)
{
    json_t *rows = json_array();
    struct state_rehoming *rehomings;
    size_t count = state_plan_rehomings(core_state(core), core_arena(core), mode_to_plan(core),
                                        LIST_ROWS_MAX + 1, &rehomings);

    for (size_t i = 0; i < count && i < LIST_ROWS_MAX; i++) {
        (void)json_array_append_new(rows, json_pack("{s:s,s:I,s:I}", "user", rehomings[i].user,
                                                    "from", (json_int_t)rehomings[i].from, "to",
                                                    (json_int_t)rehomings[i].to));
    }
    request->result = json_pack("{s:o,s:b}", "moves", rows, "more", (int)(count > LIST_ROWS_MAX));
}

void verb_assignment_plan(struct request *request)
{
    request_read_state(request, read_plan);
}

static void submit_rebalance(struct request *request)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Rebalance rebalance = PB__REBALANCE__INIT;

    rebalance.mode = (Pb__AssignMode)request->kind;
    rebalance.max = STATE_REHOMINGS_MAX;
    command.body_case = PB__COMMAND__BODY_REBALANCE;
    command.rebalance = &rebalance;
    request_submit(request, &command);
}

static void count_moved(struct request *request, const struct outcome *outcome)
{
    (void)json_object_set_new(request->result, "moved", json_integer((json_int_t)outcome->row));
}

static void read_mode(struct request *request, struct core *core)
{
    request->kind = mode_to_plan(core);
    request->result = json_object();
    request->count = count_moved;
}

/* At most STATE_REHOMINGS_MAX: who asks goes on asking until nobody moved. */
void verb_assignment_rebalance(struct request *request)
{
    request_read_then(request, read_mode, submit_rebalance);
}

/* ---- user.assign */

/* {jid, node}; node 0: by the mode. NULL: it is none. */
static Pb__UserHome *read_home(struct arena *arena, const json_t *row)
{
    const char *address = json_string_value(json_object_get(row, "jid"));
    const json_t *wanted = json_object_get(row, "node");
    json_int_t node = json_is_integer(wanted) ? json_integer_value(wanted) : -1;
    Pb__UserHome *home = arena_alloc(arena, sizeof(*home));
    struct buf text = BUF_EMPTY;
    struct jid user;

    if (address == NULL || jid_parse(slice_str(address), &user) != 0 || node < 0 ||
        node > INT32_MAX) {
        return NULL;
    }
    pb__user_home__init(home);
    jid_format_bare(&user, &text);
    home->user = arena_strndup(arena, buf_slice(&text));
    home->node = (uint32_t)node;
    buf_deinit(&text);
    return home;
}

static void explain_homes(struct request *request, struct core *core)
{
    const json_t *rows = json_object_get(request->args, "rows");
    const json_t *row = request->row == 0 ? NULL : json_array_get(rows, request->row - 1);
    const uint32_t node = (uint32_t)json_integer_value(json_object_get(row, "node"));
    const Pb__NodeRow *home = state_node(core_state(core), core_arena(core), node);

    if (row != NULL && request->rc == ERR_NOT_FOUND) {
        request_deny(request, request->rc, "there is no account %s",
                     json_string_value(json_object_get(row, "jid")));
    } else if (request->rc == ERR_NOT_ALLOWED && home == NULL) {
        request_deny(request, request->rc, "there is no node %u", node);
    } else if (request->rc == ERR_NOT_ALLOWED && home->witness) {
        request_deny(request, request->rc, "node %u is a witness, which serves nobody", node);
    } else if (request->rc == ERR_NOT_ALLOWED) {
        request_deny(request, request->rc, "node %u is in no group; first: group add-node GROUP %u",
                     node, node);
    }
}

static void submit_homes(struct request *request, struct arena *arena, const json_t *rows)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__HomeSet set = PB__HOME_SET__INIT;

    set.n_users = json_array_size(rows);
    set.users = arena_alloc(arena, set.n_users * sizeof(*set.users));
    for (size_t i = 0; i < set.n_users; i++) {
        set.users[i] = read_home(arena, json_array_get(rows, i));
        if (set.users[i] == NULL) {
            request->row = i + 1;
            request_fail_usage(request, "this row is no address with a node");
            return;
        }
    }
    command.body_case = PB__COMMAND__BODY_HOME_SET;
    command.home_set = &set;
    request->explain = explain_homes;
    request_submit(request, &command);
}

void verb_user_assign(struct request *request)
{
    const json_t *rows = json_object_get(request->args, "rows");
    size_t count = json_array_size(rows);
    struct arena arena;

    if (count == 0 || count > STATE_REHOMINGS_MAX) {
        request_fail_usage(request, "rows must be a list of 1 to 500 addresses with nodes");
        return;
    }
    arena_init(&arena);
    submit_homes(request, &arena, rows);
    arena_deinit(&arena);
}
