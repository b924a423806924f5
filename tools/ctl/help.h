/* help - what commands there are, for --help and for those who named one that there is not. */
#ifndef TOOLS_CTL_HELP_H
#define TOOLS_CTL_HELP_H

#include "tools/ctl/ctl.h"

#include <stdio.h>

/** The command that the words begin with, or NULL. */
const struct command *help_find(char **words, int count);

/** Print what the words ask about: all commands, those of a noun, or one. An exit code. */
int help_print(char **words, int count);

/** Does the command take the option, as it is described here? */
bool help_takes(const struct command *command, const struct option_help *help);

/** How to call the command, and where more is told. */
void help_print_use(FILE *out, const struct command *command);

/** Say on stderr that the words name no command, and which do. */
void help_complain(char **words, int count);

#endif
