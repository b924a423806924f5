/* Goal: no bytes in the log or from another node crash the reader of entries, or make it read
 * outside of them; what it accepts is written again to the same bytes. Method: read all commands,
 * write them with the same stamp; only padding may differ. */
#include "storage/state/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct slice part, struct slice whole)
{
    ASSERT(part.data >= whole.data);
    ASSERT(part.data + part.len <= whole.data + whole.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slice bytes = slice_make(data, size);
    struct entry_command command;
    struct entry_reader reader;
    struct entry_writer writer;
    struct buf again = BUF_EMPTY;
    size_t content;
    int rc;

    if (entry_open(bytes, &reader) != 0) {
        return 0;
    }
    entry_begin(&writer, &again, reader.kind, &reader.stamp);
    while ((rc = entry_next(&reader, &command)) == 1) {
        check_inside(command.bytes, bytes);
        entry_add(&writer, &command);
    }
    content = buf_len(&again);
    entry_finish(&writer);
    if (rc == 0) {
        ASSERT(buf_len(&again) == size);
        /* Behind the header, whose reserved bytes are not kept. */
        ASSERT(memcmp(buf_slice(&again).data + ENTRY_HEADER_BYTES, data + ENTRY_HEADER_BYTES,
                      content - ENTRY_HEADER_BYTES) == 0);
    }
    buf_deinit(&again);
    return 0;
}
