/* rows - rows of a file that go to a node in one command, each with the line that it stood in. */
#ifndef TOOLS_CTL_ROWS_H
#define TOOLS_CTL_ROWS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define ROWS_MAX 500 /* what one command takes */

/** Append row, which is taken; false: it is NULL, as a text in it was none. */
bool rows_add(json_t *rows, json_t *row, size_t line);
/** A command is refused as a whole: say on stderr, in the words of the answer, for which line of
 * the file, if the node knows. */
void rows_say_refusal(const char *file, const json_t *rows, const json_t *answer);

#endif
