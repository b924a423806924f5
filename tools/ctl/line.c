#include "tools/ctl/line.h"

enum line_result line_read(FILE *stream, char *text, size_t size)
{
    size_t len = 0;
    int c = getc(stream);

    if (c == EOF) {
        return LINE_END;
    }
    for (; c != EOF && c != '\n'; c = getc(stream)) {
        if (c == '\0') {
            return LINE_NUL;
        }
        if (len + 1 == size) {
            return LINE_LONG;
        }
        text[len++] = (char)c;
    }
    if (len > 0 && c == '\n' && text[len - 1] == '\r') {
        len--;
    }
    text[len] = '\0';
    return LINE_OK;
}
