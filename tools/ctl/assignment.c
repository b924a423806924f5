/* musterctl assignment: how users get a home. */
#include "tools/ctl/ask.h"
#include "tools/ctl/print.h"

#include "node/base/assert.h"

#include <stdio.h>
#include <string.h>

static void print_assignment(const json_t *result)
{
    static const struct column columns[] = {
        {"NODE", "node"}, {"MEMBER", "member"}, {"USERS", "users"}};

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
    json_int_t total = 0;
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
        total += moved;
        json_decref(result);
    }
    if (!options->json) {
        (void)printf("%" JSON_INTEGER_FORMAT " users have another home\n", total);
    }
    return code;
}
