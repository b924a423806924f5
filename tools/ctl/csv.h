/* csv - rows of a CSV file (RFC 4180), one at a time; a quoted line break is none of an account and
 * an error. */
#ifndef TOOLS_CTL_CSV_H
#define TOOLS_CTL_CSV_H

#include <stdio.h>

#define CSV_FIELDS_MAX 8
#define CSV_LINE_MAX   8192 /* longer than any account */

struct csv {
    FILE *stream;
    size_t line; /* of the last row, from 1 */
    char text[CSV_LINE_MAX];
    char *fields[CSV_FIELDS_MAX];
    size_t count;
};

enum csv_result { CSV_ROW, CSV_END, CSV_BAD };

/** The next row that is not empty, in fields and count; valid until the next call. */
enum csv_result csv_next(struct csv *csv);

#endif
