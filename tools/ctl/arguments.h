/* arguments - the command line against the tables of table.c. What is wrong with it is said on
 * stderr, with what would be right. */
#ifndef TOOLS_CTL_ARGUMENTS_H
#define TOOLS_CTL_ARGUMENTS_H

#include "tools/ctl/ctl.h"

/** Read the options; *words and *count: what is left, in argv. 0 or EXIT_USAGE. */
int arguments_read(int argc, char **argv, struct options *out, char ***words_out, int *count_out);

/** The command that the words begin with, when the words after it and the options fit it; NULL
 * otherwise. */
const struct command *arguments_find(const struct options *options, char **words, int count);

/** Digits only, 1 to most. */
bool arguments_read_number(const char *text, long most, long *out);

/** A node id; false when it is none, which is said. */
bool arguments_read_node(const char *text, json_int_t *out);

#endif
