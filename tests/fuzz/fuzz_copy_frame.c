/* Goal: no bytes of a peer crash the decoder of copy frames or pass it beyond its limits.
 * Method: the first byte is the type; what is decoded must come out of the encoder as it went in.
 */
#include "raft/snapshot/copy_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct copy_frame frame;
    struct buf again = BUF_EMPTY;
    struct slice bytes;

    if (size == 0) {
        return 0;
    }
    bytes = slice_make(data + 1, size - 1);
    if (copy_frame_decode(data[0], bytes, &frame) == 0) {
        ASSERT(frame.bytes.len <= COPY_CHUNK_BYTES_MAX);
        copy_frame_encode(&frame, &again);
        buf_append(&again, frame.bytes);
        ASSERT(slice_eq(buf_slice(&again), bytes));
        buf_deinit(&again);
    }
    return 0;
}
