/* Verbs about redundancy groups. */
#include "node/admin/verbs.h"

/* The argument "group"; NULL: the request has failed already. */
static char *group_name(struct request *request)
{
    const char *name = request_text(request, "group");

    if (name == NULL) {
        request_fail_usage(request, "group is needed");
    }
    return (char *)(uintptr_t)name; /* for protobuf-c, which reads it only */
}

static void set_group(struct request *request, bool create, bool ha_enabled)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__GroupSet set = PB__GROUP_SET__INIT;

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
