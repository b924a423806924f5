#include "raft/log/told.h"

#include <string.h>

/* version, index, count; then of each raft id, length of the address, address. Version 1 ends
 * there; newer ones append. */
#define TOLD_VERSION      1
#define TOLD_HEAD_BYTES   10
#define TOLD_MEMBER_BYTES 10
#define NODE_OF(raft_id)  ((uint32_t)((raft_id) >> 32))

void told_encode(const struct told *told, struct buf *out)
{
    ASSERT(told->count <= RLOG_MEMBERS_MAX);
    buf_append_u8(out, TOLD_VERSION);
    buf_append_u64(out, told->index);
    buf_append_u8(out, (uint8_t)told->count);
    for (size_t i = 0; i < told->count; i++) {
        const struct rlog_member *member = &told->members[i];
        size_t len = strlen(member->address);

        buf_append_u64(out, member->raft_id);
        buf_append_u16(out, (uint16_t)len);
        buf_append(out, slice_make(member->address, len));
    }
}

static bool is_printable(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] <= ' ' || text.data[i] > '~') {
            return false;
        }
    }
    return true;
}

/* Takes a member off bytes. */
static int read_member(struct slice *bytes, struct rlog_member *out)
{
    struct slice address;
    size_t len;

    if (bytes->len < TOLD_MEMBER_BYTES) {
        return ERR_MALFORMED;
    }
    len = get_u16(bytes->data + 8);
    if (len == 0 || len > RLOG_ADDRESS_MAX || len > bytes->len - TOLD_MEMBER_BYTES) {
        return ERR_MALFORMED;
    }
    *out = (struct rlog_member){.raft_id = get_u64(bytes->data)};
    out->node_id = NODE_OF(out->raft_id);
    address = slice_sub(*bytes, TOLD_MEMBER_BYTES, TOLD_MEMBER_BYTES + len);
    if (out->node_id == 0 || !is_printable(address)) {
        return ERR_MALFORMED;
    }
    memcpy(out->address, address.data, len);
    *bytes = slice_sub(*bytes, TOLD_MEMBER_BYTES + len, bytes->len);
    return 0;
}

int told_decode(struct slice bytes, struct told *out)
{
    struct told told = {0};
    bool is_newer;

    if (bytes.len < TOLD_HEAD_BYTES || bytes.data[0] < TOLD_VERSION) {
        return ERR_MALFORMED;
    }
    is_newer = bytes.data[0] > TOLD_VERSION;
    told.index = get_u64(bytes.data + 1);
    told.count = bytes.data[9];
    if (told.index == 0 || told.count == 0 || told.count > RLOG_MEMBERS_MAX) {
        return ERR_MALFORMED;
    }
    bytes = slice_sub(bytes, TOLD_HEAD_BYTES, bytes.len);
    for (size_t i = 0; i < told.count; i++) {
        int rc = read_member(&bytes, &told.members[i]);

        if (rc != 0) {
            return rc;
        }
        for (size_t k = 0; k < i; k++) {
            if (told.members[k].node_id == told.members[i].node_id) {
                return ERR_MALFORMED;
            }
        }
    }
    if (bytes.len > 0 && !is_newer) {
        return ERR_MALFORMED;
    }
    *out = told;
    return 0;
}
