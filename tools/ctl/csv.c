#include "tools/ctl/csv.h"

#include "tools/ctl/line.h"

#include <stdbool.h>
#include <string.h>

#define BYTE_ORDER_MARK "\xef\xbb\xbf" /* spreadsheets put it in front of UTF-8 */

/* The inside of a quoted field from *read on, with doubled quotes undone in place; leaves *read
 * behind the closing quote. NULL: there is none. Otherwise where the text ends. */
static char *unquote(char **read)
{
    char *write = *read;

    for (char *at = *read; *at != '\0'; at++) {
        if (*at == '"') {
            if (at[1] != '"') {
                *read = at + 1;
                return write;
            }
            at++;
        }
        *write++ = *at;
    }
    return NULL;
}

/* Take one field at *at; *at is NULL after the last. False: its quotes are wrong. */
static bool take_field(char **at, char **field_out)
{
    char *read = *at;
    char *end;

    if (*read == '"') {
        *field_out = ++read;
        end = unquote(&read);
        if (end == NULL || (*read != ',' && *read != '\0')) {
            return false;
        }
    } else {
        *field_out = read;
        read += strcspn(read, ",");
        end = read;
    }
    *at = *read == '\0' ? NULL : read + 1;
    *end = '\0';
    return true;
}

static enum csv_result next_line(struct csv *csv, char **text_out)
{
    do {
        enum line_result result = line_read(csv->stream, csv->text, sizeof(csv->text));

        if (result == LINE_END) {
            return CSV_END;
        }
        csv->line++;
        if (result != LINE_OK) {
            return CSV_BAD;
        }
        *text_out = csv->text;
        if (csv->line == 1 && strncmp(csv->text, BYTE_ORDER_MARK, 3) == 0) {
            *text_out += 3;
        }
    } while (**text_out == '\0');
    return CSV_ROW;
}

enum csv_result csv_next(struct csv *csv)
{
    char *at = NULL;
    enum csv_result result = next_line(csv, &at);

    csv->count = 0;
    if (result != CSV_ROW) {
        return result;
    }
    while (at != NULL) {
        if (csv->count == CSV_FIELDS_MAX || !take_field(&at, &csv->fields[csv->count])) {
            return CSV_BAD;
        }
        csv->count++;
    }
    return CSV_ROW;
}
