#include "tools/ctl/password.h"

#include "tools/ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static bool read_line(FILE *stream, struct password *out)
{
    if (fgets(out->text, sizeof(out->text), stream) == NULL) {
        return false;
    }
    out->text[strcspn(out->text, "\r\n")] = '\0';
    return out->text[0] != '\0';
}

/* Without showing what is typed. */
static bool read_terminal(struct password *out)
{
    struct termios before;
    struct termios silent;
    bool got;

    if (tcgetattr(STDIN_FILENO, &before) != 0) {
        (void)fprintf(stderr, "musterctl: no terminal: use --password-file\n");
        return false;
    }
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    (void)fprintf(stderr, "Password: ");
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    got = read_line(stdin, out);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    (void)fprintf(stderr, "\n");
    return got;
}

int password_read(const char *file, struct password *out)
{
    FILE *stream;
    bool got;

    if (file == NULL) {
        return read_terminal(out) ? 0 : EXIT_USAGE;
    }
    stream = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
    if (stream == NULL) {
        (void)fprintf(stderr, "musterctl: %s: %s\n", file, strerror(errno));
        return EXIT_USAGE;
    }
    got = read_line(stream, out);
    if (stream != stdin) {
        (void)fclose(stream);
    }
    if (!got) {
        (void)fprintf(stderr, "musterctl: %s: no password in the first line\n", file);
        return EXIT_USAGE;
    }
    return 0;
}

void password_wipe(struct password *password)
{
    explicit_bzero(password, sizeof(*password));
}
