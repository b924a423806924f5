/* identity - who this node is: its node id and the raft id of its present membership, in
 * DATA/node.json. A raft id is written once and never used again after it was removed (DESIGN 4).
 */
#ifndef NODE_CORE_IDENTITY_H
#define NODE_CORE_IDENTITY_H

#include "node/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define IDENTITY_FIRST_MEMBERSHIP 1

static inline uint64_t identity_raft_id(uint32_t node_id, uint32_t membership)
{
    return (uint64_t)node_id << 32 | membership;
}

struct identity {
    uint64_t raft_id;
    bool bootstrap; /* the file says that this node founds its cluster: "musterctl cluster init"
                       wrote it there, where it is lost together with the log that it is about */
};

/** Read the identity of node_id from dir, or make that of a founding member when bootstrap says so.
 * ERR_CONFIG: none there and none to be made, or it is another node's; ERR_IO. All logged. */
NODISCARD int identity_open(const char *dir, uint32_t node_id, bool bootstrap,
                            struct identity *out);

#endif
