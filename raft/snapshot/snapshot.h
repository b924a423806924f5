/* snapshot - copies of the store from node to node, for one that is too far behind for the log
 * (DESIGN 4). Streams them as bulk frames of the node links, so that raft's own messages overtake
 * them; paced by what the receiver has written. Knows neither store nor state: bytes from a
 * callback, bytes into a file.
 *
 *   source node                                     node that is behind
 *   write_copy --pipe--> source thread              target thread --file--> on_fetched
 *                          | ^                          | ^
 *                    DATA, END | ACK, ASK         ACK, ASK | DATA, END
 *                          v |                          v |
 *                        raft thread ======= link ====== raft thread                        */
#ifndef RAFT_SNAPSHOT_SNAPSHOT_H
#define RAFT_SNAPSHOT_SNAPSHOT_H

#include "raft/log/extend.h"

#include <stdint.h>

struct snapshot;

struct snapshot_config {
    const char *path; /* file for the incoming copy, on the file system of the store */
    void *ctx;
    /** Any thread: what a copy begun now has applied at least. A node that is behind what it is
     * asked for says so at once, not after a copy that is of no use. */
    uint64_t (*copied_index)(void *ctx);
    /** On a thread of its own: write a copy of the store to fd, which is non-blocking and takes it
     * as slowly as the network does; *applied_out is the index it has applied. Fails when fd is
     * closed from the other side. */
    int (*write_copy)(void *ctx, int fd, uint64_t *applied_out);
    /** The answer to snapshot_fetch(), on the target thread: the copy stands in the file, checked
     * and synced (status 0), or why not. The file is the owner's until the next snapshot_fetch().
     */
    void (*on_fetched)(void *ctx, uint64_t applied_index, int status);
};

/** Removes what an interrupted fetch left at path. */
struct snapshot *snapshot_new(const struct snapshot_config *config);
/** For struct rlog_config. Valid until snapshot_free(). */
const struct rlog_extension *snapshot_extension(struct snapshot *snapshot);
/** After rlog_start(): serve and fetch copies from now on. */
void snapshot_start(struct snapshot *snapshot, struct rlog *rlog);
/** Any thread: fetch a copy that has applied at least index_min from a node; answered by one
 * on_fetched(), with ERR_NOT_FOUND when from_node is 0: nobody is known to ask. Not again before
 * the file of that answer was used. A fetch that is interrupted fails; the next one starts from the
 * beginning. */
void snapshot_fetch(struct snapshot *snapshot, uint32_t from_node, uint64_t index_min);
/** Before rlog_stop(): end what is under way without an answer, join the threads. Also when
 * snapshot_start() was never called. */
void snapshot_stop(struct snapshot *snapshot);
/** After rlog_stop(). Sets *snapshot to NULL. */
void snapshot_free(struct snapshot **snapshot);

#endif
