/* What has left without acks: see written.h. */
#include "xmpp/stream/written.h"

void written_add(struct written *written, bool pending, uint64_t position, uint64_t bytes)
{
    struct written_mark *newest = &written->newest;

    newest->bytes = bytes;
    if (pending && position > newest->done_position) {
        newest->done_position = position;
    }
    if (position > newest->presence_position) { /* the list and presence come in one order */
        newest->presence_position = position;
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
