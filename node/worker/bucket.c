#include "node/worker/bucket.h"

void bucket_init(struct bucket *bucket, uint32_t per_second, uint32_t burst_s, uint64_t now_ms)
{
    bucket->per_second = per_second;
    bucket->burst = (int64_t)per_second * burst_s * 1000;
    bucket->amount = bucket->burst;
    bucket->filled_ms = now_ms;
}

/* In a millisecond come per_second thousandths of a token. Callers read the clock once a turn, so
 * the last one may have been ahead of this one. */
static void fill(struct bucket *bucket, uint64_t now_ms)
{
    uint64_t passed_ms = now_ms > bucket->filled_ms ? now_ms - bucket->filled_ms : 0;
    uint64_t full_in_ms = (uint64_t)(bucket->burst - bucket->amount) / bucket->per_second;

    bucket->filled_ms += passed_ms;
    if (passed_ms > full_in_ms) {
        bucket->amount = bucket->burst;
    } else {
        bucket->amount += (int64_t)(passed_ms * bucket->per_second);
    }
}

void bucket_take(struct bucket *bucket, uint64_t count, uint64_t now_ms)
{
    fill(bucket, now_ms);
    bucket->amount -= (int64_t)(count * 1000);
}

uint64_t bucket_left(struct bucket *bucket, uint64_t now_ms)
{
    fill(bucket, now_ms);
    return bucket->amount < 0 ? 0 : (uint64_t)bucket->amount / 1000;
}
