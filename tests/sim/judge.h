/* judge - what clients were promised, held against what they got. */
#ifndef TESTS_SIM_JUDGE_H
#define TESTS_SIM_JUDGE_H

#include "tests/sim/client.h"

/** P1, P2: nothing acknowledged is lost, nothing comes twice to a session or out of order. */
void judge_messages(const struct client *clients, uint32_t count);
/** The same of copies of what other devices sent. */
void judge_copies(const struct client *clients, uint32_t count);
/** Does each see of each other what that one set last, and nobody who is gone (P4, P5)? NULL, or
 * what is amiss: only while faults last may it be so. */
const char *judge_views(const struct client *clients, uint32_t count);
/** Has each its answers, and read its roster at the end? */
const char *judge_answers(const struct client *clients, uint32_t count);

#endif
