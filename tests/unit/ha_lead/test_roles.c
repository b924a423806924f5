/* Which member gets another role: from any membership in which a majority answers to the best one.
 */
#include "ha/lead/lead.h"

#include "node/base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define VOTERS_MAX  5
#define MEMBERS_MAX 7
#define STEPS_MAX   (3 * MEMBERS_MAX)
#define COMMIT      100

static const struct lead_rules rules = {
    .voters_max = VOTERS_MAX, .commit_index = COMMIT, .replaces = true};

/* What a member can be. */
static const struct lead_member kinds[] = {
    {.role = LEAD_VOTER, .answers = true, .match_index = COMMIT},
    {.role = LEAD_VOTER, .is_dead = true},
    {.role = LEAD_VOTER}, /* silent, for a moment only */
    {.role = LEAD_STANDBY, .answers = true, .match_index = COMMIT},
    {.role = LEAD_STANDBY, .is_dead = true},
    {.role = LEAD_SPARE, .is_ready = true},
    {.role = LEAD_SPARE, .is_dead = true},
};

struct tally {
    size_t voters, answering, silent, dead_voters, living;
};

static bool is_there(const struct lead_member *member)
{
    return member->answers || (member->role == LEAD_SPARE && member->is_ready);
}

static struct tally tally(const struct lead_member *members, size_t count)
{
    struct tally sums = {0};

    for (size_t i = 0; i < count; i++) {
        bool is_voter = members[i].role == LEAD_VOTER;

        sums.voters += is_voter;
        sums.answering += is_voter && members[i].answers;
        sums.silent += is_voter && !members[i].answers && !members[i].is_dead;
        sums.dead_voters += is_voter && members[i].is_dead;
        sums.living += is_there(&members[i]);
    }
    return sums;
}

static bool has_majority(const struct tally *sums)
{
    return sums->answering > sums->voters / 2;
}

/* A standby that serves comes before one that is a witness. */
static void check_choice(const struct lead_member *members, size_t count, size_t chosen)
{
    for (size_t i = 0; i < count; i++) {
        if (members[chosen].role == LEAD_STANDBY && members[chosen].is_witness) {
            assert_false(members[i].role == LEAD_STANDBY && members[i].answers &&
                         !members[i].is_witness);
        }
    }
}

/* One change, carried out: a spare that gets a role has come to answer. */
static void carry_out(struct lead_member *member, enum lead_role role)
{
    assert_int_not_equal(member->role, role);
    assert_true(role == LEAD_STANDBY || is_there(member));
    assert_false(member->role == LEAD_VOTER && member->answers);
    if (member->role == LEAD_SPARE) {
        member->answers = true;
        member->match_index = COMMIT;
    }
    member->role = role;
}

static void run_to_the_end(struct lead_member *members, size_t count)
{
    enum lead_role role;
    size_t member;
    size_t steps = 0;
    size_t best;
    struct tally sums = tally(members, count);

    best = sums.living < VOTERS_MAX - sums.silent ? sums.living : VOTERS_MAX - sums.silent;
    while (lead_role_change(members, count, &rules, &member, &role)) {
        if (role == LEAD_VOTER) {
            check_choice(members, count, member);
        }
        carry_out(&members[member], role);
        sums = tally(members, count);
        assert_true(has_majority(&sums));
        assert_in_range(sums.voters, 1, VOTERS_MAX);
        assert_in_range(++steps, 1, STEPS_MAX);
    }
    assert_int_equal(sums.answering, best);
    assert_true(sums.dead_voters == 0 || sums.voters % 2 == 1);
}

/* Goal: from any membership with a majority that answers there are in the end as many living voters
 * as there can be, with no step at which no majority would answer, in a bounded number of steps.
 * Method: every membership of up to seven, with witnesses among them. */
static void test_every_membership(void **state)
{
    size_t tried = 0;
    (void)state;

    for (size_t count = 1; count <= MEMBERS_MAX; count++) {
        size_t combinations = 1;

        for (size_t i = 0; i < count; i++) {
            combinations *= ARRAY_COUNT(kinds);
        }
        for (size_t number = 0; number < combinations; number++) {
            struct lead_member members[MEMBERS_MAX];
            struct tally sums;
            size_t rest = number;

            for (size_t i = 0; i < count; i++) {
                members[i] = kinds[rest % ARRAY_COUNT(kinds)];
                members[i].is_noted = true;
                members[i].is_witness = (number * 31 + i * 17) % 5 < 2;
                rest /= ARRAY_COUNT(kinds);
            }
            sums = tally(members, count);
            if (sums.voters <= VOTERS_MAX && has_majority(&sums)) {
                run_to_the_end(members, count);
                tried++;
            }
        }
    }
    assert_in_range(tried, 10000, 1000000);
}

/* Goal: nothing is done too early: a vote that is not noted is not taken, a standby that lacks much
 * gets none, and a voter that is silent for a moment keeps its own.
 * Method: five voters, one dead, and a standby; then with one thing amiss each. */
static void test_not_yet(void **state)
{
    struct lead_member members[6] = {kinds[0], kinds[0], kinds[0], kinds[0], kinds[1], kinds[3]};
    enum lead_role role;
    size_t member;
    (void)state;

    members[5].match_index = COMMIT - 1;
    assert_false(lead_role_change(members, 6, &rules, &member, &role));
    members[4].is_noted = true;
    assert_true(lead_role_change(members, 6, &rules, &member, &role));
    assert_int_equal(member, 4);
    assert_int_equal(role, LEAD_STANDBY);
    members[5].answers = false;
    assert_false(lead_role_change(members, 6, &rules, &member, &role));
    members[5] = kinds[3];
    members[4].is_dead = false;
    assert_false(lead_role_change(members, 6, &rules, &member, &role));
    members[4].role = LEAD_SPARE;
    members[5].match_index = 0;
    assert_true(lead_role_change(members, 6,
                                 &(struct lead_rules){.voters_max = VOTERS_MAX,
                                                      .commit_index = LEAD_LAG_MAX,
                                                      .replaces = true},
                                 &member, &role));
    assert_int_equal(role, LEAD_VOTER);
    assert_false(lead_role_change(members, 6,
                                  &(struct lead_rules){.voters_max = VOTERS_MAX,
                                                       .commit_index = LEAD_LAG_MAX + 1,
                                                       .replaces = true},
                                  &member, &role));
}

/* Goal: without replacement roles are the operator's: only a spare that is there gets one, a vote
 * while there are too few voters, else that of a standby.
 * Method: a table of clusters. */
static void test_spares_alone(void **state)
{
    const struct lead_rules by_hand = {.voters_max = VOTERS_MAX, .commit_index = COMMIT};
    const struct lead_member settled[] = {kinds[0], kinds[0], kinds[1], kinds[3]};
    const struct lead_member waiting[] = {kinds[0], kinds[0], kinds[0], kinds[6]};
    const struct lead_member small[] = {kinds[0], kinds[6], kinds[5], kinds[5]};
    const struct lead_member full[] = {kinds[0], kinds[0], kinds[0], kinds[0], kinds[0], kinds[5]};
    enum lead_role role = LEAD_SPARE;
    size_t member = 0;
    (void)state;

    assert_false(lead_role_change(settled, ARRAY_COUNT(settled), &by_hand, &member, &role));
    assert_false(lead_role_change(waiting, ARRAY_COUNT(waiting), &by_hand, &member, &role));
    assert_int_equal(role, LEAD_SPARE);
    assert_true(lead_role_change(small, ARRAY_COUNT(small), &by_hand, &member, &role));
    assert_int_equal(member, 2);
    assert_int_equal(role, LEAD_VOTER);
    assert_true(lead_role_change(full, ARRAY_COUNT(full), &by_hand, &member, &role));
    assert_int_equal(member, 5);
    assert_int_equal(role, LEAD_STANDBY);
}

/* The next change, tried: which spare was it? */
static uint64_t try_spare(struct lead *lead, const struct lead_member *members, size_t count,
                          bool is_done)
{
    const struct lead_rules by_hand = {
        .voters_max = VOTERS_MAX, .commit_index = COMMIT, .failed_spare_id = lead->failed_spare_id};
    enum lead_role role;
    size_t member;

    assert_true(lead_role_change(members, count, &by_hand, &member, &role));
    lead_begin_role(lead, &members[member]);
    assert_true(lead->is_changing_role);
    lead_end_role(lead, is_done);
    assert_false(lead->is_changing_role);
    return members[member].raft_id;
}

/* Goal: a spare that can not catch up keeps no other one out, wherever it is in the list, and has
 * its turn again. Method: a leader between three spares; each fails, one is gone from the list when
 * the next is looked for, one is left alone, and a change of a voter's role fails, too. */
static void test_failing_spares(void **state)
{
    struct lead_member members[] = {kinds[0], kinds[5], kinds[0], kinds[5], kinds[5]};
    struct lead lead = {0};
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
        members[i].raft_id = 10 + i;
    }
    assert_int_equal(try_spare(&lead, members, 5, false), 11);
    assert_int_equal(try_spare(&lead, members, 5, false), 13);
    assert_int_equal(try_spare(&lead, members, 5, false), 14);
    assert_int_equal(try_spare(&lead, members, 5, false), 11);
    assert_int_equal(try_spare(&lead, members, 5, true), 13);
    lead_begin_role(&lead, &members[0]);
    lead_end_role(&lead, false);
    assert_int_equal(lead.failed_spare_id, 11);
    members[3].role = LEAD_VOTER;
    assert_int_equal(try_spare(&lead, members, 5, false), 14);
    assert_int_equal(try_spare(&lead, members, 4, false), 11); /* the fifth was removed */
    assert_int_equal(try_spare(&lead, members, 4, false), 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_membership),
        cmocka_unit_test(test_not_yet),
        cmocka_unit_test(test_spares_alone),
        cmocka_unit_test(test_failing_spares),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
