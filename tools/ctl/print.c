#include "tools/ctl/print.h"

#include "node/base/assert.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define CELL_BYTES  512
#define COLUMNS_MAX 16

/* What clients chose must not steer the operator's terminal. */
static void hide_control_characters(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == '\x7f') {
            *text = '?';
        }
    }
}

static void cell_text(const json_t *value, char text[CELL_BYTES])
{
    switch (value == NULL ? JSON_NULL : json_typeof(value)) {
    case JSON_STRING:
        (void)snprintf(text, CELL_BYTES, "%s", json_string_value(value));
        hide_control_characters(text);
        break;
    case JSON_INTEGER:
        (void)snprintf(text, CELL_BYTES, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_TRUE:
        (void)snprintf(text, CELL_BYTES, "yes");
        break;
    case JSON_FALSE:
        (void)snprintf(text, CELL_BYTES, "no");
        break;
    default:
        (void)snprintf(text, CELL_BYTES, "-");
        break;
    }
}

static size_t width_of(const json_t *rows, const struct column *column)
{
    size_t width = strlen(column->title);
    const json_t *row;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        char text[CELL_BYTES];

        cell_text(json_object_get(row, column->key), text);
        width = strlen(text) > width ? strlen(text) : width;
    }
    return width;
}

static void print_row(const struct column *columns, const size_t *widths, size_t count,
                      const json_t *row)
{
    for (size_t c = 0; c < count; c++) {
        char text[CELL_BYTES];

        if (row == NULL) {
            (void)snprintf(text, sizeof(text), "%s", columns[c].title);
        } else {
            cell_text(json_object_get(row, columns[c].key), text);
        }
        if (c + 1 == count) {
            (void)printf("%s\n", text);
        } else {
            (void)printf("%-*s  ", (int)widths[c], text);
        }
    }
}

void print_table(const json_t *rows, const struct column *columns, size_t count)
{
    size_t widths[COLUMNS_MAX];
    const json_t *row;
    size_t i;

    ASSERT(count <= COLUMNS_MAX);

    for (size_t c = 0; c < count; c++) {
        widths[c] = width_of(rows, &columns[c]);
    }
    print_row(columns, widths, count, NULL);
    json_array_foreach(rows, i, row)
    {
        print_row(columns, widths, count, row);
    }
}

void print_object(const json_t *object)
{
    const char *key;
    json_t *value;
    size_t width = 0;

    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        width = strlen(key) > width ? strlen(key) : width;
    }
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        char text[CELL_BYTES];

        if (!json_is_array(value) && !json_is_object(value)) {
            cell_text(value, text);
            (void)printf("%-*s  %s\n", (int)width, key, text);
        }
    }
}

void print_json(const json_t *value)
{
    (void)json_dumpf(value, stdout, JSON_INDENT(2));
    (void)putchar('\n');
}

void print_json_take(json_t *value)
{
    print_json(value);
    json_decref(value);
}
