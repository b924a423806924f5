/* acks_out - the accounting of what the server sends on a stream with XEP-0198 (DESIGN 5, "Server
 * to client"). Numbers are given in write order, volatile stanzas included; a pending stanza may be
 * written only after its number is a log record, and whatever comes behind it waits likewise.
 * Numbers are modulo 2^32. Pure: no output, no log. */
#ifndef XMPP_STREAM_ACKS_OUT_H
#define XMPP_STREAM_ACKS_OUT_H

#include "node/base/blob.h"
#include "node/base/err.h"
#include "xmpp/stream/ring.h"

/* With more than this many stanzas unacked, presence is counted in groups of as many numbers. */
#define ACKS_OUT_GROUP   64
#define ACKS_OUT_RUN_MAX 256 /* rows that one record touches (DESIGN 3) */

/* Consecutive numbers for consecutive pending entries, to be recorded. */
struct acks_out_run {
    uint32_t first_number;
    uint32_t count;
    uint64_t first_position;
};

struct acks_out {
    uint32_t acked;    /* the client's last h */
    uint32_t written;  /* number of the last stanza handed out to be written */
    uint32_t assigned; /* number of the last stanza taken in */
    uint32_t recorded; /* pending numbers up to this one are in the log */

    struct ring waiting; /* not yet written */
    struct ring unacked; /* written, not yet acked */
    struct ring runs;    /* numbers given, record not yet taken */
    size_t waiting_bytes;

    uint64_t done_position;     /* all pending stanzas up to here are acked */
    uint64_t presence_position; /* all presence up to here is acked */
    /* Pending stanzas and their bytes since acks_out_start(), which only grow. */
    uint64_t written_bytes;
    uint64_t done_count;
    uint64_t done_bytes;
};

void acks_out_init(struct acks_out *acks);
/** Also drops the stanzas that wait. */
void acks_out_deinit(struct acks_out *acks);
/** Count from number: 0 after <enable/>, the client's h after a confirmed resume. Positions acked
 * before are kept. */
void acks_out_start(struct acks_out *acks, uint32_t number);

/** Number one stanza; takes xml. A pending one must be recorded before it is written. */
void acks_out_add_take(struct acks_out *acks, bool pending, uint64_t position, struct blob *xml);
/** Take the next run that is to be recorded; false when there is none. */
bool acks_out_take_run(struct acks_out *acks, struct acks_out_run *run_out);
/** Numbers up to this one are recorded. */
void acks_out_on_recorded(struct acks_out *acks, uint32_t number);
/** The next stanza that may be written now, counted as written; the caller unrefs it. NULL: none.
 */
struct blob *acks_out_next(struct acks_out *acks);

/** The client's count. 0 (an old h changes nothing), or ERR_INVALID when it is above what was
 * written (XEP-0198 §6). */
NODISCARD int acks_out_on_ack(struct acks_out *acks, uint32_t h);
/** Stanzas written but not acked. */
uint32_t acks_out_unacked(const struct acks_out *acks);

#endif
