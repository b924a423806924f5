/* bucket - a token bucket: so much a second, and a burst after a quiet time. What was read cannot
 * be unread, so it may go into debt; nothing is read until that is paid back. Pure. */
#ifndef NODE_WORKER_BUCKET_H
#define NODE_WORKER_BUCKET_H

#include <stdint.h>

struct bucket {
    uint32_t per_second;
    int64_t burst;  /* what fits, in thousandths of a token */
    int64_t amount; /* in thousandths too; negative: debt */
    uint64_t filled_ms;
};

/** Full: as much as comes in burst_s seconds. */
void bucket_init(struct bucket *bucket, uint32_t per_second, uint32_t burst_s, uint64_t now_ms);
/** So many were used. */
void bucket_take(struct bucket *bucket, uint64_t count, uint64_t now_ms);
/** How many are left? */
uint64_t bucket_left(struct bucket *bucket, uint64_t now_ms);

#endif
