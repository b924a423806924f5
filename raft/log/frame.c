#include "raft/log/frame.h"

#include "storage/state/entry.h"

#define LEASE_PROBE_BYTES  16 /* what the first version had */
#define LEASE_ASK_BYTES    32 /* what the first version had */
#define LEASE_ASK_IS_FULL  1
#define LEASE_ASK_HAS_LEFT 2
#define FORWARD_HEAD_BYTES 20 /* incarnation, seq, length */

void lease_probe_encode(const struct lease_probe *probe, uint16_t link_version, struct buf *out)
{
    buf_append_u64(out, probe->term);
    buf_append_u64(out, probe->sent_ms);
    if (link_version >= LEASE_PROBE_MS) {
        buf_append_u64(out, probe->lease_ms);
    }
}

int lease_probe_decode(struct slice bytes, struct lease_probe *out)
{
    bool says_lease = bytes.len == LEASE_PROBE_BYTES + 8;

    if (bytes.len != LEASE_PROBE_BYTES && !says_lease) {
        return ERR_MALFORMED;
    }
    *out = (struct lease_probe){.term = get_u64(bytes.data),
                                .sent_ms = get_u64(bytes.data + 8),
                                .lease_ms = says_lease ? get_u64(bytes.data + 16) : 0};
    return 0;
}

void lease_ask_encode(const struct lease_ask *ask, uint16_t link_version, struct buf *out)
{
    buf_append_u64(out, ask->term);
    buf_append_u64(out, ask->probe_ms);
    buf_append_u64(out, ask->sent_ms);
    buf_append_u64(out, ask->incarnation);
    if (link_version >= LEASE_ASK_FULL) {
        buf_append_u8(out, (uint8_t)((ask->is_full ? LEASE_ASK_IS_FULL : 0) |
                                     (ask->has_left ? LEASE_ASK_HAS_LEFT : 0)));
    }
}

int lease_ask_decode(struct slice bytes, struct lease_ask *out)
{
    uint8_t flags = bytes.len > LEASE_ASK_BYTES ? bytes.data[LEASE_ASK_BYTES] : 0;

    if (bytes.len < LEASE_ASK_BYTES || bytes.len > LEASE_ASK_BYTES + 1) {
        return ERR_MALFORMED;
    }
    *out = (struct lease_ask){.term = get_u64(bytes.data),
                              .probe_ms = get_u64(bytes.data + 8),
                              .sent_ms = get_u64(bytes.data + 16),
                              .incarnation = get_u64(bytes.data + 24),
                              .is_full = (flags & LEASE_ASK_IS_FULL) != 0,
                              .has_left = (flags & LEASE_ASK_HAS_LEFT) != 0};
    return 0;
}

void lease_grant_encode(const struct lease_grant *grant, struct buf *out)
{
    buf_append_u64(out, grant->term);
    buf_append_u64(out, grant->ask_ms);
    buf_append_u64(out, grant->incarnation);
    buf_append_u64(out, grant->remaining_ms);
}

int lease_grant_decode(struct slice bytes, struct lease_grant *out)
{
    if (bytes.len != 32) {
        return ERR_MALFORMED;
    }
    *out = (struct lease_grant){.term = get_u64(bytes.data),
                                .ask_ms = get_u64(bytes.data + 8),
                                .incarnation = get_u64(bytes.data + 16),
                                .remaining_ms = get_u64(bytes.data + 24)};
    return 0;
}

void hash_report_encode(const struct hash_report *report, struct buf *out)
{
    buf_append_u64(out, report->mark_index);
    buf_append_u64(out, report->hash);
}

int hash_report_decode(struct slice bytes, struct hash_report *out)
{
    if (bytes.len != 16) {
        return ERR_MALFORMED;
    }
    *out = (struct hash_report){.mark_index = get_u64(bytes.data), .hash = get_u64(bytes.data + 8)};
    return 0;
}

void forward_begin(uint64_t term, struct buf *out)
{
    buf_append_u64(out, term);
}

void forward_add(const struct forward_command *command, struct buf *out)
{
    buf_append_u64(out, command->incarnation);
    buf_append_u64(out, command->seq);
    buf_append_u32(out, (uint32_t)command->bytes.len);
    buf_append(out, command->bytes);
}

int forward_open(struct slice *bytes, uint64_t *term_out)
{
    if (bytes->len < 8) {
        return ERR_MALFORMED;
    }
    *term_out = get_u64(bytes->data);
    *bytes = slice_sub(*bytes, 8, bytes->len);
    return 0;
}

int forward_next(struct slice *bytes, struct forward_command *out)
{
    uint32_t len;

    if (bytes->len == 0) {
        return 0;
    }
    if (bytes->len < FORWARD_HEAD_BYTES) {
        return ERR_MALFORMED;
    }
    len = get_u32(bytes->data + 16);
    if (len == 0 || len > ENTRY_COMMAND_BYTES_MAX || bytes->len - FORWARD_HEAD_BYTES < len) {
        return ERR_MALFORMED;
    }
    *out = (struct forward_command){
        .incarnation = get_u64(bytes->data),
        .seq = get_u64(bytes->data + 8),
        .bytes = slice_sub(*bytes, FORWARD_HEAD_BYTES, FORWARD_HEAD_BYTES + len)};
    *bytes = slice_sub(*bytes, FORWARD_HEAD_BYTES + len, bytes->len);
    return 1;
}
