/* program - what the product asks of its surroundings (program.c). */
#ifndef TESTS_SIM_PROGRAM_H
#define TESTS_SIM_PROGRAM_H

#include <stdbool.h>

/** loud: its log lines go to stderr. */
void program_init(bool loud);
/** How often it ended by abort(): a failed assertion, or a hung thread. */
unsigned program_broken(void);

#endif
