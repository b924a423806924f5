/* random_command - commands with any content, from a seed: fields are filled by the schema, so new
 * commands and fields join by themselves. Most references hit something, some never can. */
#ifndef TESTS_UNIT_STORAGE_STATE_RANDOM_COMMAND_H
#define TESTS_UNIT_STORAGE_STATE_RANDOM_COMMAND_H

#include "storage/state/rows.h"

/** The next number of a sequence that starts with *seed. */
uint64_t random_next(uint64_t *seed);
/** 0..limit-1. */
unsigned random_below(uint64_t *seed, unsigned limit);
/** A command as incarnation would send it; state says what there is to refer to. */
Pb__Command *random_command(uint64_t *seed, struct state *state, uint64_t incarnation,
                            struct arena *arena);

#endif
