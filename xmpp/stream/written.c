/* What has left without acks: see written.h. */
#include "xmpp/stream/written.h"

void written_add(struct written *written, bool pending, uint64_t position, uint64_t bytes)
{
    struct written_mark *newest = &written->newest;
    uint64_t *last = pending ? &newest->done_position : &newest->presence_position;

    newest->bytes = bytes;
    if (position > *last) {
        *last = position;
    }
    if (!written->watching) {
        written->watching = true;
        written->watched = *newest;
    }
}

bool written_check(struct written *written, uint64_t bytes_left, struct written_mark *mark_out)
{
    if (!written->watching || bytes_left < written->watched.bytes) {
        return false;
    }
    *mark_out = written->watched;
    written->watching = written->newest.bytes > written->watched.bytes;
    written->watched = written->newest;
    return true;
}
