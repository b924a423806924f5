#include "tools/ctl/csv.h"

#include <string.h>

/* Take one field at *at; quotes are undone in place. False: a quote is not closed. */
static int take_field(char **at, char **field_out)
{
    char *read = *at;
    char *write = read;

    *field_out = write;
    if (*read != '"') {
        read += strcspn(read, ",");
        write = read;
    } else {
        for (read++; *read != '\0'; read++) {
            if (*read == '"' && *++read != '"') {
                break;
            }
            *write++ = *read;
        }
        if (read[-1] != '"' || (*read != ',' && *read != '\0')) {
            return 0;
        }
    }
    *at = *read == '\0' ? NULL : read + 1;
    *write = '\0';
    return 1;
}

enum csv_result csv_next(struct csv *csv)
{
    char *at = csv->text;

    do {
        if (fgets(csv->text, sizeof(csv->text), csv->stream) == NULL) {
            return CSV_END;
        }
        csv->line++;
        if (strchr(csv->text, '\n') == NULL && !feof(csv->stream)) {
            return CSV_BAD; /* longer than any account */
        }
        csv->text[strcspn(csv->text, "\r\n")] = '\0';
    } while (csv->text[0] == '\0');

    csv->count = 0;
    while (at != NULL) {
        if (csv->count == CSV_FIELDS_MAX || !take_field(&at, &csv->fields[csv->count])) {
            return CSV_BAD;
        }
        csv->count++;
    }
    return CSV_ROW;
}
