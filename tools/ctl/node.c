/* musterctl node status: what one node says of itself, or all of a cluster side by side. */
#include "node/base/assert.h"
#include "node/base/mem.h"
#include "tools/ctl/ask.h"
#include "tools/ctl/print.h"

#include <stdio.h>

/* One row a node, also for those that cannot be asked; 0 as long as one could. */
static int status_rows(const struct options *options, const struct targets *targets,
                       json_t **rows_out)
{
    int codes[NODES_MAX];
    int worst = EXIT_OK;
    bool any = false;

    *rows_out = ask_each(options, targets, "node.status", NULL, codes);
    for (size_t i = 0; i < targets->count; i++) {
        if (codes[i] != 0) {
            (void)json_object_set_new(json_array_get(*rows_out, i), "role",
                                      json_string("unreachable"));
            worst = codes[i];
        }
        any = any || codes[i] == 0;
    }
    return any ? EXIT_OK : worst;
}

static void print_one_status(const json_t *status)
{
    static const struct column columns[] = {{"NODE", "node"},       {"ROLE", "role"},
                                            {"ADDRESS", "address"}, {"CONNECTED", "connected"},
                                            {"RTT_US", "rtt_us"},   {"MATCH", "match_index"}};
    const json_t *alarm;
    size_t i;

    print_object(status);
    json_array_foreach(json_object_get(status, "alarms"), i, alarm)
    {
        (void)printf("ALARM %s\n", json_string_value(alarm));
    }
    (void)putchar('\n');
    print_table(json_object_get(status, "peers"), columns, ARRAY_COUNT(columns));
}

static int show_one_status(const struct options *options, const struct target *target)
{
    json_t *status = NULL;
    char *fault = NULL;
    int code = ask_one(options, target, ASK_READ, "node.status", NULL, &status, &fault);

    if (code != 0) {
        ask_say(target, code, fault);
        mem_free(&fault);
        return code;
    }
    if (options->json) {
        print_json(status);
    } else {
        print_one_status(status);
    }
    json_decref(status);
    return 0;
}

static int show_all_status(const struct options *options, const struct targets *targets)
{
    static const struct column columns[] = {{"NODE", "node"},
                                            {"ROLE", "role"},
                                            {"SERVING", "serving"},
                                            {"WITNESS", "witness"},
                                            {"TERM", "term"},
                                            {"COMMITTED", "commit_index"},
                                            {"APPLIED", "applied_index"},
                                            {"ERROR", "error"}};
    json_t *rows = NULL;
    int code = status_rows(options, targets, &rows);

    if (options->json) {
        print_json(rows);
    } else {
        print_table(rows, columns, ARRAY_COUNT(columns));
    }
    json_decref(rows);
    return code;
}

/* The whole cluster even when it is one node: what --json prints depends on the question alone. */
int run_node_status(const struct options *options, char **arguments, int count)
{
    struct targets targets;
    int code = targets_find(options, &targets);

    (void)arguments;
    (void)count;
    if (code != 0) {
        return code;
    }
    if (options->cluster_dir != NULL && options->node == 0) {
        return show_all_status(options, &targets);
    }
    return show_one_status(options, &targets.items[0]);
}
