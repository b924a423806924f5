/* frame - the bytes of a node link: frames cut into pieces, so that an urgent frame waits for a
 * piece of a bulk one and not for the whole. Pure codec: no socket, no clock.
 *
 *     0        4      5      6       7      8
 *     | length | kind | type | class | more | payload (length bytes) ...
 *
 * Pieces of one frame stand in order; pieces of the other class may stand between them. */
#ifndef RAFT_LINK_FRAME_H
#define RAFT_LINK_FRAME_H

#include "node/base/buf.h"
#include "node/base/err.h"
#include "raft/link/link.h"

#define FRAME_HEAD_BYTES 8
/* Small enough that a probe behind one takes under a millisecond on a 1 Gbit/s link, large enough
 * that heads and calls do not show. */
#define FRAME_PIECE_BYTES_MAX (32 * 1024)
#define FRAME_HELLO_BYTES     12 /* at least: the first version says nothing of its log */
#define FRAME_HELLO_BYTES_ALL (FRAME_HELLO_BYTES + 5)
#define FRAME_PROBE_BYTES     8
#define FRAME_CLASSES         2

enum frame_kind {
    FRAME_HELLO = 1,  /* both sides: versions and raft id */
    FRAME_READY,      /* the dialling side accepts the other's hello: the link is up */
    FRAME_PROBE,      /* a time stamp of the sender ... */
    FRAME_PROBE_ECHO, /* ... and back */
    FRAME_DATA        /* the only kind with a type, a class and more than one piece */
};

struct frame {
    enum frame_kind kind;
    uint8_t type;
    enum link_class class;
    struct slice bytes;
};

struct frame_reader {
    struct buf in;
    size_t popped; /* bytes of `in` that the last frame stood in */
    struct frame_parts {
        struct buf bytes;
        uint8_t type;
        bool open;
        bool popped;
    } parts[FRAME_CLASSES];
};

struct frame_hello {
    uint16_t version;
    uint16_t version_min; /* oldest version that the sender still speaks */
    uint64_t raft_id;
    bool log_is_empty;
    uint16_t written; /* newest version of entries that the sender hands over, and that it reads */
    uint16_t newest;  /* 0: the sender does not say, before version 5 of the link */
};

#define FRAME_READER_EMPTY ((struct frame_reader){0})

void frame_reader_deinit(struct frame_reader *reader);
/** Add bytes, cut anywhere; frames popped before become invalid. */
void frame_reader_feed(struct frame_reader *reader, struct slice bytes);
/** The next whole frame: *found_out tells whether there is one; its bytes are valid until the next
 * call. ERR_MALFORMED or ERR_LIMIT (longer than LINK_FRAME_BYTES_MAX): drop the link. */
NODISCARD int frame_reader_pop(struct frame_reader *reader, struct frame *out, bool *found_out);

/** Append a frame of one piece that carries no type. */
void frame_put_control(struct buf *out, enum frame_kind kind, struct slice bytes);
void frame_put_probe(struct buf *out, uint64_t stamp);
/** Append the head of a data piece; length bytes of payload follow. */
void frame_put_piece_head(struct buf *out, enum link_class class, uint8_t type, size_t length,
                          bool more);
void frame_put_hello(struct buf *out, const struct frame_hello *hello);
/** ERR_MALFORMED when too short; what follows the known fields is of a newer version. */
NODISCARD int frame_get_hello(struct slice bytes, struct frame_hello *out);

#endif
