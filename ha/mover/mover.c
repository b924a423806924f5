#include "ha/mover/mover.h"

#include "node/base/assert.h"
#include "node/base/mem.h"

#include <string.h>

#define CAPACITY_MIN 64
#define TOKEN        1000

void mover_begin(struct mover *mover, uint32_t rate, uint64_t deadline_ms, uint64_t now_ms)
{
    ASSERT(rate > 0);
    *mover = (struct mover){.rate = rate,
                            .deadline_ms = deadline_ms,
                            .tokens_ms = now_ms,
                            .last_drop_ms = now_ms,
                            .reported_ms = now_ms};
}

void mover_end(struct mover *mover)
{
    mem_free(&mover->sessions);
    *mover = (struct mover){.rate = 0};
}

void mover_add(struct mover *mover, uint64_t session)
{
    if (mover->count == mover->capacity) {
        mover->capacity = mover->capacity == 0 ? CAPACITY_MIN : mover->capacity * 2;
        mover->sessions = mem_realloc(mover->sessions, mover->capacity * sizeof(*mover->sessions));
    }
    mover->sessions[mover->count++] = (struct mover_session){.id = session};
    mover->counts.found++;
}

void mover_found_all(struct mover *mover)
{
    mover->has_found_all = true;
}

static bool are_all_dropped(const struct mover *mover)
{
    return mover->has_found_all && mover->next == mover->count;
}

/* ---- the pace */

static void fill(struct mover *mover, uint64_t now_ms)
{
    uint64_t tokens_max = MOVER_BURST_MS * (uint64_t)mover->rate + TOKEN;

    mover->tokens += (now_ms - mover->tokens_ms) * mover->rate;
    mover->tokens_ms = now_ms;
    if (mover->tokens > tokens_max) {
        mover->tokens = tokens_max;
    }
}

bool mover_next(struct mover *mover, uint64_t now_ms, uint64_t *session_out)
{
    fill(mover, now_ms);
    if (mover->next == mover->count || (mover->tokens < TOKEN && now_ms < mover->deadline_ms)) {
        return false;
    }
    *session_out = mover->sessions[mover->next].id;
    return true;
}

void mover_dropped(struct mover *mover, uint32_t epoch, uint64_t now_ms)
{
    ASSERT(mover->next < mover->count);
    mover->sessions[mover->waiting++] = (struct mover_session){
        .id = mover->sessions[mover->next++].id, .epoch = epoch, .dropped_ms = now_ms};
    mover->tokens -= mover->tokens < TOKEN ? mover->tokens : TOKEN;
    mover->last_drop_ms = now_ms;
    mover->counts.dropped++;
}

/* ---- what becomes of them */

static void count(struct mover *mover, enum mover_fate fate)
{
    mover->counts.moved += fate == MOVER_MOVED;
    mover->counts.returned += fate == MOVER_RETURNED;
    mover->counts.ended += fate == MOVER_ENDED;
}

void mover_gone(struct mover *mover, enum mover_fate fate)
{
    ASSERT(mover->next < mover->count);
    mover->next++;
    count(mover, fate);
}

const struct mover_session *mover_check(struct mover *mover)
{
    if (mover->checked >= mover->waiting) {
        mover->checked = 0;
        return NULL;
    }
    return &mover->sessions[mover->checked];
}

void mover_note(struct mover *mover, enum mover_fate fate)
{
    ASSERT(mover->checked < mover->waiting);
    if (fate == MOVER_WAITS) {
        mover->checked++;
        return;
    }
    count(mover, fate);
    mover->sessions[mover->checked] = mover->sessions[--mover->waiting];
}

bool mover_is_over(const struct mover *mover, uint64_t now_ms)
{
    return are_all_dropped(mover) &&
           (mover->waiting == 0 || now_ms >= mover->last_drop_ms + MOVER_SETTLE_MS);
}

bool mover_reports(struct mover *mover, uint64_t now_ms)
{
    if (now_ms < mover->reported_ms + MOVER_REPORT_MS ||
        memcmp(&mover->counts, &mover->reported, sizeof(mover->counts)) == 0) {
        return false;
    }
    mover->reported_ms = now_ms;
    mover->reported = mover->counts;
    return true;
}
