#include "tools/ctl/password.h"

#include "tools/ctl/ctl.h"
#include "tools/ctl/line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* NULL, or why it holds no password: a part of one would be another. */
static const char *read_line(FILE *stream, struct password *out)
{
    switch (line_read(stream, out->text, sizeof(out->text))) {
    case LINE_OK:
        return out->text[0] == '\0' ? "no password in the first line" : NULL;
    case LINE_LONG:
        return "the password is too long";
    case LINE_NUL:
        return "the first line is not text";
    case LINE_END:
        break;
    }
    return "no password in the first line";
}

/* Without showing what is typed. */
static const char *read_terminal(struct password *out)
{
    struct termios before;
    struct termios silent;
    const char *fault;

    if (tcgetattr(STDIN_FILENO, &before) != 0) {
        return "no terminal: use --password-file";
    }
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    (void)fprintf(stderr, "Password: ");
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    fault = read_line(stdin, out);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    (void)fprintf(stderr, "\n");
    return fault;
}

/* NULL: standard input. */
static const char *read_file(const char *file, struct password *out)
{
    FILE *stream = file == NULL ? stdin : fopen(file, "re");
    const char *fault;

    if (stream == NULL) {
        return strerror(errno);
    }
    fault = read_line(stream, out);
    if (file != NULL) {
        (void)fclose(stream);
    }
    return fault;
}

int password_read(const char *file, struct password *out)
{
    const char *fault =
        file == NULL ? read_terminal(out) : read_file(strcmp(file, "-") == 0 ? NULL : file, out);

    if (fault != NULL) {
        (void)fprintf(stderr, "musterctl: %s%s%s\n", file == NULL ? "" : file,
                      file == NULL ? "" : ": ", fault);
        return EXIT_USAGE;
    }
    return 0;
}

void password_wipe(struct password *password)
{
    explicit_bzero(password, sizeof(*password));
}
