#include "ha/lead/lead.h"

static bool expiry_is_due(const struct lead *lead, const struct lead_facts *facts)
{
    return lead->expiry_sent_ms == 0 || facts->now_ms - lead->expiry_sent_ms >= LEAD_EXPIRY_LOST_MS;
}

static bool window_is_due(const struct lead *lead, const struct lead_facts *facts)
{
    return facts->now_ms - lead->window_closed_ms >= facts->mark_ms ||
           facts->window_bytes >= LEAD_WINDOW_BYTES_MAX;
}

/* One that is under way counts like one that is applied. */
static bool stamp_is_due(const struct lead *lead, const struct lead_facts *facts)
{
    return facts->has_deadlines && facts->now_ms - facts->applied_ms >= LEAD_STAMP_MS &&
           facts->now_ms - lead->stamped_ms >= LEAD_STAMP_MS;
}

static bool promotion_is_due(const struct lead *lead, const struct lead_facts *facts)
{
    return !lead->is_promoting && facts->now_ms - lead->spares_sought_ms >= LEAD_PROMOTE_MS;
}

static bool rotation_is_due(const struct lead *lead, const struct lead_facts *facts)
{
    return facts->secrets_age_ms >= LEAD_ROTATE_MS &&
           (lead->rotated_ms == 0 || facts->now_ms - lead->rotated_ms >= LEAD_EXPIRY_LOST_MS);
}

unsigned lead_due(const struct lead *lead, const struct lead_facts *facts)
{
    unsigned duties = 0;

    if (expiry_is_due(lead, facts)) {
        duties |= LEAD_EXPIRE;
    }
    if (window_is_due(lead, facts)) {
        duties |= LEAD_CLOSE_WINDOW;
    }
    if (stamp_is_due(lead, facts)) {
        duties |= LEAD_STAMP;
    }
    if (promotion_is_due(lead, facts)) {
        duties |= LEAD_PROMOTE;
    }
    if (rotation_is_due(lead, facts)) {
        duties |= LEAD_ROTATE;
    }
    if (facts->now_ms - lead->pairs_seen_ms >= LEAD_PAIRS_MS) {
        duties |= LEAD_PAIRS;
    }
    return duties;
}

uint64_t lead_time_ms(struct lead *lead, uint64_t log_time_ms, uint64_t now_ms)
{
    if (log_time_ms != lead->log_time_ms) {
        lead->log_time_ms = log_time_ms;
        lead->log_time_seen_ms = now_ms;
    }
    return log_time_ms + (now_ms - lead->log_time_seen_ms);
}

bool lead_promotion(const struct lead_member *members, size_t count, size_t voters_max,
                    size_t *member_out, enum lead_role *role_out)
{
    size_t voters = 0;

    for (size_t i = 0; i < count; i++) {
        voters += members[i].role == LEAD_VOTER;
    }
    for (size_t i = 0; i < count; i++) {
        if (members[i].role == LEAD_SPARE && members[i].is_connected) {
            *member_out = i;
            *role_out = voters < voters_max ? LEAD_VOTER : LEAD_STANDBY;
            return true;
        }
    }
    return false;
}
