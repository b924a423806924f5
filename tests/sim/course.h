/* course - one run: a quiet beginning, a time of faults, and a time without in which all must come
 * together again. */
#ifndef TESTS_SIM_COURSE_H
#define TESTS_SIM_COURSE_H

#include <stdbool.h>
#include <stdint.h>

/** So many faults at most. False: something was wrong, which is said, as the run's line is. */
bool course_run(uint64_t seed, unsigned faults_max, bool is_loud);

#endif
