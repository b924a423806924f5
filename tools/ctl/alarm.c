/* musterctl alarm: what is wrong in the cluster. */
#include "tools/ctl/ask.h"
#include "tools/ctl/print.h"

#include "node/base/assert.h"

#include <time.h>

/* Wall time in UTC, in one cell of a table. */
static json_t *time_text(const json_t *wall_ms)
{
    time_t seconds = (time_t)(json_integer_value(wall_ms) / 1000);
    char text[32] = "-";
    struct tm parts;

    if (seconds != 0 && gmtime_r(&seconds, &parts) != NULL) {
        (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
    return json_string(text);
}

static void print_alarms(const json_t *result)
{
    static const struct column columns[] = {{"SEVERITY", "severity"}, {"ALARM", "alarm"},
                                            {"NODE", "node"},         {"RAISED", "raised"},
                                            {"CLEARED", "cleared"},   {"REASON", "reason"}};
    json_t *rows = json_array();
    const json_t *alarm;
    size_t i;

    json_array_foreach(json_object_get(result, "alarms"), i, alarm)
    {
        json_t *row = json_copy((json_t *)(uintptr_t)alarm);

        (void)json_object_set_new(row, "raised", time_text(json_object_get(alarm, "raised_ms")));
        (void)json_object_set_new(row, "cleared", time_text(json_object_get(alarm, "cleared_ms")));
        if (json_integer_value(json_object_get(alarm, "node")) == 0) {
            (void)json_object_set_new(row, "node", json_null()); /* the cluster as a whole */
        }
        (void)json_array_append_new(rows, row);
    }
    print_table(rows, columns, ARRAY_COUNT(columns));
    json_decref(rows);
}

int run_alarm_list(const struct options *options, char **arguments, int count)
{
    json_t *args = json_pack("{s:b}", "all", (options->given & OPTION_ALL) != 0);

    (void)arguments;
    (void)count;
    return ask_show(options, "alarm.list", args, print_alarms);
}
