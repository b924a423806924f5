/* change - a change of the membership as libraft writes it into an entry of its log. libraft reads
 * past the end of one that is cut short. */
#ifndef RAFT_SHIM_CHANGE_H
#define RAFT_SHIM_CHANGE_H

#include "node/base/err.h"
#include "node/base/slice.h"

#include <raft.h>

/** Read the bytes of a RAFT_CHANGE entry into an empty configuration. ERR_MALFORMED, ERR_LIMIT: out
 * is empty. */
NODISCARD int change_decode(struct slice bytes, struct raft_configuration *out);

#endif
