/* faults - what goes wrong in a run, drawn by its seed. */
#ifndef TESTS_SIM_FAULTS_H
#define TESTS_SIM_FAULTS_H

#include "tests/sim/room.h"

/** From now on, until faults_end(): something new every pause_us or less, up to so many things. */
void faults_begin(struct sim_cluster *cluster, uint64_t pause_us, unsigned max, bool is_loud);
/** All is mended, and all nodes run again. */
void faults_end(void);
/** Something begins at a node that should be of a piece (an election, a copy, a snapshot): now and
 * then something happens to it, or to another one, within so much time. */
void faults_moment(uint32_t node, uint64_t within_us);
/** A node leads. */
void faults_elected(uint32_t node);
/** Between faults_begin() and faults_end(). */
bool faults_are_on(void);
unsigned faults_count(void);
/** So often a command was refused because a disk was full. */
unsigned faults_refused(void);
/** So many copies of the store were asked for. */
unsigned faults_copies(void);

#endif
