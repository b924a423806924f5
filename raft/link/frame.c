#include "raft/link/frame.h"

struct piece {
    size_t length;
    uint8_t kind;
    uint8_t type;
    uint8_t class;
    uint8_t more;
};

void frame_reader_deinit(struct frame_reader *reader)
{
    buf_deinit(&reader->in);
    for (size_t i = 0; i < FRAME_CLASSES; i++) {
        buf_deinit(&reader->parts[i].bytes);
    }
    *reader = FRAME_READER_EMPTY;
}

/* Forget the frame that was popped last. A frame of several pieces was large: its memory goes too.
 */
static void forget_popped(struct frame_reader *reader)
{
    buf_consume(&reader->in, reader->popped);
    reader->popped = 0;
    for (size_t i = 0; i < FRAME_CLASSES; i++) {
        if (reader->parts[i].popped) {
            buf_deinit(&reader->parts[i].bytes);
            reader->parts[i] = (struct frame_parts){0};
        }
    }
}

void frame_reader_feed(struct frame_reader *reader, struct slice bytes)
{
    forget_popped(reader);
    buf_append(&reader->in, bytes);
}

static int check_control(const struct piece *piece)
{
    size_t length_max;

    switch (piece->kind) {
    case FRAME_HELLO:
        length_max = FRAME_PIECE_BYTES_MAX; /* fields that a newer version appends */
        break;
    case FRAME_READY:
        length_max = 0;
        break;
    case FRAME_PROBE:
    case FRAME_PROBE_ECHO:
        length_max = FRAME_PROBE_BYTES;
        break;
    default:
        return ERR_MALFORMED;
    }
    if (piece->length > length_max) {
        return ERR_LIMIT;
    }
    return piece->type == 0 && piece->class == 0 && piece->more == 0 ? 0 : ERR_MALFORMED;
}

/* Believe a head before its payload is waited for or any memory is taken. */
static int check_piece(const struct frame_reader *reader, const struct piece *piece)
{
    const struct frame_parts *parts;

    if (piece->length > FRAME_PIECE_BYTES_MAX) {
        return ERR_LIMIT;
    }
    if (piece->kind != FRAME_DATA) {
        return check_control(piece);
    }
    if (piece->class >= FRAME_CLASSES || piece->more > 1) {
        return ERR_MALFORMED;
    }
    parts = &reader->parts[piece->class];
    if (parts->open && parts->type != piece->type) {
        return ERR_MALFORMED;
    }
    if (buf_len(&parts->bytes) + piece->length > LINK_FRAME_BYTES_MAX) {
        return ERR_LIMIT;
    }
    if (piece->more == 1 && piece->length == 0) {
        return ERR_MALFORMED; /* a frame that never grows would never end */
    }
    return 0;
}

/* Take a checked piece that stands whole in `in`. True when it completes a frame. */
static bool take_piece(struct frame_reader *reader, const struct piece *piece, struct slice payload,
                       struct frame *out)
{
    struct frame_parts *parts = &reader->parts[piece->class];
    bool is_part = piece->more == 1 || parts->open;

    reader->popped = FRAME_HEAD_BYTES + piece->length;
    /* A control frame has class 0, too, and may come between the pieces of an urgent one. */
    if (piece->kind == FRAME_DATA && is_part) {
        parts->open = true;
        parts->type = piece->type;
        buf_append(&parts->bytes, payload);
        if (piece->more == 1) {
            return false;
        }
        parts->popped = true;
        payload = buf_slice(&parts->bytes);
    }
    *out = (struct frame){.kind = (enum frame_kind)piece->kind,
                          .type = piece->type,
                          .class = (enum link_class)piece->class,
                          .bytes = payload};
    return true;
}

int frame_reader_pop(struct frame_reader *reader, struct frame *out, bool *found_out)
{
    *found_out = false;
    while (!*found_out) {
        struct slice in;
        struct piece piece;
        int rc;

        forget_popped(reader);
        in = buf_slice(&reader->in);
        if (in.len < FRAME_HEAD_BYTES) {
            return 0;
        }
        piece = (struct piece){.length = get_u32(in.data),
                               .kind = in.data[4],
                               .type = in.data[5],
                               .class = in.data[6],
                               .more = in.data[7]};
        rc = check_piece(reader, &piece);
        if (rc != 0) {
            return rc;
        }
        if (in.len - FRAME_HEAD_BYTES < piece.length) {
            return 0;
        }
        *found_out = take_piece(
            reader, &piece, slice_sub(in, FRAME_HEAD_BYTES, FRAME_HEAD_BYTES + piece.length), out);
    }
    return 0;
}

static void put_head(struct buf *out, const struct piece *piece)
{
    ASSERT(piece->length <= FRAME_PIECE_BYTES_MAX);
    buf_append_u32(out, (uint32_t)piece->length);
    buf_append_u8(out, piece->kind);
    buf_append_u8(out, piece->type);
    buf_append_u8(out, piece->class);
    buf_append_u8(out, piece->more);
}

void frame_put_control(struct buf *out, enum frame_kind kind, struct slice bytes)
{
    put_head(out, &(struct piece){.length = bytes.len, .kind = (uint8_t)kind});
    buf_append(out, bytes);
}

void frame_put_probe(struct buf *out, uint64_t stamp)
{
    put_head(out, &(struct piece){.length = FRAME_PROBE_BYTES, .kind = FRAME_PROBE});
    buf_append_u64(out, stamp);
}

void frame_put_piece_head(struct buf *out, enum link_class class, uint8_t type, size_t length,
                          bool more)
{
    put_head(out, &(struct piece){.length = length,
                                  .kind = FRAME_DATA,
                                  .type = type,
                                  .class = (uint8_t) class,
                                  .more = more ? 1 : 0});
}

void frame_put_hello(struct buf *out, const struct frame_hello *hello)
{
    put_head(out, &(struct piece){.length = FRAME_HELLO_BYTES_ALL, .kind = FRAME_HELLO});
    buf_append_u16(out, hello->version);
    buf_append_u16(out, hello->version_min);
    buf_append_u64(out, hello->raft_id);
    buf_append_u8(out, hello->log_is_empty ? 1 : 0);
    buf_append_u16(out, hello->written);
    buf_append_u16(out, hello->newest);
}

int frame_get_hello(struct slice bytes, struct frame_hello *out)
{
    if (bytes.len < FRAME_HELLO_BYTES) {
        return ERR_MALFORMED;
    }
    *out = (struct frame_hello){.version = get_u16(bytes.data),
                                .version_min = get_u16(bytes.data + 2),
                                .raft_id = get_u64(bytes.data + 4),
                                .log_is_empty = bytes.len > FRAME_HELLO_BYTES &&
                                                bytes.data[FRAME_HELLO_BYTES] == 1};
    if (bytes.len >= FRAME_HELLO_BYTES_ALL) {
        out->written = get_u16(bytes.data + FRAME_HELLO_BYTES + 1);
        out->newest = get_u16(bytes.data + FRAME_HELLO_BYTES + 3);
    }
    return 0;
}
