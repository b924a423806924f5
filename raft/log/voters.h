/* voters - which memberships have had a vote, as the state tells: one that has may not come back
 * without its log (DESIGN 4), though it may not be a voter any more. Pure. */
#ifndef RAFT_LOG_VOTERS_H
#define RAFT_LOG_VOTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VOTERS_NODES_MAX 64

struct voters {
    struct {
        uint32_t node_id; /* 0: free */
        uint64_t raft_id; /* the newest one */
    } items[VOTERS_NODES_MAX];
    size_t next; /* without room the oldest is forgotten */
};

void voters_note(struct voters *voters, uint32_t node_id, uint64_t raft_id);
/** Has a vote been given under this membership, or a later one of that node? */
bool voters_have(const struct voters *voters, uint32_t node_id, uint64_t raft_id);

#endif
