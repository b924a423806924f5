/* versions - what this program reads and writes of entries and rows. One number stands for both:
 * the written version, a fact in the state (ClusterRow.log_version). It rises for the whole cluster
 * at once, by an operator's word and only when every member reads more (docs/decisions/0020): until
 * then each program writes what the one before reads, afterwards an older one is refused. What a
 * version adds is written only where the state says that it may be. */
#ifndef STORAGE_STATE_VERSIONS_H
#define STORAGE_STATE_VERSIONS_H

#include <stdint.h>

/* The newest version that this program understands. 1: AlarmSet, ClusterSet, NodeStop, NodeHealth,
 * NodeVotes. 2: UserLoad, and a full list ends its session. 3: Keep, Kept of UserLoad, copies of
 * messages. A build with NEXT_VERSION is the program after this one (next.h). */
#ifdef NEXT_VERSION
#define STATE_LOG_VERSION 4
#else
#define STATE_LOG_VERSION 3
#endif
#define STATE_LOG_VERSION_ALARMS     1
#define STATE_LOG_VERSION_HEALTH     1
#define STATE_LOG_VERSION_STOP       1
#define STATE_LOG_VERSION_VOTES      1
#define STATE_LOG_VERSION_LOAD       2
#define STATE_LOG_VERSION_FULL_LISTS 2
#define STATE_LOG_VERSION_KEPT       3
#define STATE_LOG_VERSION_COPIES     3

/* What a store says of its rows, so that a program knows them before it reads one. 2: a roster item
 * has a row of its own, and so has what a presence shows. 3: a node's row says since when it has
 * its life. From there on each written version above 1 has one of its own. A store below the oldest
 * is refused: nothing carries its rows over. */
#define STATE_SCHEMA_OLDEST  3
#define STATE_SCHEMA_VERSION (STATE_LOG_VERSION + 2)

/** What a store is marked with while this version is written. */
static inline uint32_t state_schema_of(uint32_t log_version)
{
    return log_version <= 1 ? STATE_SCHEMA_OLDEST : log_version + 2;
}

#endif
