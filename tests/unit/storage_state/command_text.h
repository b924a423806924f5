/* command_text - commands as one line of text: "bind user=alice@x resource=a owner=1:0:1:1". Fields
 * have their names from schema.proto, nested ones with dots, repeated ones with an index
 * ("runs.0.count=2"). A message may be given by its fields in order, with colons. "$" stands for
 * the current version of user's credentials, "$7" for the resume_id of session 7. */
#ifndef TESTS_UNIT_STORAGE_STATE_COMMAND_TEXT_H
#define TESTS_UNIT_STORAGE_STATE_COMMAND_TEXT_H

#include "storage/state/rows.h"

/** Parse and append the encoded command; fails the running test on an error. state answers "$". */
void command_from_text(struct state *state, const char *line, uint64_t cookie, struct buf *out);

#endif
