/* print - answers for people: aligned columns, or the JSON as it came. */
#ifndef TOOLS_CTL_PRINT_H
#define TOOLS_CTL_PRINT_H

#include <jansson.h>

struct column {
    const char *title;
    const char *key;
};

/** One line for each object of rows. */
void print_table(const json_t *rows, const struct column *columns, size_t count);
/** One line for each key of an object with plain values. */
void print_object(const json_t *object);
void print_json(const json_t *value);
/** The same, and free it. */
void print_json_take(json_t *value);

#endif
