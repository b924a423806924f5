/* Commands about high availability: the states, and the operator's requests. */
#include "tools/ctl/arguments.h"
#include "tools/ctl/ask.h"
#include "tools/ctl/ha_watch.h"
#include "tools/ctl/print.h"

#include "node/base/assert.h"
#include "node/base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define POLL_MS 100

/* ---- status */

static const struct column status_columns[] = {
    {"GROUP", "group"},   {"NODE", "node"}, {"NAME", "name"},       {"STATE", "state"},
    {"REASON", "reason"}, {"NOTE", "note"}, {"SINCE_S", "since_s"}, {"SESSIONS", "moved"}};

static long long count_of(const json_t *sessions, const char *fate)
{
    return json_integer_value(json_object_get(sessions, fate));
}

/* What no state tells. */
static const char *note_of(const json_t *row)
{
    if (json_is_false(json_object_get(row, "member"))) {
        return "no member";
    }
    return json_is_true(json_object_get(row, "drained")) ? "drained" : NULL;
}

/* For people: how long ago, and what became of the sessions of the last move. */
static void add_words(json_t *row, json_int_t time_ms)
{
    const json_t *sessions = json_object_get(row, "sessions");
    json_int_t since_ms = json_integer_value(json_object_get(row, "since_ms"));

    (void)json_object_set_new(row, "since_s", json_integer((time_ms - since_ms) / 1000));
    if (note_of(row) != NULL) {
        (void)json_object_set_new(row, "note", json_string(note_of(row)));
    }
    if (count_of(sessions, "found") > 0) {
        (void)json_object_set_new(
            row, "moved",
            json_sprintf("%lld of %lld dropped: %lld moved, %lld came back, %lld ended",
                         count_of(sessions, "dropped"), count_of(sessions, "found"),
                         count_of(sessions, "moved"), count_of(sessions, "returned"),
                         count_of(sessions, "ended")));
    }
}

int run_ha_status(const struct options *options, char **arguments, int count)
{
    const char *group = count == 0 ? NULL : arguments[0];
    json_t *rows;
    json_int_t time_ms;
    json_t *row;
    size_t i;
    int code;

    if (options->given & OPTION_WATCH) {
        return ha_watch(options, group, 0);
    }
    code = ha_ask_rows(options, group, &rows, &time_ms);
    if (code != 0) {
        return code;
    }
    if (options->json) {
        print_json_take(json_pack("{s:O,s:I}", "nodes", rows, "time_ms", time_ms));
    } else {
        json_array_foreach(rows, i, row)
        {
            add_words(row, time_ms);
        }
        print_table(rows, status_columns, ARRAY_COUNT(status_columns));
    }
    json_decref(rows);
    return 0;
}

/* ---- requests */

static void print_plan(const json_t *sessions)
{
    const char *address;
    const json_t *number;
    json_t *rows = json_array();
    static const struct column columns[] = {{"SESSIONS", "sessions"}, {"TO", "to"}};

    json_object_foreach((json_t *)(uintptr_t)sessions, address, number)
    {
        (void)json_array_append_new(
            rows, json_pack("{s:O,s:s}", "sessions", number, "to",
                            address[0] == '\0' ? "nowhere in particular" : address));
    }
    print_table(rows, columns, ARRAY_COUNT(columns));
    json_decref(rows);
}

static int show_plan(const struct options *options, const char *wanted, json_int_t node)
{
    json_t *plan = NULL;
    int code = ask(options, ASK_READ, "ha.plan",
                   json_pack("{s:s,s:I}", "request", wanted, "node", node), &plan);

    if (code != 0) {
        return code;
    }
    if (options->json) {
        print_json(plan);
    } else {
        print_plan(json_object_get(plan, "sessions"));
    }
    json_decref(plan);
    return 0;
}

/* Ask once. 0: *answer_out is the caller's; else an exit code (said on stderr). */
static int try_to_move(const struct options *options, const char *verb, json_int_t node,
                       json_t **answer_out)
{
    struct link *link = NULL;
    enum link_result result;
    int code = ask_open_serving(options, &link);

    if (code != 0) {
        return code;
    }
    result = link_send(link, 1, verb,
                       json_pack("{s:I,s:I,s:I}", "node", node, "rate", (json_int_t)options->rate,
                                 "deadline_s", (json_int_t)options->deadline_s));
    if (result == LINK_OK) {
        result = link_receive(link, answer_out);
    }
    link_close(&link);
    if (result != LINK_OK) {
        (void)fprintf(stderr, "musterctl: %s\n",
                      result == LINK_TIMEOUT ? "no answer in time"
                                             : "the connection ended before the answer");
        return EXIT_UNKNOWN;
    }
    return 0;
}

static bool is_starting(const json_t *answer)
{
    const char *error = json_string_value(json_object_get(answer, "error"));

    return error != NULL && strcmp(error, "starting") == 0;
}

/* The same for so long as the node starts. It serves a moment before the cluster knows it, and
 * whoever has waited for its start asks in that moment. */
static int try_while_starting(const struct options *options, const char *verb, json_int_t node,
                              long wait_s, json_t **answer_out)
{
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
    const uint64_t deadline_ms = clock_mono_ms() + (uint64_t)wait_s * 1000;
    int code = try_to_move(options, verb, node, answer_out);

    while (code == 0 && is_starting(*answer_out) && clock_mono_ms() < deadline_ms) {
        json_decref(*answer_out);
        (void)nanosleep(&pause, NULL);
        code = try_to_move(options, verb, node, answer_out);
    }
    return code;
}

/* 0, or the exit code of a refusal, said on stderr. */
static int show_answer(const struct options *options, const json_t *answer)
{
    const char *text = json_string_value(json_object_get(answer, "text"));

    if (!json_is_true(json_object_get(answer, "ok"))) {
        (void)fprintf(stderr, "musterctl: %s\n", text == NULL ? "no sense in the answer" : text);
        return ask_code_of(answer);
    }
    if (options->json && (options->given & OPTION_WATCH) == 0) {
        print_json(json_object_get(answer, "result")); /* else how it goes is the answer */
    }
    return 0;
}

/* verb: "ha." and the word of the plan. wait_s: how long for a node that starts. */
static int ask_to_move(const struct options *options, const char *verb, const char *text,
                       long wait_s)
{
    json_t *answer = NULL;
    json_int_t node;
    int code;

    if (!arguments_read_node(text, &node)) {
        return EXIT_USAGE;
    }
    if (options->given & OPTION_DRY_RUN) {
        return show_plan(options, strchr(verb, '.') + 1, node);
    }
    code = try_while_starting(options, verb, node, wait_s, &answer);
    if (code == 0) {
        code = show_answer(options, answer);
        json_decref(answer);
    }
    return code == 0 && (options->given & OPTION_WATCH) ? ha_watch(options, NULL, node) : code;
}

int run_ha_failover(const struct options *options, char **arguments, int count)
{
    (void)count;
    return ask_to_move(options, "ha.failover", arguments[0], 0);
}

int run_ha_fallback(const struct options *options, char **arguments, int count)
{
    (void)count;
    return ask_to_move(options, "ha.fallback", arguments[0], options->timeout_s);
}

int run_ha_drain(const struct options *options, char **arguments, int count)
{
    (void)count;
    return ask_to_move(options, "ha.drain", arguments[0], 0);
}

int run_ha_abort(const struct options *options, char **arguments, int count)
{
    (void)count;
    return ask_to_move(options, "ha.abort", arguments[0], 0);
}

int run_ha_recover(const struct options *options, char **arguments, int count)
{
    (void)count;
    return ask_change(options, "ha.recover", json_pack("{s:s}", "group", arguments[0]));
}
