/* copy_frame - the frames of a copy between two nodes. Pure codec. */
#ifndef RAFT_SNAPSHOT_COPY_FRAME_H
#define RAFT_SNAPSHOT_COPY_FRAME_H

#include "node/base/buf.h"
#include "node/base/err.h"
#include "raft/log/frame.h"

#define COPY_HASH_BYTES 32 /* SHA-256 */
/* Bytes in one DATA frame, and bytes sent beyond those that the receiver has written: enough to
 * keep a disk and a network busy, little enough that neither end holds much. */
#define COPY_CHUNK_BYTES_MAX  (128 * 1024)
#define COPY_WINDOW_BYTES_MAX (4 * 1024 * 1024)

enum copy_frame_type {
    COPY_ASK = FRAME_COPY_FIRST, /* request, index: least that the copy must have applied */
    COPY_DATA,                   /* request, offset of the first byte, bytes */
    COPY_ACK,                    /* request, offset: so much is written */
    COPY_END,   /* request, offset: length; index that the copy has applied; hash */
    COPY_REFUSE /* request, status */
};

struct copy_frame {
    enum copy_frame_type type;
    uint64_t request; /* drawn by the receiver: frames of an earlier try are told apart */
    uint64_t offset;
    uint64_t index;
    int status;
    uint8_t hash[COPY_HASH_BYTES];
    struct slice bytes; /* DATA: borrowed */
};

/** Append everything but the bytes of DATA. */
void copy_frame_encode(const struct copy_frame *frame, struct buf *out);
/** ERR_MALFORMED; ERR_LIMIT: more data than a frame may carry. */
NODISCARD int copy_frame_decode(uint8_t type, struct slice bytes, struct copy_frame *out);

#endif
