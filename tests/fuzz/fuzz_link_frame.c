/* Goal: no bytes of a peer crash the frame reader, make it hold more than its limits, or make it
 * depend on how the bytes are cut.
 * Method: the first byte gives the size of the cuts; the frames popped must be those of one feed.
 */
#include "raft/link/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Pop all frames into a running hash and a count; returns the first error. */
static int drain(struct frame_reader *reader, uint64_t *hash)
{
    struct frame frame;
    bool found = true;
    int rc = 0;

    while (rc == 0 && found) {
        rc = frame_reader_pop(reader, &frame, &found);
        if (rc == 0 && found) {
            struct frame_hello hello = {0};

            ASSERT(frame.bytes.len <= LINK_FRAME_BYTES_MAX);
            if (frame.kind == FRAME_HELLO && frame_get_hello(frame.bytes, &hello) == 0) {
                *hash += hello.raft_id;
            }
            *hash = *hash * 31 + frame.type + 256u * (unsigned)frame.kind;
            for (size_t i = 0; i < frame.bytes.len; i++) {
                *hash = *hash * 31 + frame.bytes.data[i];
            }
        }
    }
    return rc;
}

static int read_in_steps(struct slice bytes, size_t step, uint64_t *hash)
{
    struct frame_reader reader = FRAME_READER_EMPTY;
    int rc = 0;

    for (size_t from = 0; from < bytes.len && rc == 0; from += step) {
        size_t to = bytes.len - from < step ? bytes.len : from + step;

        frame_reader_feed(&reader, slice_sub(bytes, from, to));
        rc = drain(&reader, hash);
    }
    frame_reader_deinit(&reader);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t whole = 0;
    uint64_t cut = 0;
    struct slice bytes;

    if (size < 2) {
        return 0;
    }
    bytes = slice_make(data + 1, size - 1);
    ASSERT(read_in_steps(bytes, bytes.len, &whole) ==
           read_in_steps(bytes, (size_t)data[0] + 1, &cut));
    ASSERT(whole == cut);
    return 0;
}
