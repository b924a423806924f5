/* musterctl - the operator's command: NOUN VERB ARGUMENTS, to the control socket of a node. */
#include "tools/ctl/arguments.h"
#include "tools/ctl/help.h"

#include <stdio.h>

int main(int argc, char **argv)
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
