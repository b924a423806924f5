/* vet - what a node may have put into the log for itself (DESIGN 3). What is in the log is applied
 * by all nodes or stops them all, so the leader judges a command before. Pure. */
#ifndef STORAGE_STATE_VET_H
#define STORAGE_STATE_VET_H

#include "node/base/buf.h"
#include "node/base/err.h"

/** A command that node_id forwarded under incarnation: 0 when it may go into the log. Without an
 * incarnation that is the START of that node only; with one, all but what a leader alone decides.
 * Else why not: ERR_MALFORMED (also what is not written as this program writes, and a domain that
 * is not in prepared form), ERR_VERSION (a body that this program does not know) or
 * ERR_NOT_ALLOWED; for a command that has a seq, what stands for it is appended to substitute, so
 * that the next ones are not taken for a gap: Empty with that reason, and its Ref. */
NODISCARD int vet_command(uint32_t node_id, uint64_t incarnation, struct slice command,
                          struct buf *substitute);

#endif
