/* Commands about high availability. */
#include "tools/ctl/arguments.h"
#include "tools/ctl/ask.h"
#include "tools/ctl/print.h"

#include "node/base/assert.h"

#include <stdio.h>
#include <string.h>

/* ---- status */

/* One row a node, with its group beside it. */
static json_t *status_rows(const json_t *groups, const char *only)
{
    json_t *rows = json_array();
    json_t *group;
    json_t *node;
    size_t i;
    size_t j;

    json_array_foreach(groups, i, group)
    {
        const char *name = json_string_value(json_object_get(group, "group"));

        if (only != NULL && strcmp(only, name) != 0) {
            continue;
        }
        json_array_foreach(json_object_get(group, "nodes"), j, node)
        {
            json_t *row = json_copy(node);

            (void)json_object_set_new(row, "group", json_string(name));
            (void)json_array_append_new(rows, row);
        }
    }
    return rows;
}

int run_ha_status(const struct options *options, char **arguments, int count)
{
    static const struct column columns[] = {{"GROUP", "group"},
                                            {"NODE", "node"},
                                            {"NAME", "name"},
                                            {"STATE", "state"},
                                            {"REASON", "reason"}};
    json_t *result = NULL;
    json_t *rows;
    int code = ask(options, ASK_READ, "ha.status", NULL, &result);

    if (code != 0) {
        return code;
    }
    rows = status_rows(json_object_get(result, "groups"), count == 0 ? NULL : arguments[0]);
    if (count > 0 && json_array_size(rows) == 0) {
        (void)fprintf(stderr, "musterctl: no group with nodes is named %s\n", arguments[0]);
        code = EXIT_REFUSED;
    } else if (options->json) {
        print_json_take(json_pack("{s:O}", "nodes", rows));
    } else {
        print_table(rows, columns, ARRAY_COUNT(columns));
    }
    json_decref(rows);
    json_decref(result);
    return code;
}

/* ---- requests */

static int ask_about_node(const struct options *options, const char *verb, const char *text)
{
    json_int_t node;

    if (!arguments_read_node(text, &node)) {
        return EXIT_USAGE;
    }
    return ask_change(options, verb, json_pack("{s:I}", "node", node));
}

int run_ha_failover(const struct options *options, char **arguments, int count)
{
    (void)count;
    return ask_about_node(options, "ha.failover", arguments[0]);
}

int run_ha_fallback(const struct options *options, char **arguments, int count)
{
    (void)count;
    return ask_about_node(options, "ha.fallback", arguments[0]);
}

int run_ha_recover(const struct options *options, char **arguments, int count)
{
    (void)count;
    return ask_change(options, "ha.recover", json_pack("{s:s}", "group", arguments[0]));
}
