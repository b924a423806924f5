/* wire - libraft's six messages as bytes: what the node links carry between the shims of two
 * nodes. Every length is checked against the frame and a named limit before memory is taken, every
 * number against the others. */
#ifndef RAFT_SHIM_WIRE_H
#define RAFT_SHIM_WIRE_H

#include "node/base/buf.h"
#include "node/base/err.h"

#include <raft.h>

#define WIRE_VERSION 1
/* Entries of one AppendEntries; also bounds what a frame can make us allocate. */
#define WIRE_ENTRIES_MAX 512
#define WIRE_SERVERS_MAX 64
#define WIRE_ADDRESS_MAX 263
/* Of a term or an index. */
#define WIRE_POSITION_MAX (UINT64_C(1) << 62)
/* Head, and one part for each entry. */
#define WIRE_PARTS_MAX (1 + WIRE_ENTRIES_MAX)

struct wire_frame {
    struct buf head;
    struct slice parts[WIRE_PARTS_MAX];
    size_t part_count;
};

void wire_frame_deinit(struct wire_frame *frame);
/** Encode message from `from` to message->server_id. frame->parts point into frame->head and, for
 * AppendEntries, into the entries. The caller limited n_entries to WIRE_ENTRIES_MAX. */
void wire_encode(const struct raft_message *message, raft_id from, struct wire_frame *frame);

struct wire_received {
    raft_id from;
    raft_id to;
    struct raft_message message; /* server_id is from; server_address is left to the caller */
};

/** Decode one frame. The message owns its memory as libraft expects it: hand it to libraft, or free
 * it by wire_release(). ERR_MALFORMED, ERR_LIMIT, ERR_VERSION. */
NODISCARD int wire_decode(struct slice bytes, struct wire_received *out);
void wire_release(struct raft_message *message);

#endif
