/* Commands about the nodes as members of the cluster. */
#include "tools/ctl/arguments.h"
#include "tools/ctl/ask.h"
#include "tools/ctl/print.h"

#include "node/base/assert.h"

#include <stdio.h>

static void print_members(const json_t *result)
{
    static const struct column columns[] = {{"NODE", "node"},       {"NAME", "name"},
                                            {"ROLE", "role"},       {"WITNESS", "witness"},
                                            {"ADDRESS", "address"}, {"CONNECTED", "connected"},
                                            {"UP", "up"},           {"INCARNATION", "incarnation"}};

    print_table(json_object_get(result, "nodes"), columns, ARRAY_COUNT(columns));
}

int run_node_list(const struct options *options, char **arguments, int count)
{
    (void)arguments;
    (void)count;
    return ask_show(options, "node.list", NULL, print_members);
}

int run_node_promote(const struct options *options, char **arguments, int count)
{
    json_int_t node;

    (void)count;
    if (!arguments_read_node(arguments[0], &node)) {
        return EXIT_USAGE;
    }
    return ask_change(options, "node.promote", json_pack("{s:I}", "node", node));
}

static void print_removed(const json_t *result, json_int_t node)
{
    const char *group = json_string_value(json_object_get(result, "group"));

    (void)printf("Node %" JSON_INTEGER_FORMAT " is no member any more: stop musterd on it.\n",
                 node);
    if (group != NULL && group[0] != '\0') {
        (void)printf("Its place in group %s is kept: musterctl group remove-node %s "
                     "%" JSON_INTEGER_FORMAT "\n",
                     group, group, node);
    }
}

int run_node_remove(const struct options *options, char **arguments, int count)
{
    struct options asked = *options;
    json_t *result = NULL;
    json_int_t node;
    int code;

    (void)count;
    if (!arguments_read_node(arguments[0], &node)) {
        return EXIT_USAGE;
    }
    asked.not_node = (long)node;
    code = ask(&asked, ASK_CHANGE, "node.remove", json_pack("{s:I}", "node", node), &result);
    if (code == 0 && options->json) {
        print_json(result);
    } else if (code == 0) {
        print_removed(result, node);
    }
    json_decref(result);
    return code;
}
