/* Inbound accounting: see acks_in.h. */
#include "xmpp/stream/acks_in.h"

void acks_in_init(struct acks_in *acks)
{
    *acks = (struct acks_in){.awaited = RING_OF(struct awaited)};
}

void acks_in_deinit(struct acks_in *acks)
{
    ring_deinit(&acks->awaited);
}

void acks_in_start(struct acks_in *acks, uint32_t count)
{
    acks->read = count;
    acks->applied = count;
}

uint64_t acks_in_submit(struct acks_in *acks, enum awaited_kind kind)
{
    struct awaited *awaited = ring_push(&acks->awaited);

    acks->last_cookie++;
    if (kind == AWAITED_STANZA) {
        acks->read++; /* wraps at 2^32, as XEP-0198 §4 says */
    }
    *awaited = (struct awaited){.cookie = acks->last_cookie, .kind = kind, .count = acks->read};
    return acks->last_cookie;
}

int acks_in_settle(struct acks_in *acks, uint64_t cookie, struct awaited *awaited_out)
{
    bool answer = false;

    if (cookie > acks->last_cookie) {
        return 0; /* never given out */
    }
    while (acks->awaited.count > 0) {
        struct awaited awaited = *(struct awaited *)ring_at(&acks->awaited, 0);

        if (awaited.cookie > cookie) {
            break;
        }
        ring_drop(&acks->awaited);
        answer = answer || awaited.answer;
        if (awaited.kind == AWAITED_STANZA) {
            acks->applied = awaited.count;
        }
        if (awaited.cookie == cookie) {
            *awaited_out = awaited;
            awaited_out->answer = answer;
            return 1;
        }
    }
    return 0;
}

bool acks_in_ask(struct acks_in *acks)
{
    for (size_t i = acks->awaited.count; i > 0; i--) {
        struct awaited *awaited = ring_at(&acks->awaited, i - 1);

        if (awaited->kind == AWAITED_STANZA) {
            awaited->answer = true;
            return false;
        }
    }
    return true;
}
