/* next - what the version after this one adds, in a build with NEXT_VERSION and nowhere else: a
 * node says in the log which program it runs. It has the form that every addition has: a field of a
 * command and of its row (schema.proto, added by CMakeLists.txt), written once the cluster's
 * version allows it, copied by apply. tests/upgrade upgrades a cluster to that build. */
#ifndef STORAGE_STATE_NEXT_H
#define STORAGE_STATE_NEXT_H

#include "storage/state/versions.h"

#include "storage/state/schema.pb-c.h"

#include <stdbool.h>
#include <string.h>

#ifdef NEXT_VERSION
#define NEXT_LOG_VERSION_PROGRAM STATE_LOG_VERSION

/** Apply: what NodeSet adds to the row. */
static inline void next_node_set(Pb__NodeRow *row, const Pb__NodeSet *command)
{
    row->program = command->program;
}

/** For the node that says it. */
static inline void next_fill_node_set(Pb__NodeSet *command, uint32_t log_version, char *program)
{
    if (log_version >= NEXT_LOG_VERSION_PROGRAM) {
        command->program = program;
    }
}

/** Does a node's row say what the node would? */
static inline bool next_node_is_set(const Pb__NodeRow *row, uint32_t log_version,
                                    const char *program)
{
    return log_version < NEXT_LOG_VERSION_PROGRAM || strcmp(row->program, program) == 0;
}
#else
static inline void next_node_set(Pb__NodeRow *row, const Pb__NodeSet *command)
{
    (void)row;
    (void)command;
}

static inline void next_fill_node_set(Pb__NodeSet *command, uint32_t log_version, char *program)
{
    (void)command;
    (void)log_version;
    (void)program;
}

static inline bool next_node_is_set(const Pb__NodeRow *row, uint32_t log_version,
                                    const char *program)
{
    (void)row;
    (void)log_version;
    (void)program;
    return true;
}
#endif

#endif
