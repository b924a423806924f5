#include "raft/snapshot/copy_frame.h"

#define ASK_BYTES       16
#define DATA_HEAD_BYTES 16
#define ACK_BYTES       16
#define END_BYTES       (24 + COPY_HASH_BYTES)
#define REFUSE_BYTES    12

void copy_frame_encode(const struct copy_frame *frame, struct buf *out)
{
    buf_append_u64(out, frame->request);
    switch (frame->type) {
    case COPY_ASK:
        buf_append_u64(out, frame->index);
        break;
    case COPY_DATA:
    case COPY_ACK:
        buf_append_u64(out, frame->offset);
        break;
    case COPY_END:
        buf_append_u64(out, frame->offset);
        buf_append_u64(out, frame->index);
        buf_append(out, slice_make(frame->hash, sizeof(frame->hash)));
        break;
    case COPY_REFUSE:
        buf_append_u32(out, (uint32_t)-frame->status);
        break;
    }
}

/* Length of a frame of this type, for DATA of its head; 0: no such type. */
static size_t fixed_bytes(uint8_t type)
{
    switch (type) {
    case COPY_ASK:
        return ASK_BYTES;
    case COPY_DATA:
        return DATA_HEAD_BYTES;
    case COPY_ACK:
        return ACK_BYTES;
    case COPY_END:
        return END_BYTES;
    case COPY_REFUSE:
        return REFUSE_BYTES;
    default:
        return 0;
    }
}

static int check_length(uint8_t type, size_t len)
{
    size_t fixed = fixed_bytes(type);

    if (fixed == 0 || len < fixed) {
        return ERR_MALFORMED;
    }
    if (type != COPY_DATA) {
        return len == fixed ? 0 : ERR_MALFORMED;
    }
    if (len == fixed) {
        return ERR_MALFORMED; /* no data: nothing would move */
    }
    return len - fixed <= COPY_CHUNK_BYTES_MAX ? 0 : ERR_LIMIT;
}

static int decode_status(const uint8_t *data, int *out)
{
    uint32_t status = get_u32(data);

    if (status == 0 || status > INT32_MAX) {
        return ERR_MALFORMED; /* a refusal needs a reason */
    }
    *out = -(int)status;
    return 0;
}

int copy_frame_decode(uint8_t type, struct slice bytes, struct copy_frame *out)
{
    const uint8_t *data = bytes.data;
    int rc = check_length(type, bytes.len);

    if (rc != 0) {
        return rc;
    }
    *out = (struct copy_frame){.type = (enum copy_frame_type)type, .request = get_u64(data)};
    switch (out->type) {
    case COPY_ASK:
        out->index = get_u64(data + 8);
        break;
    case COPY_DATA:
        out->offset = get_u64(data + 8);
        out->bytes = slice_sub(bytes, DATA_HEAD_BYTES, bytes.len);
        break;
    case COPY_ACK:
        out->offset = get_u64(data + 8);
        break;
    case COPY_END:
        out->offset = get_u64(data + 8);
        out->index = get_u64(data + 16);
        memcpy(out->hash, data + 24, sizeof(out->hash));
        break;
    case COPY_REFUSE:
        rc = decode_status(data + 8, &out->status);
        break;
    }
    return rc;
}
