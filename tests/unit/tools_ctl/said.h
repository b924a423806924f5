/* said - what a function prints on standard output or standard error. */
#ifndef TESTS_UNIT_TOOLS_CTL_SAID_H
#define TESTS_UNIT_TOOLS_CTL_SAID_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SAID_BYTES_MAX 8192

struct said {
    FILE *stream; /* stdout or stderr */
    int before;   /* where it went */
    FILE *file;
    char text[SAID_BYTES_MAX];
};

static inline void said_begin(struct said *said, FILE *stream)
{
    said->stream = stream;
    (void)fflush(stream);
    said->before = dup(fileno(stream));
    said->file = tmpfile();
    assert_non_null(said->file);
    assert_true(dup2(fileno(said->file), fileno(stream)) >= 0);
}

/* The text; valid until the next begin. */
static inline const char *said_end(struct said *said)
{
    size_t len;

    (void)fflush(said->stream);
    assert_true(dup2(said->before, fileno(said->stream)) >= 0);
    (void)close(said->before);
    rewind(said->file);
    len = fread(said->text, 1, sizeof(said->text) - 1, said->file);
    said->text[len] = '\0';
    (void)fclose(said->file);
    return said->text;
}

#endif
