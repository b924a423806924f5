/* musterctl - the operator's command: NOUN VERB ARGUMENTS, to the control socket of a node. */
#include "tools/ctl/arguments.h"
#include "tools/ctl/help.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int run(int argc, char **argv)
{
    struct options options;
    const struct command *command;
    char **words = argv;
    int count = 0;

    if (arguments_read(argc, argv, &options, &words, &count) != 0) {
        return EXIT_USAGE;
    }
    if (options.version) {
        (void)printf("musterctl " MUSTER_VERSION "\n");
        return EXIT_OK;
    }
    if (options.help) {
        return help_print(words, count);
    }
    command = arguments_find(&options, words, count);
    if (command == NULL) {
        return EXIT_USAGE;
    }
    words += command->verb == NULL ? 1 : 2;
    count -= command->verb == NULL ? 1 : 2;
    return command->run(&options, words, count);
}

/* An answer that got nowhere, on a full disk, must not pass for one: node add prints a key that
 * is nowhere else. */
static int finish(int code)
{
    bool is_written = ferror(stdout) == 0;

    if (fclose(stdout) == 0 && is_written) {
        return code;
    }
    (void)fprintf(stderr, "musterctl: the answer cannot be written: %s\n", strerror(errno));
    return code == EXIT_OK ? EXIT_UNWRITTEN : code;
}

int main(int argc, char **argv)
{
    return finish(run(argc, argv));
}
