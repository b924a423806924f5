/* pairs - the facts about redundancy groups, out of the replicated state, for ha/pair. State
 * thread. */
#ifndef NODE_CORE_PAIRS_H
#define NODE_CORE_PAIRS_H

#include "ha/pair/pair.h"
#include "node/core/core.h"

struct pair_of_nodes {
    const char *group; /* in the core's arena, as the rows; "": a node in no group, by itself */
    const Pb__NodeRow *rows[PAIR_NODES];
    size_t count;
    struct pair_facts facts;
};

/** Call back for each group, and each node in none, until false is returned. The facts lack the
 * time: only decisions need it, and only the leader knows it. */
void pairs_each(struct core *core, bool (*visit)(void *ctx, const struct pair_of_nodes *pair),
                void *ctx);
/** The command that carries a decided or granted move out. */
Pb__NodeMove pairs_move(const struct pair_of_nodes *pair, const struct pair_move *move);

#endif
