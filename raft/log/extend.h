/* extend - how other modules of raft/ (copies of the store) use the raft thread and its links. Not
 * for the rest of the program. */
#ifndef RAFT_LOG_EXTEND_H
#define RAFT_LOG_EXTEND_H

#include "node/base/err.h"
#include "node/base/slice.h"

#include <stdbool.h>

struct rlog;

/* Takes the frames FRAME_COPY_FIRST..FRAME_COPY_LAST. Called on the raft thread. */
struct rlog_extension {
    void *ctx;
    void (*on_frame)(void *ctx, uint32_t node_id, uint8_t type, struct slice bytes);
    /** The link to a node came up or went down. */
    void (*on_link)(void *ctx, uint32_t node_id, bool up);
};

/** Raft thread: send a bulk frame of the extension's types. ERR_BUSY: the queue is full, try again
 * later; ERR_CLOSED: the link is down. */
NODISCARD int rlog_extension_send(struct rlog *rlog, uint32_t node_id, uint8_t type,
                                  const struct slice *parts, size_t part_count);
/** Any thread: run call on the raft thread; with rlog NULL when the log stopped first. */
void rlog_extension_call(struct rlog *rlog, void (*call)(struct rlog *rlog, void *ctx), void *ctx);

#endif
