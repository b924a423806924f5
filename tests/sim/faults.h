/* faults - what goes wrong in a run, drawn by its seed. */
#ifndef TESTS_SIM_FAULTS_H
#define TESTS_SIM_FAULTS_H

#include "tests/sim/room.h"

/** From now on, until faults_end(): something new every pause_us or less, up to so many things. */
void faults_begin(struct sim_cluster *cluster, uint64_t pause_us, unsigned max, bool is_loud);
/** All is mended, and all nodes run again. */
void faults_end(void);
unsigned faults_count(void);

#endif
