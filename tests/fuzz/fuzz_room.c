/* Goal: no command of another node crashes a leader that is short of room, and what stands for a
 * refused one is a command that passes and keeps its Ref. Method: refuse, decode, refuse again. */
#include "storage/state/room.h"
#include "storage/state/schema.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf refusal = BUF_EMPTY;
    struct buf again = BUF_EMPTY;
    Pb__Command *before;
    Pb__Command *after;

    if (room_refuse(slice_make(data, size), ERR_NO_SPACE, &refusal)) {
        before = pb__command__unpack(NULL, size, data);
        after = pb__command__unpack(NULL, buf_len(&refusal), buf_slice(&refusal).data);
        ASSERT(before != NULL);
        ASSERT(after != NULL);
        ASSERT(after->body_case == PB__COMMAND__BODY_BOUNCE ||
               after->body_case == PB__COMMAND__BODY_EMPTY ||
               after->body_case == before->body_case); /* the same without its content */
        ASSERT((before->ref == NULL) == (after->ref == NULL));
        ASSERT(before->ref == NULL || before->ref->cookie == after->ref->cookie);
        ASSERT(!room_refuse(buf_slice(&refusal), ERR_NO_SPACE, &again));
        pb__command__free_unpacked(before, NULL);
        pb__command__free_unpacked(after, NULL);
    }
    buf_deinit(&refusal);
    buf_deinit(&again);
    return 0;
}
