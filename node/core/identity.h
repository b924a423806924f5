/* identity - who this node is: its node id and the raft id of its present membership, in
 * DATA/node.json. A raft id belongs to one log and is never used again after that log is lost: a
 * voter that forgot its votes could give them twice, and committed entries would be lost (DESIGN
 * 4). So the log carries the raft id too, and a node whose log is gone does not start.
 *
 *   founder  {"node": 1, "raft_id": 4294967297, "bootstrap": true}   by "musterctl cluster init"
 *   joiner   {"node": 2, "raft_id": 8589934594, "members": [{"node": 1, "address": "a:7101"}]}
 *                                                                    by "musterctl node join"
 *      `--first start--> {..., "begun": true}, and raft/membership in the log's folder
 *
 * Whom a joiner links with until the log has told it who the members are is said here: a
 * configuration that is kept may name none of those that are left. */
#ifndef NODE_CORE_IDENTITY_H
#define NODE_CORE_IDENTITY_H

#include "node/base/err.h"
#include "raft/log/rlog.h"

#include <stdbool.h>
#include <stdint.h>

#define IDENTITY_FIRST_MEMBERSHIP 1

static inline uint64_t identity_raft_id(uint32_t node_id, uint32_t membership)
{
    return (uint64_t)node_id << 32 | membership;
}

struct identity {
    uint32_t node_id;
    uint64_t raft_id;
    bool bootstrap;                               /* founds its cluster, and has not begun to */
    bool begun;                                   /* its log was there once */
    struct rlog_member members[RLOG_MEMBERS_MAX]; /* the others, by node and address */
    size_t member_count;
};

/** Is this the first membership of its node, that of a founder? */
static inline bool identity_is_founder(const struct identity *identity)
{
    return (uint32_t)identity->raft_id == IDENTITY_FIRST_MEMBERSHIP;
}

/** Read the identity of node_id from dir. ERR_CONFIG: none there, or another node's. Logged. */
NODISCARD int identity_open(const char *dir, uint32_t node_id, struct identity *out);

/** Is the log in log_dir this membership's? ERR_CORRUPT: it was there and is gone, or belongs to
 * another membership: the node has to join again under a new raft id. Logged. */
NODISCARD int identity_check_log(const struct identity *identity, const char *log_dir);

/** Remove what a first start that was cut short left in log_dir: a founder that has not begun took
 * no part in anything, and the log of its cluster is made anew. ERR_IO, logged. */
NODISCARD int identity_clear_log(const struct identity *identity, const char *log_dir);

/** The log in log_dir has begun: from now on it may not be lost. ERR_IO, logged. */
NODISCARD int identity_begin(struct identity *identity, const char *dir, const char *log_dir);

#endif
