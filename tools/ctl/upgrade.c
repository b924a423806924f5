/* musterctl cluster upgrade-check: can the nodes be restarted one after the other now? */
#include "tools/ctl/ask.h"
#include "tools/ctl/print.h"

#include "node/base/assert.h"

#include <stdio.h>

static void print_check(const json_t *result)
{
    static const struct column columns[] = {{"NODE", "node"},           {"ROLE", "role"},
                                            {"VERSION", "version"},     {"COMMANDS", "log_version"},
                                            {"ROWS", "schema_version"}, {"LAG", "lag"},
                                            {"STATE", "state"}};

    print_table(json_object_get(result, "nodes"), columns, ARRAY_COUNT(columns));
    if (json_is_true(json_object_get(result, "safe"))) {
        (void)printf("safe: restart one node after the other, and check again before the next\n");
    }
}

static void say_reasons(const json_t *reasons)
{
    const json_t *reason;
    size_t i;

    json_array_foreach(reasons, i, reason)
    {
        (void)fprintf(stderr, "musterctl: %s\n", json_string_value(reason));
    }
}

int run_cluster_upgrade_check(const struct options *options, char **arguments, int count)
{
    json_t *result = NULL;
    int code = ask(options, ASK_READ, "cluster.upgrade-check", NULL, &result);

    (void)arguments;
    (void)count;
    if (code != 0) {
        return code;
    }
    if (options->json) {
        print_json(result);
    } else {
        print_check(result);
    }
    if (!json_is_true(json_object_get(result, "safe"))) {
        say_reasons(json_object_get(result, "reasons"));
        code = EXIT_REFUSED;
    }
    json_decref(result);
    return code;
}
