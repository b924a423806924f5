#include "tools/ctl/ha_watch.h"

#include "tools/ctl/ask.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define POLL_MS 500

int ha_ask_rows(const struct options *options, const char *group, json_t **rows_out,
                json_int_t *time_ms_out)
{
    json_t *result = NULL;
    json_t *item;
    json_t *node;
    size_t i;
    size_t j;
    int code = ask(options, ASK_READ, "ha.status", NULL, &result);

    if (code != 0) {
        return code;
    }
    *rows_out = json_array();
    *time_ms_out = json_integer_value(json_object_get(result, "time_ms"));
    json_array_foreach(json_object_get(result, "groups"), i, item)
    {
        const char *name = json_string_value(json_object_get(item, "group"));

        if (group != NULL && strcmp(group, name) != 0) {
            continue;
        }
        json_array_foreach(json_object_get(item, "nodes"), j, node)
        {
            json_t *row = json_copy(node);

            (void)json_object_set_new(row, "group", json_string(name));
            (void)json_array_append_new(*rows_out, row);
        }
    }
    json_decref(result);
    if (group != NULL && json_array_size(*rows_out) == 0) {
        (void)fprintf(stderr, "musterctl: no group with nodes is named %s\n", group);
        json_decref(*rows_out);
        return EXIT_REFUSED;
    }
    return 0;
}

static long long number(const json_t *row, const char *key)
{
    return json_integer_value(json_object_get(json_object_get(row, "sessions"), key));
}

static void say(const struct options *options, const json_t *row)
{
    if (options->json) {
        (void)json_dumpf(row, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
        (void)putchar('\n');
    } else {
        (void)printf("node %lld: %s%s%s: %lld of %lld dropped, %lld moved, %lld came back here, "
                     "%lld ended\n",
                     (long long)json_integer_value(json_object_get(row, "node")),
                     json_string_value(json_object_get(row, "state")),
                     json_string_length(json_object_get(row, "reason")) > 0 ? ", " : "",
                     json_string_value(json_object_get(row, "reason")), number(row, "dropped"),
                     number(row, "found"), number(row, "moved"), number(row, "returned"),
                     number(row, "ended"));
    }
    (void)fflush(stdout);
}

/* What a line tells, without what changes by itself. */
static bool is_news(const json_t *row, const json_t *last)
{
    return last == NULL ||
           !json_equal(json_object_get(row, "sessions"), json_object_get(last, "sessions")) ||
           !json_equal(json_object_get(row, "state"), json_object_get(last, "state"));
}

static bool is_watched(const json_t *row, json_int_t node)
{
    return node == 0 || json_integer_value(json_object_get(row, "node")) == node;
}

/* Say what is new; true while sessions are moved. */
static bool tell(const struct options *options, json_int_t node, const json_t *rows,
                 const json_t *last)
{
    bool is_moving = false;
    json_t *row;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        if (is_watched(row, node)) {
            is_moving = is_moving || json_is_true(json_object_get(row, "moving"));
            if (is_news(row, json_array_get(last, i))) {
                say(options, row);
            }
        }
    }
    return is_moving;
}

int ha_watch(const struct options *options, const char *group, json_int_t node)
{
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
    json_t *last = NULL;
    bool goes_on = true;

    while (goes_on) {
        json_t *rows;
        json_int_t time_ms;
        int code = ha_ask_rows(options, group, &rows, &time_ms);

        if (code != 0) {
            json_decref(last);
            return code;
        }
        goes_on = tell(options, node, rows, last);
        json_decref(last);
        last = rows;
        if (goes_on) {
            (void)nanosleep(&pause, NULL);
        }
    }
    json_decref(last);
    return 0;
}
