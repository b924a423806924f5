/* musterctl state hash, state scrub, state mark: whether the replicas are equal, in memory and on
 * disk. */
#include "node/base/assert.h"
#include "node/base/clock.h"
#include "node/base/mem.h"
#include "tools/ctl/ask.h"
#include "tools/ctl/print.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MARK_POLL_MS 100

static void show_rows(const struct options *options, const json_t *rows,
                      const struct column *columns, size_t count)
{
    if (options->json) {
        print_json(rows);
    } else {
        print_table(rows, columns, count);
    }
}

/* ---- state hash: all nodes at the same mark */

/* The hash of every node at index, 0 for its newest; *behind_out: some node does not know it. */
static json_t *hash_rows(const struct options *options, const struct targets *targets,
                         json_int_t index, bool *behind_out)
{
    json_t *args = index == 0 ? NULL : json_pack("{s:I}", "index", index);
    int codes[NODES_MAX];
    json_t *rows = ask_each(options, targets, "state.hash", args, codes);

    json_decref(args);
    *behind_out = false;
    for (size_t i = 0; i < targets->count; i++) {
        *behind_out = *behind_out || codes[i] == EXIT_REFUSED;
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
        (void)usleep(MARK_POLL_MS * 1000);
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
    show_rows(options, rows, columns, ARRAY_COUNT(columns));
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
    int codes[NODES_MAX];
    json_t *rows = ask_each(options, targets, "state.scrub", NULL, codes);

    for (size_t i = 0; i < targets->count; i++) {
        const char *found = json_string_value(json_object_get(json_array_get(rows, i), "rows"));

        if (codes[i] == 0 && found != NULL && strcmp(found, "differ") == 0) {
            *code_out = EXIT_REFUSED;
        } else if (codes[i] != 0 && *code_out == EXIT_OK) {
            *code_out = EXIT_UNREACHABLE;
        }
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
    show_rows(options, rows, columns, ARRAY_COUNT(columns));
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
