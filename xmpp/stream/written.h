/* written - what a stream without XEP-0198 has sent: there is no ack, so a stanza counts as done
 * when its bytes have left the output (DESIGN 5, "Without XEP-0198"), told once a second. Pure. */
#ifndef XMPP_STREAM_WRITTEN_H
#define XMPP_STREAM_WRITTEN_H

#include <stdbool.h>
#include <stdint.h>

struct written {
    uint64_t done_position; /* newest put into the output */
    uint64_t presence_position;
    bool marked; /* the mark waits for its bytes to leave */
    uint64_t mark_bytes;
    uint64_t mark_done;
    uint64_t mark_presence;
};

/** One stanza was put into the output. */
void written_add(struct written *written, bool pending, uint64_t position);
/** bytes_put went into the output since the start, bytes_left were taken out of it. True when
 * stanzas up to *done_out and *presence_out have left. Call about once a second, and at the end. */
bool written_check(struct written *written, uint64_t bytes_put, uint64_t bytes_left,
                   uint64_t *done_out, uint64_t *presence_out);

#endif
