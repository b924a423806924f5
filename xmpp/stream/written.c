/* What has left without acks: see written.h. */
#include "xmpp/stream/written.h"

void written_add(struct written *written, bool pending, uint64_t position)
{
    uint64_t *newest = pending ? &written->done_position : &written->presence_position;

    if (position > *newest) {
        *newest = position;
    }
}

static void mark(struct written *written, uint64_t bytes_put)
{
    if (!written->marked && (written->done_position != written->mark_done ||
                             written->presence_position != written->mark_presence)) {
        written->marked = true;
        written->mark_bytes = bytes_put;
        written->mark_done = written->done_position;
        written->mark_presence = written->presence_position;
    }
}

bool written_check(struct written *written, uint64_t bytes_put, uint64_t bytes_left,
                   uint64_t *done_out, uint64_t *presence_out)
{
    bool reached;

    mark(written, bytes_put);
    reached = written->marked && bytes_left >= written->mark_bytes;
    if (!reached) {
        return false;
    }
    *done_out = written->mark_done;
    *presence_out = written->mark_presence;
    written->marked = false;
    mark(written, bytes_put); /* what came since waits for the next check */
    return true;
}
