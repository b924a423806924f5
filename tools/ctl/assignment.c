/* Commands about the homes of users: musterctl assignment, musterctl user assign. */
#include "tools/ctl/arguments.h"
#include "tools/ctl/ask.h"
#include "tools/ctl/csv.h"
#include "tools/ctl/print.h"

#include "node/base/assert.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BATCH_ROWS_MAX 500 /* what one command takes */

static void print_assignment(const json_t *result)
{
    static const struct column columns[] = {{"NODE", "node"}, {"USERS", "users"}};

    (void)printf("mode %s, policy %s\n\n", json_string_value(json_object_get(result, "mode")),
                 json_string_value(json_object_get(result, "policy")));
    print_table(json_object_get(result, "nodes"), columns, ARRAY_COUNT(columns));
}

int run_assignment_show(const struct options *options, char **arguments, int count)
{
    (void)arguments;
    (void)count;
    return ask_show(options, "assignment.show", NULL, print_assignment);
}

int run_assignment_mode(const struct options *options, char **arguments, int count)
{
    (void)count;
    return ask_change(options, "assignment.set", json_pack("{s:s}", "mode", arguments[0]));
}

int run_assignment_policy(const struct options *options, char **arguments, int count)
{
    (void)count;
    return ask_change(options, "assignment.set", json_pack("{s:s}", "policy", arguments[0]));
}

/* ---- rebalance */

/* Print the moves that are due now. 0 or an exit code; *count_out: how many are due. */
static int show_plan(const struct options *options, size_t *count_out)
{
    static const struct column columns[] = {{"USER", "user"}, {"FROM", "from"}, {"TO", "to"}};
    json_t *plan = NULL;
    int code = ask(options, ASK_READ, "assignment.plan", NULL, &plan);
    const json_t *moves = json_object_get(plan, "moves");

    *count_out = json_array_size(moves);
    if (code == 0 && options->json) {
        print_json(plan);
    } else if (code == 0 && *count_out == 0) {
        (void)printf("nobody has to move\n");
    } else if (code == 0) {
        print_table(moves, columns, ARRAY_COUNT(columns));
        if (json_is_true(json_object_get(plan, "more"))) {
            (void)printf("and more\n");
        }
    }
    json_decref(plan);
    return code;
}

int run_assignment_rebalance(const struct options *options, char **arguments, int count)
{
    size_t planned = 0;
    json_int_t moved = 1;
    int code = show_plan(options, &planned);

    (void)arguments;
    (void)count;
    if ((options->given & OPTION_DRY_RUN) != 0 || planned == 0) {
        return code;
    }
    while (code == 0 && moved > 0) {
        json_t *result = NULL;

        code = ask(options, ASK_CHANGE, "assignment.rebalance", NULL, &result);
        moved = json_integer_value(json_object_get(result, "moved"));
        json_decref(result);
    }
    return code;
}

/* ---- user assign */

/* A node id, or "auto" for 0: the mode says. */
static bool read_home(const char *text, json_int_t *out)
{
    *out = 0;
    return strcmp(text, "auto") == 0 || arguments_read_node(text, out);
}

static int assign_one(const struct options *options, const char *user, json_int_t node)
{
    return ask_change(options, "user.assign",
                      json_pack("{s:[{s:s,s:I}]}", "rows", "jid", user, "node", node));
}

/* A batch is refused as a whole; what was sent before it holds. Takes rows. */
static int assign_batch(const struct options *options, json_t *rows, size_t *assigned)
{
    json_t *result = NULL;
    size_t count = json_array_size(rows);
    int code = 0;

    if (count > 0) {
        code = ask(options, ASK_CHANGE, "user.assign", json_pack("{s:O}", "rows", rows), &result);
        *assigned += code == 0 ? count : 0;
    }
    json_decref(result);
    json_decref(rows);
    return code;
}

static bool is_header(const struct csv *csv)
{
    return csv->line == 1 && strcmp(csv->fields[0], "jid") == 0;
}

static int add_row(const struct csv *csv, const char *file, json_t *rows)
{
    json_int_t node;
    json_t *row;

    if (csv->count != 2) {
        (void)fprintf(stderr, "musterctl: %s:%zu: not jid,node\n", file, csv->line);
        return EXIT_USAGE;
    }
    if (!read_home(csv->fields[1], &node)) {
        (void)fprintf(stderr, "musterctl: %s:%zu: the node\n", file, csv->line);
        return EXIT_USAGE;
    }
    row = json_pack("{s:s,s:I}", "jid", csv->fields[0], "node", node);
    if (row == NULL) {
        (void)fprintf(stderr, "musterctl: %s:%zu: is not UTF-8\n", file, csv->line);
        return EXIT_USAGE;
    }
    (void)json_array_append_new(rows, row);
    return 0;
}

static int assign_file(const struct options *options, const char *file, size_t *assigned)
{
    struct csv csv = {.stream = strcmp(file, "-") == 0 ? stdin : fopen(file, "re")};
    enum csv_result read = CSV_ROW;
    json_t *rows = json_array();
    int code = 0;

    if (csv.stream == NULL) {
        (void)fprintf(stderr, "musterctl: %s: %s\n", file, strerror(errno));
        json_decref(rows);
        return EXIT_USAGE;
    }
    while (code == 0 && (read = csv_next(&csv)) == CSV_ROW) {
        if (!is_header(&csv)) {
            code = add_row(&csv, file, rows);
        }
        if (code == 0 && json_array_size(rows) == BATCH_ROWS_MAX) {
            code = assign_batch(options, rows, assigned);
            rows = json_array();
        }
    }
    if (ferror(csv.stream) != 0) {
        (void)fprintf(stderr, "musterctl: %s: %s\n", file, strerror(EIO));
        code = EXIT_USAGE;
    } else if (read == CSV_BAD) {
        (void)fprintf(stderr, "musterctl: %s:%zu: cannot be read as CSV\n", file, csv.line);
        code = EXIT_USAGE;
    }
    if (code == 0) {
        code = assign_batch(options, rows, assigned);
    } else {
        json_decref(rows);
    }
    (void)fclose(csv.stream);
    return code;
}

static int assign_all(const struct options *options)
{
    size_t assigned = 0;
    int code = assign_file(options, options->csv, &assigned);

    (void)printf(options->json ? "{\"assigned\": %zu}\n" : "%zu users assigned\n", assigned);
    return code;
}

int run_user_assign(const struct options *options, char **arguments, int count)
{
    struct options anywhere = *options;
    json_int_t node = options->node;

    anywhere.node = 0; /* it is the home, not whom to ask */
    if (options->csv != NULL && count == 0 && options->node == 0) {
        return assign_all(&anywhere);
    }
    if (options->csv != NULL || count == 0 || (count == 1) != (options->node != 0)) {
        (void)fprintf(stderr, "musterctl: an address and its node, or --csv FILE\n");
        return EXIT_USAGE;
    }
    if (count == 2 && !read_home(arguments[1], &node)) {
        return EXIT_USAGE;
    }
    return assign_one(&anywhere, arguments[0], node);
}
