/* musterctl replication: how far each node is, and whether one that is not current is an alarm. */
#include "tools/ctl/ask.h"
#include "tools/ctl/print.h"

#include "node/base/assert.h"

#include <stdio.h>
#include <string.h>

static void print_members(const json_t *result)
{
    static const struct column columns[] = {{"NODE", "node"},
                                            {"ROLE", "role"},
                                            {"TERM", "term"},
                                            {"LOG", "last_index"},
                                            {"APPLIED", "applied_index"},
                                            {"DURABLE", "durable_index"},
                                            {"LAG", "lag"},
                                            {"RTT_US", "rtt_us"},
                                            {"QUEUE", "queue_bytes"},
                                            {"SESSIONS", "sessions"},
                                            {"STATE", "state"}};

    print_table(json_object_get(result, "nodes"), columns, ARRAY_COUNT(columns));
}

int run_replication_runtimestate(const struct options *options, char **arguments, int count)
{
    (void)arguments;
    (void)count;
    return ask_show(options, "replication.state", NULL, print_members);
}

static int show_monitor(const struct options *options)
{
    json_t *result = NULL;
    int code = ask(options, ASK_READ, "replication.state", NULL, &result);
    json_t *setting = json_object_get(result, "monitor");

    if (code == 0 && options->json) {
        print_json_take(json_pack("{s:O}", "monitor", setting));
    } else if (code == 0) {
        (void)printf("%s\n", json_string_value(setting));
    }
    json_decref(result);
    return code;
}

int run_replication_monitor(const struct options *options, char **arguments, int count)
{
    bool enables = strcmp(arguments[0], "enable") == 0;

    (void)count;
    if (strcmp(arguments[0], "show") == 0) {
        return show_monitor(options);
    }
    if (!enables && strcmp(arguments[0], "disable") != 0) {
        (void)fprintf(stderr, "musterctl: \"%s\": enable, disable or show\n", arguments[0]);
        return EXIT_USAGE;
    }
    return ask_change(options, "replication.monitor", json_pack("{s:b}", "enabled", (int)enables));
}
