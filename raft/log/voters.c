#include "raft/log/voters.h"

static size_t find(const struct voters *voters, uint32_t node_id)
{
    size_t i = 0;

    while (i < VOTERS_NODES_MAX && voters->items[i].node_id != node_id) {
        i++;
    }
    return i;
}

void voters_note(struct voters *voters, uint32_t node_id, uint64_t raft_id)
{
    size_t at = find(voters, node_id);

    if (at == VOTERS_NODES_MAX) {
        at = voters->next;
        voters->next = (at + 1) % VOTERS_NODES_MAX;
    }
    voters->items[at].node_id = node_id;
    voters->items[at].raft_id = raft_id;
}

bool voters_have(const struct voters *voters, uint32_t node_id, uint64_t raft_id)
{
    size_t at = find(voters, node_id);

    return at < VOTERS_NODES_MAX && raft_id <= voters->items[at].raft_id;
}
