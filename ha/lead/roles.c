/* Which member of the cluster gets another role, one at a time. A voter that is gone for long makes
 * the majority harder to reach: it gives its vote to a standby. Its demotion comes first, since
 * with one voter less that did not answer the majority of those who do can only grow; then there is
 * room for the standby. No step is taken after which no majority would answer. */
#include "ha/lead/lead.h"

static bool counts(const struct lead_member *member)
{
    return member->answers && !member->is_dead;
}

static size_t count_voters(const struct lead_member *members, size_t count)
{
    size_t voters = 0;

    for (size_t i = 0; i < count; i++) {
        voters += members[i].role == LEAD_VOTER;
    }
    return voters;
}

/* Would a majority of the voters answer once a member has this role? A spare has to catch up before
 * it has one: then it answers. */
static bool keeps_majority(const struct lead_member *members, size_t count, size_t changed,
                           enum lead_role role)
{
    size_t voters = 0;
    size_t answering = 0;

    for (size_t i = 0; i < count; i++) {
        if ((i == changed ? role : members[i].role) == LEAD_VOTER) {
            voters++;
            answering += counts(&members[i]) || members[i].role == LEAD_SPARE;
        }
    }
    return answering > voters / 2;
}

static bool is_better(const struct lead_member *one, const struct lead_member *other)
{
    if (one->is_witness != other->is_witness) {
        return !one->is_witness;
    }
    return one->match_index > other->match_index;
}

/* The best one to become a voter: first those that serve, as they can lead. count: none. */
static size_t find_standby(const struct lead_member *members, size_t count, uint64_t commit_index)
{
    size_t best = count;

    for (size_t i = 0; i < count; i++) {
        const struct lead_member *member = &members[i];

        if (member->role == LEAD_STANDBY && counts(member) &&
            member->match_index + LEAD_LAG_MAX >= commit_index &&
            (best == count || is_better(member, &members[best]))) {
            best = i;
        }
    }
    return best;
}

/* One whose vote is not noted could come back without its log, and vote a second time. */
static size_t find_dead(const struct lead_member *members, size_t count)
{
    size_t i = 0;

    while (i < count &&
           !(members[i].role == LEAD_VOTER && members[i].is_dead && members[i].is_noted)) {
        i++;
    }
    return i;
}

/* With an even number of voters the vote of a dead one is of no use: whatever is a majority with it
 * holds one without it. So it goes also where nobody takes its place. */
static bool change_voters(const struct lead_member *members, size_t count,
                          const struct lead_rules *rules, size_t *member_out,
                          enum lead_role *role_out)
{
    size_t voters = count_voters(members, count);
    size_t standby = find_standby(members, count, rules->commit_index);
    size_t dead = find_dead(members, count);

    if (standby < count && voters < rules->voters_max) {
        *member_out = standby;
        *role_out = LEAD_VOTER;
    } else if (dead < count && (standby < count || voters % 2 == 0)) {
        *member_out = dead;
        *role_out = LEAD_STANDBY;
    } else {
        return false;
    }
    return keeps_majority(members, count, *member_out, *role_out);
}

/* Where the search for a spare begins: behind the one that failed last, for as long as it is there.
 */
static size_t first_spare(const struct lead_member *members, size_t count, uint64_t failed_id)
{
    for (size_t i = 0; i < count && failed_id != 0; i++) {
        if (members[i].raft_id == failed_id) {
            return i + 1;
        }
    }
    return 0;
}

static bool promote_spare(const struct lead_member *members, size_t count,
                          const struct lead_rules *rules, size_t *member_out,
                          enum lead_role *role_out)
{
    size_t voters = count_voters(members, count);
    size_t first = first_spare(members, count, rules->failed_spare_id);

    for (size_t k = 0; k < count; k++) {
        size_t i = (first + k) % count;

        if (members[i].role == LEAD_SPARE && members[i].is_ready) {
            *member_out = i;
            *role_out = voters < rules->voters_max ? LEAD_VOTER : LEAD_STANDBY;
            return true;
        }
    }
    return false;
}

bool lead_role_change(const struct lead_member *members, size_t count,
                      const struct lead_rules *rules, size_t *member_out, enum lead_role *role_out)
{
    if (rules->replaces && change_voters(members, count, rules, member_out, role_out)) {
        return true;
    }
    return promote_spare(members, count, rules, member_out, role_out);
}

void lead_begin_role(struct lead *lead, const struct lead_member *member)
{
    lead->is_changing_role = true;
    lead->changing_id = member->role == LEAD_SPARE ? member->raft_id : 0;
}

void lead_end_role(struct lead *lead, bool is_done)
{
    lead->is_changing_role = false;
    if (!is_done && lead->changing_id != 0) {
        lead->failed_spare_id = lead->changing_id;
    }
    lead->changing_id = 0;
}
