/* codec - asks and answers of raft/member as bytes. */
#ifndef RAFT_MEMBER_CODEC_H
#define RAFT_MEMBER_CODEC_H

#include "node/base/buf.h"
#include "raft/member/member.h"

struct member_ask {
    uint64_t number; /* names the answer; of the asking node */
    struct member_request request;
};

struct member_answer {
    uint64_t number;
    int status; /* 0 or enum err */
};

void member_ask_encode(const struct member_ask *ask, struct buf *out);
NODISCARD int member_ask_decode(struct slice bytes, struct member_ask *out);
void member_answer_encode(const struct member_answer *answer, struct buf *out);
NODISCARD int member_answer_decode(struct slice bytes, struct member_answer *out);

#endif
