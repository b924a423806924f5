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

static bool roles_are_due(const struct lead *lead, const struct lead_facts *facts)
{
    return !lead->is_changing_role && !lead->is_handing_on &&
           facts->now_ms - lead->roles_seen_ms >= LEAD_ROLES_MS;
}

static bool is_low_for_long(const struct lead *lead, uint64_t now_ms)
{
    return lead->low_ms != 0 && now_ms - lead->low_ms >= LEAD_LOW_MS;
}

static bool handing_on_is_due(const struct lead *lead, const struct lead_facts *facts)
{
    return (facts->is_witness || is_low_for_long(lead, facts->now_ms)) && !lead->is_handing_on &&
           (lead->handed_on_ms == 0 || facts->now_ms - lead->handed_on_ms >= LEAD_HAND_ON_MS);
}

static bool rotation_is_due(const struct lead *lead, const struct lead_facts *facts)
{
    return facts->secrets_age_ms >= LEAD_ROTATE_MS &&
           (lead->rotated_ms == 0 || facts->now_ms - lead->rotated_ms >= LEAD_EXPIRY_LOST_MS);
}

void lead_note_room(struct lead *lead, bool is_low, uint64_t now_ms)
{
    if (!is_low) {
        lead->low_ms = 0;
    } else if (lead->low_ms == 0) {
        lead->low_ms = now_ms;
    }
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
    if (roles_are_due(lead, facts)) {
        duties |= LEAD_ROLES;
    }
    if (rotation_is_due(lead, facts)) {
        duties |= LEAD_ROTATE;
    }
    if (facts->now_ms - lead->pairs_seen_ms >= LEAD_PAIRS_MS) {
        duties |= LEAD_PAIRS;
    }
    if (handing_on_is_due(lead, facts)) {
        duties |= LEAD_HAND_ON;
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

static bool may_inherit(const struct lead_member *member, uint64_t commit_index)
{
    return !member->is_self && member->role == LEAD_VOTER && !member->is_witness &&
           member->may_lead && member->match_index >= commit_index;
}

static bool is_better(const struct lead_member *member, const struct lead_member *other)
{
    return member->has_room != other->has_room ? member->has_room
                                               : member->match_index > other->match_index;
}

bool lead_heir(const struct lead_member *members, size_t count, uint64_t commit_index,
               bool needs_room, size_t *member_out)
{
    bool is_found = false;

    for (size_t i = 0; i < count; i++) {
        if (may_inherit(&members[i], commit_index) && (members[i].has_room || !needs_room) &&
            (!is_found || is_better(&members[i], &members[*member_out]))) {
            *member_out = i;
            is_found = true;
        }
    }
    return is_found;
}
