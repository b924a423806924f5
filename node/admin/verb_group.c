/* Verbs about redundancy groups. */
#include "node/admin/verbs.h"
#include "node/base/buf.h"

#include <string.h>

/* The argument "group"; NULL: the request has failed already. */
static char *group_name(struct request *request)
{
    const char *name = request_text(request, "group");

    if (name == NULL) {
        request_fail_usage(request, "group is needed");
    }
    return (char *)(uintptr_t)name; /* for protobuf-c, which reads it only */
}

/* ---- refusals */

/* What a command met: the group and the node that it names. */
struct look {
    const char *name;
    uint32_t node;             /* 0: it names none */
    const Pb__GroupRow *group; /* NULL: there is none of that name */
    const char *seat;          /* the group that the node is in; NULL: none */
};

static bool look_at(void *ctx, const char *name, const Pb__GroupRow *row)
{
    struct look *look = ctx;

    if (strcmp(name, look->name) == 0) {
        look->group = row;
    }
    for (size_t i = 0; i < row->n_nodes; i++) {
        if (row->nodes[i] == look->node) {
            look->seat = name;
        }
    }
    return true;
}

/* False: there is no group of that name, which is said. */
static bool find_group(struct request *request, struct core *core, struct look *look)
{
    *look = (struct look){.name = request_text(request, "group"),
                          .node = (uint32_t)request_number(request, "node", 0)};
    state_each_group(core_state(core), core_arena(core), look_at, look);
    if (look->group == NULL && request->rc == ERR_NOT_FOUND) {
        request_deny(request, request->rc, "no group is named %s", look->name);
    }
    return look->group != NULL;
}

static void explain_create(struct request *request, struct core *core)
{
    const char *name = request_text(request, "group");

    (void)core;
    if (request->rc == ERR_INVALID) {
        request_deny(request, request->rc,
                     "the name of a group is 1 to %d letters, digits, \".\", \"_\" and \"-\", and "
                     "does not begin with \"-\"",
                     STATE_GROUP_NAME_BYTES_MAX);
    } else if (request->rc == ERR_EXISTS) {
        request_deny(request, request->rc, "group %s exists already", name);
    } else if (request->rc == ERR_LIMIT) {
        request_deny(request, request->rc,
                     "there are %d groups, and no more can be; first: group delete GROUP",
                     STATE_GROUPS_MAX);
    }
}

static void explain_set(struct request *request, struct core *core)
{
    struct look look;

    if (find_group(request, core, &look) && request->rc == ERR_NOT_ALLOWED) {
        request_deny(
            request, request->rc,
            "group %s has %zu of the %d nodes that it needs; first: group add-node %s NODE",
            look.name, look.group->n_nodes, STATE_GROUP_NODES_MAX, look.name);
    }
}

static void explain_delete(struct request *request, struct core *core)
{
    struct buf first = BUF_EMPTY;
    struct look look;

    if (!find_group(request, core, &look) || request->rc != ERR_NOT_ALLOWED) {
        return;
    }
    if (look.group->ha_enabled) {
        buf_printf(&first, " group disable %s,", look.name);
    }
    for (size_t i = 0; i < look.group->n_nodes; i++) {
        buf_printf(&first, "%s group remove-node %s %u", i == 0 ? "" : ",", look.name,
                   look.group->nodes[i]);
    }
    request_deny(request, request->rc, "group %s has nodes; first:%s", look.name, buf_text(&first));
    buf_deinit(&first);
}

static void explain_add_node(struct request *request, struct core *core)
{
    struct look look;

    if (!find_group(request, core, &look)) {
        return;
    }
    if (request->rc == ERR_NOT_FOUND) {
        request_deny(request, request->rc, "there is no node %u", look.node);
    } else if (request->rc == ERR_NOT_ALLOWED) {
        request_deny(request, request->rc, "node %u is a witness, which stands in for nobody",
                     look.node);
    } else if (request->rc == ERR_LIMIT) {
        request_deny(request, request->rc,
                     "group %s has %zu nodes, and no more can be; first: group remove-node %s NODE",
                     look.name, look.group->n_nodes, look.name);
    } else if (request->rc == ERR_EXISTS && look.seat != NULL &&
               strcmp(look.seat, look.name) == 0) {
        request_deny(request, request->rc, "node %u is in group %s already", look.node, look.name);
    } else if (request->rc == ERR_EXISTS && look.seat != NULL) {
        request_deny(request, request->rc,
                     "node %u is in group %s already; first: group remove-node %s %u", look.node,
                     look.seat, look.seat, look.node);
    }
}

static void explain_remove_node(struct request *request, struct core *core)
{
    struct look look;

    if (!find_group(request, core, &look)) {
        return;
    }
    if (request->rc == ERR_NOT_FOUND) {
        request_deny(request, request->rc, "node %u is not in group %s", look.node, look.name);
    } else if (request->rc == ERR_NOT_ALLOWED) {
        request_deny(request, request->rc, "group %s is enabled; first: group disable %s",
                     look.name, look.name);
    }
}

/* ---- commands */

static void set_group(struct request *request, bool create, bool ha_enabled)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__GroupSet set = PB__GROUP_SET__INIT;

    request->explain = create ? explain_create : explain_set;
    set.name = group_name(request);
    set.create = create;
    set.ha_enabled = ha_enabled;
    command.body_case = PB__COMMAND__BODY_GROUP_SET;
    command.group_set = &set;
    if (set.name != NULL) {
        request_submit(request, &command);
    }
}

void verb_group_create(struct request *request)
{
    set_group(request, true, false);
}

void verb_group_enable(struct request *request)
{
    set_group(request, false, true);
}

void verb_group_disable(struct request *request)
{
    set_group(request, false, false);
}

void verb_group_delete(struct request *request)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__GroupRemove remove = PB__GROUP_REMOVE__INIT;

    request->explain = explain_delete;
    remove.name = group_name(request);
    command.body_case = PB__COMMAND__BODY_GROUP_REMOVE;
    command.group_remove = &remove;
    if (remove.name != NULL) {
        request_submit(request, &command);
    }
}

static void change_nodes(struct request *request, bool remove)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__GroupNode change = PB__GROUP_NODE__INIT;

    if (!request_node(request, &change.node)) {
        return;
    }
    request->explain = remove ? explain_remove_node : explain_add_node;
    change.name = group_name(request);
    change.remove = remove;
    command.body_case = PB__COMMAND__BODY_GROUP_NODE;
    command.group_node = &change;
    if (change.name != NULL) {
        request_submit(request, &command);
    }
}

void verb_group_add_node(struct request *request)
{
    change_nodes(request, false);
}

void verb_group_remove_node(struct request *request)
{
    change_nodes(request, true);
}

/* ---- group.list */

static bool list_group(void *ctx, const char *name, const Pb__GroupRow *row)
{
    json_t *nodes = json_array();

    for (size_t i = 0; i < row->n_nodes; i++) {
        (void)json_array_append_new(nodes, json_integer((json_int_t)row->nodes[i]));
    }
    (void)json_array_append_new(ctx, json_pack("{s:s,s:b,s:o}", "group", name, "ha_enabled",
                                               (int)row->ha_enabled, "nodes", nodes));
    return true;
}

static void read_groups(struct request *request, struct core *core)
{
    json_t *groups = json_array();

    state_each_group(core_state(core), core_arena(core), list_group, groups);
    request->result = json_pack("{s:o}", "groups", groups);
}

void verb_group_list(struct request *request)
{
    request_read_state(request, read_groups);
}
