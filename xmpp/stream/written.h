/* written - what a stream without XEP-0198 has sent: there is no ack, so a stanza counts as done
 * when its bytes have left the output (DESIGN 5, "Without XEP-0198"). One mark at a time is
 * watched, so that any number of stanzas takes the same memory. Pure. */
#ifndef XMPP_STREAM_WRITTEN_H
#define XMPP_STREAM_WRITTEN_H

#include <stdbool.h>
#include <stdint.h>

/* A place in the output, and the positions of what stands before it. */
struct written_mark {
    uint64_t bytes; /* put into the output since the start */
    uint64_t done_position;
    uint64_t presence_position;
};

struct written {
    struct written_mark newest;
    struct written_mark watched;
    bool watching;
};

/** One stanza was put into the output; with it bytes were put since the start. */
void written_add(struct written *written, bool pending, uint64_t position, uint64_t bytes);
/** Has the watched mark left, when bytes_left were taken out of the output since the start? Then
 * true and *mark_out, and the newest is watched: call until false. */
bool written_check(struct written *written, uint64_t bytes_left, struct written_mark *mark_out);

#endif
