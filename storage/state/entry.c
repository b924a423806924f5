#include "storage/state/entry.h"

/* Header, big-endian: version u16, kind u8, 0 u8, length u32 (all of it, padding included),
 * count u32, 0 u32, time u64, wall u64, seed. A command: incarnation u64, seq u64, length u32,
 * bytes. */
#define OFFSET_LENGTH        4
#define OFFSET_COUNT         8
#define OFFSET_TIME          16
#define OFFSET_WALL          24
#define OFFSET_SEED          32
#define COMMAND_HEADER_BYTES 20
#define ENTRY_ALIGN          8

static void put_u32(uint8_t *data, uint32_t value)
{
    data[0] = (uint8_t)(value >> 24);
    data[1] = (uint8_t)(value >> 16);
    data[2] = (uint8_t)(value >> 8);
    data[3] = (uint8_t)value;
}

void entry_begin(struct entry_writer *writer, struct buf *out, enum entry_kind kind,
                 const struct entry_stamp *stamp)
{
    *writer = (struct entry_writer){.out = out, .start = buf_len(out), .count = 0};

    ASSERT(stamp->version <= ENTRY_VERSION);
    buf_append_u16(out, stamp->version < ENTRY_VERSION_MIN ? ENTRY_VERSION_MIN : stamp->version);
    buf_append_u8(out, (uint8_t)kind);
    buf_append_u8(out, 0);
    buf_append_u32(out, 0); /* length and count: entry_finish() */
    buf_append_u32(out, 0);
    buf_append_u32(out, 0);
    buf_append_u64(out, stamp->time_ms);
    buf_append_u64(out, stamp->wall_ms);
    buf_append(out, slice_make(stamp->seed, ENTRY_SEED_BYTES));
}

void entry_add(struct entry_writer *writer, const struct entry_command *command)
{
    ASSERT(command->bytes.len <= ENTRY_COMMAND_BYTES_MAX);

    buf_append_u64(writer->out, command->incarnation);
    buf_append_u64(writer->out, command->seq);
    buf_append_u32(writer->out, (uint32_t)command->bytes.len);
    buf_append(writer->out, command->bytes);
    writer->count++;
}

void entry_finish(struct entry_writer *writer)
{
    struct buf *out = writer->out;
    uint8_t *header;

    while ((buf_len(out) - writer->start) % ENTRY_ALIGN != 0) {
        buf_append_u8(out, 0);
    }
    header = out->data + out->start + writer->start;
    put_u32(header + OFFSET_LENGTH, (uint32_t)(buf_len(out) - writer->start));
    put_u32(header + OFFSET_COUNT, writer->count);
}

int entry_open(struct slice bytes, struct entry_reader *out)
{
    uint16_t version;
    uint8_t kind;

    if (bytes.len < ENTRY_HEADER_BYTES) {
        return ERR_MALFORMED;
    }
    version = get_u16(bytes.data);
    kind = bytes.data[2];
    if (version == 0 || kind == 0) {
        return ERR_MALFORMED;
    }
    if (version > ENTRY_VERSION || kind > ENTRY_STAMP) {
        return ERR_VERSION;
    }
    if (get_u32(bytes.data + OFFSET_LENGTH) != bytes.len || bytes.len % ENTRY_ALIGN != 0) {
        return ERR_MALFORMED;
    }
    *out = (struct entry_reader){.kind = (enum entry_kind)kind,
                                 .stamp = {.version = version,
                                           .time_ms = get_u64(bytes.data + OFFSET_TIME),
                                           .wall_ms = get_u64(bytes.data + OFFSET_WALL)},
                                 .count = get_u32(bytes.data + OFFSET_COUNT),
                                 .rest = slice_sub(bytes, ENTRY_HEADER_BYTES, bytes.len)};
    memcpy(out->stamp.seed, bytes.data + OFFSET_SEED, ENTRY_SEED_BYTES);
    return 0;
}

int entry_next(struct entry_reader *reader, struct entry_command *out)
{
    struct slice rest = reader->rest;
    size_t len;

    if (reader->count == 0) {
        return rest.len < ENTRY_ALIGN ? 0 : ERR_MALFORMED;
    }
    if (rest.len < COMMAND_HEADER_BYTES) {
        return ERR_MALFORMED;
    }
    len = get_u32(rest.data + 16);
    if (len > ENTRY_COMMAND_BYTES_MAX || rest.len - COMMAND_HEADER_BYTES < len) {
        return ERR_MALFORMED;
    }
    *out = (struct entry_command){
        .incarnation = get_u64(rest.data),
        .seq = get_u64(rest.data + 8),
        .bytes = slice_sub(rest, COMMAND_HEADER_BYTES, COMMAND_HEADER_BYTES + len)};
    reader->rest = slice_sub(rest, COMMAND_HEADER_BYTES + len, rest.len);
    reader->count--;
    return 1;
}
