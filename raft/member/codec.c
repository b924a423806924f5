#include "raft/member/codec.h"

#include "node/base/utf8.h"

#define ASK_HEAD_BYTES 18 /* number u64, kind u8, id u64, role u8; the address is the rest */

void member_ask_encode(const struct member_ask *ask, struct buf *out)
{
    buf_append_u64(out, ask->number);
    buf_append_u8(out, (uint8_t)ask->request.kind);
    buf_append_u64(out, ask->request.id);
    buf_append_u8(out, (uint8_t)ask->request.role);
    buf_append_str(out, ask->request.address);
}

int member_ask_decode(struct slice bytes, struct member_ask *out)
{
    struct slice address;
    uint8_t kind;

    if (bytes.len < ASK_HEAD_BYTES || bytes.len > ASK_HEAD_BYTES + MEMBER_ADDRESS_MAX) {
        return ERR_MALFORMED;
    }
    kind = bytes.data[8];
    address = slice_sub(bytes, ASK_HEAD_BYTES, bytes.len);
    if (kind < MEMBER_ADD || kind > MEMBER_TRANSFER || bytes.data[17] > RAFT_SPARE ||
        !utf8_valid_text(address)) {
        return ERR_MALFORMED;
    }
    *out = (struct member_ask){
        .number = get_u64(bytes.data),
        .request = {.kind = (enum member_kind)kind,
                    .id = get_u64(bytes.data + 9),
                    .role = bytes.data[17]},
    };
    if (address.len > 0) {
        memcpy(out->request.address, address.data, address.len);
    }
    return 0;
}

void member_answer_encode(const struct member_answer *answer, struct buf *out)
{
    buf_append_u64(out, answer->number);
    buf_append_u32(out, (uint32_t)-answer->status);
}

int member_answer_decode(struct slice bytes, struct member_answer *out)
{
    uint32_t status;

    if (bytes.len != 12) {
        return ERR_MALFORMED;
    }
    status = get_u32(bytes.data + 8);
    if (status > INT8_MAX) {
        return ERR_MALFORMED;
    }
    *out = (struct member_answer){.number = get_u64(bytes.data), .status = -(int)status};
    return 0;
}
