/* Commands about redundancy groups. */
#include "tools/ctl/arguments.h"
#include "tools/ctl/ask.h"
#include "tools/ctl/print.h"

#include "node/base/assert.h"

#include <stdio.h>
#include <string.h>

static int change(const struct options *options, const char *verb, const char *group)
{
    return ask_change(options, verb, json_pack("{s:s}", "group", group));
}

int run_group_create(const struct options *options, char **arguments, int count)
{
    (void)count;
    return change(options, "group.create", arguments[0]);
}

int run_group_delete(const struct options *options, char **arguments, int count)
{
    (void)count;
    return change(options, "group.delete", arguments[0]);
}

int run_group_enable(const struct options *options, char **arguments, int count)
{
    (void)count;
    return change(options, "group.enable", arguments[0]);
}

int run_group_disable(const struct options *options, char **arguments, int count)
{
    (void)count;
    return change(options, "group.disable", arguments[0]);
}

static int change_node(const struct options *options, const char *verb, char **arguments)
{
    json_int_t node;

    if (!arguments_read_node(arguments[1], &node)) {
        return EXIT_USAGE;
    }
    return ask_change(options, verb, json_pack("{s:s,s:I}", "group", arguments[0], "node", node));
}

int run_group_add_node(const struct options *options, char **arguments, int count)
{
    (void)count;
    return change_node(options, "group.add-node", arguments);
}

int run_group_remove_node(const struct options *options, char **arguments, int count)
{
    (void)count;
    return change_node(options, "group.remove-node", arguments);
}

/* ---- list, show */

/* Node ids in one cell of a table. */
static json_t *join_nodes(const json_t *nodes)
{
    char text[64] = "-";
    size_t len = 0;
    const json_t *node;
    size_t i;

    json_array_foreach(nodes, i, node)
    {
        int added = snprintf(text + len, sizeof(text) - len, "%s%" JSON_INTEGER_FORMAT,
                             i == 0 ? "" : " ", json_integer_value(node));

        len += added > 0 && (size_t)added < sizeof(text) - len ? (size_t)added : 0;
    }
    return json_string(text);
}

static void print_groups(const json_t *groups)
{
    static const struct column columns[] = {
        {"GROUP", "group"}, {"HA", "ha_enabled"}, {"NODES", "nodes"}};
    json_t *rows = json_array();
    const json_t *group;
    size_t i;

    json_array_foreach(groups, i, group)
    {
        json_t *row = json_copy((json_t *)(uintptr_t)group);

        (void)json_object_set_new(row, "nodes", join_nodes(json_object_get(group, "nodes")));
        (void)json_array_append_new(rows, row);
    }
    print_table(rows, columns, ARRAY_COUNT(columns));
    json_decref(rows);
}

/* The groups, all or the one of that name. NULL: code_out says why, and the user has been told. */
static json_t *fetch_groups(const struct options *options, const char *name, int *code_out)
{
    json_t *result = NULL;
    json_t *wanted = json_array();
    json_t *group;
    size_t i;

    *code_out = ask(options, ASK_READ, "group.list", NULL, &result);
    json_array_foreach(json_object_get(result, "groups"), i, group)
    {
        if (name == NULL || strcmp(name, json_string_value(json_object_get(group, "group"))) == 0) {
            (void)json_array_append(wanted, group);
        }
    }
    json_decref(result);
    if (*code_out == 0 && name != NULL && json_array_size(wanted) == 0) {
        (void)fprintf(stderr, "musterctl: no group is named %s\n", name);
        *code_out = EXIT_REFUSED;
    }
    if (*code_out != 0) {
        json_decref(wanted);
        return NULL;
    }
    return wanted;
}

int run_group_list(const struct options *options, char **arguments, int count)
{
    int code;
    json_t *groups = fetch_groups(options, NULL, &code);

    (void)arguments;
    (void)count;
    if (groups == NULL) {
        return code;
    }
    if (options->json) {
        print_json_take(json_pack("{s:O}", "groups", groups));
    } else {
        print_groups(groups);
    }
    json_decref(groups);
    return 0;
}

int run_group_show(const struct options *options, char **arguments, int count)
{
    int code;
    json_t *groups = fetch_groups(options, arguments[0], &code);

    (void)count;
    if (groups == NULL) {
        return code;
    }
    if (options->json) {
        print_json(json_array_get(groups, 0));
    } else {
        print_groups(groups);
    }
    json_decref(groups);
    return 0;
}
