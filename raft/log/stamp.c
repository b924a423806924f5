#include "raft/log/stamp.h"

void stamp_seen(struct stamp_clock *clock, uint64_t time_ms)
{
    if (time_ms > clock->last_ms) {
        clock->last_ms = time_ms;
    }
}

void stamp_begin(struct stamp_clock *clock, uint64_t mono_ms)
{
    clock->base_ms = clock->last_ms;
    clock->base_mono_ms = mono_ms;
}

uint64_t stamp_now(struct stamp_clock *clock, uint64_t mono_ms)
{
    uint64_t now_ms = clock->base_ms + (mono_ms - clock->base_mono_ms);

    stamp_seen(clock, now_ms);
    return clock->last_ms;
}
