#include "tools/ctl/rows.h"

#include <stdio.h>

bool rows_add(json_t *rows, json_t *row, size_t line)
{
    if (row == NULL) {
        return false;
    }
    (void)json_object_set_new(row, "line", json_integer((json_int_t)line));
    (void)json_array_append_new(rows, row);
    return true;
}

static json_int_t line_of(const json_t *row)
{
    return json_integer_value(json_object_get(row, "line"));
}

void rows_say_refusal(const char *file, const json_t *rows, const json_t *answer)
{
    size_t number = (size_t)json_integer_value(json_object_get(answer, "row")); /* from 1 */
    const json_t *row = number == 0 ? NULL : json_array_get(rows, number - 1);
    const char *address = json_string_value(json_object_get(row, "jid"));
    const char *text = json_string_value(json_object_get(answer, "text"));

    if (address != NULL) {
        (void)fprintf(stderr, "musterctl: %s:%" JSON_INTEGER_FORMAT ": %s: %s\n", file,
                      line_of(row), address, text);
    } else {
        (void)fprintf(stderr, "musterctl: %s:%" JSON_INTEGER_FORMAT " and the lines after it: %s\n",
                      file, line_of(json_array_get(rows, 0)), text);
    }
}
