/* Raft messages, members' asks and forwarded commands of another node, as bytes of a stranger. */
#include "raft/log/frame.h"
#include "raft/member/codec.h"
#include "raft/shim/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_forward(struct slice bytes)
{
    struct forward_command command;
    uint64_t term;

    if (forward_open(&bytes, &term) != 0) {
        return;
    }
    while (forward_next(&bytes, &command) == 1) {
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_make(data, size);
    struct wire_received received;
    struct member_answer answer;
    struct member_ask ask;

    if (wire_decode(bytes, &received) == 0) {
        wire_release(&received.message);
    }
    (void)!member_ask_decode(bytes, &ask);
    (void)!member_answer_decode(bytes, &answer);
    read_forward(bytes);
    return 0;
}
