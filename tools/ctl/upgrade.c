/* musterctl cluster upgrade-check: can the nodes be restarted one after the other now?
 * upgrade-finish: they all run the newer program. */
#include "tools/ctl/ask.h"
#include "tools/ctl/print.h"

#include "node/base/assert.h"

#include <stdio.h>

/* A node before upgrade-finish was there does not say what is written. */
static void print_written(const json_t *result)
{
    json_int_t written = json_integer_value(json_object_get(result, "written"));
    json_int_t newest = json_integer_value(json_object_get(result, "newest"));
    const json_t *hindrances = json_object_get(result, "hindrances");
    const json_t *hindrance;
    size_t i;

    if (newest == 0) {
        return;
    }
    (void)printf("written: version %" JSON_INTEGER_FORMAT "\n", written);
    if (newest == written) {
        return;
    }
    json_array_foreach(hindrances, i, hindrance)
    {
        (void)printf("not %" JSON_INTEGER_FORMAT " yet: %s\n", newest,
                     json_string_value(hindrance));
    }
    if (json_array_size(hindrances) == 0) {
        (void)printf("all nodes read version %" JSON_INTEGER_FORMAT
                     ": cluster upgrade-finish lets them write it\n",
                     newest);
    }
}

static void print_check(const json_t *result)
{
    static const struct column columns[] = {{"NODE", "node"},       {"ROLE", "role"},
                                            {"VERSION", "version"}, {"READS", "log_version"},
                                            {"LAG", "lag"},         {"STATE", "state"}};

    print_table(json_object_get(result, "nodes"), columns, ARRAY_COUNT(columns));
    if (json_is_true(json_object_get(result, "safe"))) {
        (void)printf("safe: restart one node after the other, and check again before the next\n");
    }
    print_written(result);
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

int run_cluster_upgrade_finish(const struct options *options, char **arguments, int count)
{
    (void)arguments;
    (void)count;
    return ask_change(options, "cluster.upgrade-finish", NULL);
}
