/* told - the members of the cluster as another node knows them (FRAME_MEMBERS), which may know more
 * than the log has here. A node that was away while another one joined and came to lead finds no
 * way to that leader in its own log, and without the leader it gets no more of the log. Links
 * follow what is told; votes, leases and majorities go by the log alone. The codec is pure. */
#ifndef RAFT_LOG_TOLD_H
#define RAFT_LOG_TOLD_H

#include "node/base/buf.h"
#include "node/base/err.h"
#include "raft/log/rlog.h"

struct told {
    uint64_t index; /* of the entry with these members, committed; 0: nothing was told */
    size_t count;
    struct rlog_member members[RLOG_MEMBERS_MAX];
};

void told_encode(const struct told *told, struct buf *out);
/** ERR_MALFORMED: not members of a cluster. What a newer version has behind is passed over. */
NODISCARD int told_decode(struct slice bytes, struct told *out);

#endif
