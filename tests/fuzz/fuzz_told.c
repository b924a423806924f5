/* Goal: no bytes of a peer crash the decoder of members, and what it takes is within its limits.
 * Method: what is decoded from the version that we write must come out of the encoder as it went
 * in. */
#include "raft/log/told.h"

#include <string.h>

#define VERSION 1

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct told told;
    struct buf again = BUF_EMPTY;

    if (told_decode(slice_make(data, size), &told) != 0) {
        return 0;
    }
    ASSERT(told.count > 0);
    ASSERT(told.count <= RLOG_MEMBERS_MAX);
    told_encode(&told, &again);
    if (data[0] == VERSION) {
        ASSERT(buf_len(&again) == size);
        ASSERT(memcmp(buf_slice(&again).data, data, size) == 0);
    }
    buf_deinit(&again);
    return 0;
}
