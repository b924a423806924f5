/* musterctl user assign: the home of one user, or of all in a CSV file, in batches that a node puts
 * into the log as one command each. */
#include "tools/ctl/arguments.h"
#include "tools/ctl/ask.h"
#include "tools/ctl/csv.h"
#include "tools/ctl/rows.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct assignment {
    const char *file;
    struct csv csv;
    struct link *link;
    json_t *rows; /* the batch being filled */
    json_int_t batches;
    size_t assigned;
};

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

/* ---- a file */

static int fail_line(const struct assignment *assignment, const char *what)
{
    (void)fprintf(stderr, "musterctl: %s:%zu: %s\n", assignment->file, assignment->csv.line, what);
    return EXIT_USAGE;
}

static int add_row(struct assignment *assignment)
{
    const struct csv *csv = &assignment->csv;
    json_int_t node;

    if (csv->line == 1 && strcmp(csv->fields[0], "jid") == 0) {
        return 0; /* the header */
    }
    if (csv->count != 2) {
        return fail_line(assignment, "not jid,node");
    }
    if (!read_home(csv->fields[1], &node)) {
        return fail_line(assignment, "the node");
    }
    return rows_add(assignment->rows, json_pack("{s:s,s:I}", "jid", csv->fields[0], "node", node),
                    csv->line)
               ? 0
               : fail_line(assignment, "is not UTF-8");
}

/* 0 when it holds. What was sent before it holds in any case. */
static int take_answer(struct assignment *assignment)
{
    json_t *answer = NULL;
    int code = 0;

    if (link_receive(assignment->link, &answer) != LINK_OK) {
        (void)fprintf(stderr, "musterctl: the connection was lost, assign them again\n");
        return EXIT_UNKNOWN;
    }
    if (json_is_true(json_object_get(answer, "ok"))) {
        assignment->assigned += json_array_size(assignment->rows);
    } else {
        rows_say_refusal(assignment->file, assignment->rows, answer);
        code = ask_code_of(answer);
    }
    json_decref(answer);
    return code;
}

static int send_batch(struct assignment *assignment)
{
    int code;

    if (json_array_size(assignment->rows) == 0) {
        return 0;
    }
    if (link_send(assignment->link, ++assignment->batches, "user.assign",
                  json_pack("{s:O}", "rows", assignment->rows)) != LINK_OK) {
        (void)fprintf(stderr, "musterctl: the connection was lost, assign them again\n");
        return EXIT_UNKNOWN;
    }
    code = take_answer(assignment);
    (void)json_array_clear(assignment->rows);
    return code;
}

static int assign_all(struct assignment *assignment)
{
    enum csv_result result;
    int code = 0;

    while (code == 0 && (result = csv_next(&assignment->csv)) != CSV_END) {
        code = result == CSV_BAD ? fail_line(assignment, "cannot be read as CSV")
                                 : add_row(assignment);
        if (code == 0 && json_array_size(assignment->rows) == ROWS_MAX) {
            code = send_batch(assignment);
        }
    }
    if (code == 0 && ferror(assignment->csv.stream) != 0) {
        (void)fprintf(stderr, "musterctl: %s: %s\n", assignment->file, strerror(EIO));
        code = EXIT_USAGE;
    }
    return code == 0 ? send_batch(assignment) : code;
}

static int assign_file(const struct options *options)
{
    struct assignment assignment = {.file = options->csv};
    int code;

    assignment.csv.stream = strcmp(options->csv, "-") == 0 ? stdin : fopen(options->csv, "re");
    if (assignment.csv.stream == NULL) {
        (void)fprintf(stderr, "musterctl: %s: %s\n", options->csv, strerror(errno));
        return EXIT_USAGE;
    }
    code = ask_open_serving(options, &assignment.link);
    if (code == 0) {
        assignment.rows = json_array();
        code = assign_all(&assignment);
        (void)printf(options->json ? "{\"assigned\": %zu}\n" : "%zu users assigned\n",
                     assignment.assigned);
        json_decref(assignment.rows);
        link_close(&assignment.link);
    }
    (void)fclose(assignment.csv.stream);
    return code;
}

/* ---- the command */

int run_user_assign(const struct options *options, char **arguments, int count)
{
    struct options anywhere = *options;
    json_int_t node = options->node;

    anywhere.node = 0; /* it is the home, not whom to ask */
    if (options->csv != NULL && count == 0 && options->node == 0) {
        return assign_file(&anywhere);
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
