/* musterctl node status, state hash, state scrub, state mark: commands that look at several nodes
 * side by side. */
#include "node/base/assert.h"
#include "node/base/clock.h"
#include "node/base/mem.h"
#include "tools/ctl/ask.h"
#include "tools/ctl/print.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STATUS_POLL_MS 100

/* ---- node status */

/* One row a node, also for those that cannot be asked; 0 as long as one could. */
static int status_rows(const struct options *options, const struct targets *targets, json_t *rows)
{
    int worst = EXIT_OK;
    bool any = false;

    for (size_t i = 0; i < targets->count; i++) {
        json_t *row = NULL;
        char *fault = NULL;
        int code =
            ask_one(options, &targets->items[i], ASK_READ, "node.status", NULL, &row, &fault);

        if (code != 0) {
            row = json_pack("{s:I,s:s,s:s}", "node", (json_int_t)targets->items[i].node, "role",
                            "unreachable", "error", fault);
            mem_free(&fault);
            worst = code;
        }
        any = any || code == 0;
        (void)json_array_append_new(rows, row);
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
                                            {"TERM", "term"},
                                            {"COMMITTED", "commit_index"},
                                            {"APPLIED", "applied_index"},
                                            {"ERROR", "error"}};
    json_t *rows = json_array();
    int code = status_rows(options, targets, rows);

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

/* ---- state hash: all nodes at the same mark */

/* Ask all nodes for their hash at index, 0 for the newest. Nodes that cannot be asked get an
 * "error"; *behind_out: some node does not know this mark. */
static json_t *hash_rows(const struct options *options, const struct targets *targets,
                         json_int_t index, bool *behind_out)
{
    json_t *rows = json_array();

    *behind_out = false;
    for (size_t i = 0; i < targets->count; i++) {
        json_t *args = index == 0 ? NULL : json_pack("{s:I}", "index", index);
        json_t *row = NULL;
        char *fault = NULL;
        int code = ask_one(options, &targets->items[i], ASK_READ, "state.hash", args, &row, &fault);

        if (code != 0) {
            row =
                json_pack("{s:I,s:s}", "node", (json_int_t)targets->items[i].node, "error", fault);
            mem_free(&fault);
            *behind_out = *behind_out || code == EXIT_REFUSED;
        }
        (void)json_array_append_new(rows, row);
    }
    return rows;
}

static json_int_t lowest_index(const json_t *rows)
{
    json_int_t lowest = 0;
    const json_t *row;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        json_int_t index = json_integer_value(json_object_get(row, "index"));

        if (index != 0 && (lowest == 0 || index < lowest)) {
            lowest = index;
        }
    }
    return lowest;
}

static int compare(const json_t *rows)
{
    const char *first = NULL;
    const json_t *row;
    size_t i;
    int code = EXIT_OK;

    json_array_foreach(rows, i, row)
    {
        const char *hash = json_string_value(json_object_get(row, "hash"));

        if (hash == NULL) {
            code = code == EXIT_OK ? EXIT_UNREACHABLE : code;
        } else if (first == NULL) {
            first = hash;
        } else if (strcmp(first, hash) != 0) {
            code = EXIT_REFUSED;
        }
    }
    return code;
}

/* The newest mark that all reachable nodes know: they write marks at different moments. */
static json_t *comparable_rows(const struct options *options, const struct targets *targets)
{
    const uint64_t deadline_ms = clock_mono_ms() + (uint64_t)options->timeout_s * 1000;

    for (;;) {
        bool behind = false;
        json_t *rows = hash_rows(options, targets, 0, &behind);
        json_int_t index = lowest_index(rows);

        json_decref(rows);
        rows = hash_rows(options, targets, index, &behind);
        if (!behind || clock_mono_ms() >= deadline_ms) {
            return rows;
        }
        json_decref(rows);
        (void)usleep(STATUS_POLL_MS * 1000);
    }
}

int run_state_hash(const struct options *options, char **arguments, int count)
{
    static const struct column columns[] = {
        {"NODE", "node"}, {"MARK", "index"}, {"HASH", "hash"}, {"ERROR", "error"}};
    struct targets targets;
    json_t *rows;
    int code = targets_find(options, &targets);

    (void)arguments;
    (void)count;
    if (code != 0) {
        return code;
    }
    rows = comparable_rows(options, &targets);
    code = compare(rows);
    if (options->json) {
        print_json(rows);
    } else {
        print_table(rows, columns, ARRAY_COUNT(columns));
    }
    if (code == EXIT_REFUSED) {
        (void)fprintf(stderr, "musterctl: the nodes differ\n");
    }
    json_decref(rows);
    return code;
}

/* ---- state scrub: the rows on disk of each node, one after the other */

static json_t *scrub_rows(const struct options *options, const struct targets *targets,
                          int *code_out)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < targets->count; i++) {
        json_t *row = NULL;
        char *fault = NULL;
        int code =
            ask_one(options, &targets->items[i], ASK_READ, "state.scrub", NULL, &row, &fault);

        if (code != 0) {
            row =
                json_pack("{s:I,s:s}", "node", (json_int_t)targets->items[i].node, "error", fault);
            mem_free(&fault);
            *code_out = *code_out == EXIT_OK ? EXIT_UNREACHABLE : *code_out;
        } else if (strcmp(json_string_value(json_object_get(row, "rows")), "differ") == 0) {
            *code_out = EXIT_REFUSED;
        }
        (void)json_array_append_new(rows, row);
    }
    return rows;
}

/* An idle cluster makes no marks, so what was found is said here and not only voted on there. */
int run_state_scrub(const struct options *options, char **arguments, int count)
{
    static const struct column columns[] = {
        {"NODE", "node"}, {"MARK", "index"}, {"ROWS", "rows"}, {"ERROR", "error"}};
    struct targets targets;
    json_t *rows;
    int code = targets_find(options, &targets);

    (void)arguments;
    (void)count;
    if (code != 0) {
        return code;
    }
    rows = scrub_rows(options, &targets, &code);
    if (options->json) {
        print_json(rows);
    } else {
        print_table(rows, columns, ARRAY_COUNT(columns));
    }
    if (code == EXIT_REFUSED) {
        (void)fprintf(stderr, "musterctl: rows on disk differ from what was written; with the next "
                              "change a node that a majority outvotes stops\n");
    }
    json_decref(rows);
    return code;
}

/* ---- state mark: only the leader can */

int run_state_mark(const struct options *options, char **arguments, int count)
{
    struct targets targets;
    int code = targets_find(options, &targets);
    bool is_marked = false;

    (void)arguments;
    (void)count;
    if (code != 0) {
        return code;
    }
    for (size_t i = 0; !is_marked && i < targets.count; i++) {
        json_t *result = NULL;
        char *fault = NULL;

        code = ask_one(options, &targets.items[i], ASK_READ, "state.mark", NULL, &result, &fault);
        is_marked = code == 0;
        if (is_marked && options->json) {
            print_json(result);
        } else if (!is_marked && i + 1 == targets.count) {
            ask_say(&targets.items[i], code, fault);
        }
        json_decref(result);
        mem_free(&fault);
    }
    return code;
}
