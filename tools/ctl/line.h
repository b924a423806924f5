/* line - lines of a text file that others wrote: whole or not at all. */
#ifndef TOOLS_CTL_LINE_H
#define TOOLS_CTL_LINE_H

#include <stdio.h>

enum line_result {
    LINE_OK,
    LINE_END,
    LINE_LONG, /* longer than the space for it */
    LINE_NUL   /* holds a NUL: no text */
};

/** The next line into text, without its LF or CR LF; size counts the closing NUL. */
enum line_result line_read(FILE *stream, char *text, size_t size);

#endif
