/* What the leader has to do, and when. */
#include "ha/lead/lead.h"

#include "node/base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW_MS  100000
#define MARK_MS 500

static const struct lead_facts quiet = {.now_ms = NOW_MS,
                                        .applied_ms = NOW_MS,
                                        .window_bytes = 0,
                                        .mark_ms = MARK_MS,
                                        .has_deadlines = true};

/* Everything was done just now. */
static const struct lead done = {.window_closed_ms = NOW_MS,
                                 .expiry_sent_ms = NOW_MS,
                                 .stamped_ms = NOW_MS,
                                 .roles_seen_ms = NOW_MS,
                                 .pairs_seen_ms = NOW_MS};

/* Goal: a leader that has just done everything has nothing to do; a new one looks after all but
 * the time, which the entries that it applied have brought.
 * Method: both, at the same moment. */
static void test_new_leader_looks_at_once(void **state)
{
    const struct lead none = {0};

    (void)state;
    assert_int_equal(lead_due(&done, &quiet), 0);
    assert_int_equal(lead_due(&none, &quiet),
                     LEAD_EXPIRE | LEAD_CLOSE_WINDOW | LEAD_ROLES | LEAD_PAIRS);
}

/* Goal: each duty comes back after its time, and not a millisecond earlier.
 * Method: the last moment before, and the moment itself. */
static void test_each_duty_has_its_time(void **state)
{
    static const struct {
        enum lead_duty duty;
        uint64_t after_ms;
    } duties[] = {{LEAD_EXPIRE, LEAD_EXPIRY_LOST_MS},
                  {LEAD_CLOSE_WINDOW, MARK_MS},
                  {LEAD_STAMP, LEAD_STAMP_MS},
                  {LEAD_ROLES, LEAD_ROLES_MS},
                  {LEAD_PAIRS, LEAD_PAIRS_MS}};

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(duties); i++) {
        struct lead_facts facts = quiet;

        facts.now_ms = NOW_MS + duties[i].after_ms - 1;
        assert_false(lead_due(&done, &facts) & duties[i].duty);
        facts.now_ms++;
        assert_true(lead_due(&done, &facts) & duties[i].duty);
    }
}

/* Goal: an expiry whose end was applied makes room for the next at once.
 * Method: the leader forgets when it was sent. */
static void test_next_expiry_follows(void **state)
{
    struct lead lead = done;

    (void)state;
    lead.expiry_sent_ms = 0;
    assert_int_equal(lead_due(&lead, &quiet), LEAD_EXPIRE);
}

/* Goal: much to write closes the window early.
 * Method: one byte below the limit, and the limit. */
static void test_large_window(void **state)
{
    struct lead_facts facts = quiet;

    (void)state;
    facts.window_bytes = LEAD_WINDOW_BYTES_MAX - 1;
    assert_int_equal(lead_due(&done, &facts), 0);
    facts.window_bytes++;
    assert_int_equal(lead_due(&done, &facts), LEAD_CLOSE_WINDOW);
}

/* Goal: an idle cluster is stamped only while something waits for time to pass, and once for each
 * silence, however long the stamp takes.
 * Method: take each reason away in turn. */
static void test_stamp(void **state)
{
    struct lead lead = done;
    struct lead_facts facts = quiet;

    (void)state;
    facts.now_ms += LEAD_STAMP_MS;
    assert_true(lead_due(&lead, &facts) & LEAD_STAMP);
    facts.has_deadlines = false;
    assert_false(lead_due(&lead, &facts) & LEAD_STAMP);
    facts.has_deadlines = true;
    lead.stamped_ms = facts.now_ms;
    assert_false(lead_due(&lead, &facts) & LEAD_STAMP);
    lead.stamped_ms = NOW_MS;
    facts.applied_ms = facts.now_ms;
    assert_false(lead_due(&lead, &facts) & LEAD_STAMP);
}

/* Goal: secrets are drawn when there are none and when they are old, and not twice while a rotation
 * is under way.
 * Method: each age, then with a rotation proposed just now and long ago. */
static void test_rotation(void **state)
{
    struct lead lead = done;
    struct lead_facts facts = quiet;

    (void)state;
    facts.secrets_age_ms = LEAD_ROTATE_MS - 1;
    assert_int_equal(lead_due(&lead, &facts), 0);
    facts.secrets_age_ms++;
    assert_int_equal(lead_due(&lead, &facts), LEAD_ROTATE);
    facts.secrets_age_ms = UINT64_MAX;
    assert_int_equal(lead_due(&lead, &facts), LEAD_ROTATE);
    lead.rotated_ms = NOW_MS - LEAD_EXPIRY_LOST_MS + 1;
    assert_int_equal(lead_due(&lead, &facts), 0);
    lead.rotated_ms--;
    assert_int_equal(lead_due(&lead, &facts), LEAD_ROTATE);
}

/* Goal: one change of roles at a time.
 * Method: one is under way, and every other time has passed. */
static void test_one_change_at_a_time(void **state)
{
    struct lead lead = done;
    struct lead_facts facts = quiet;

    (void)state;
    facts.now_ms += LEAD_ROLES_MS;
    lead.is_changing_role = true;
    assert_false(lead_due(&lead, &facts) & LEAD_ROLES);
}

/* Goal: cluster time goes on between entries by the leader's clock, and from each entry anew.
 * Method: an entry, a while, an entry that is behind the leader's clock, a while. */
static void test_time_goes_on(void **state)
{
    struct lead lead = {0};

    (void)state;
    assert_int_equal(lead_time_ms(&lead, 5000, NOW_MS), 5000);
    assert_int_equal(lead_time_ms(&lead, 5000, NOW_MS + 700), 5700);
    assert_int_equal(lead_time_ms(&lead, 5600, NOW_MS + 800), 5600);
    assert_int_equal(lead_time_ms(&lead, 5600, NOW_MS + 900), 5700);
}

/* Goal: a witness that leads looks for another leader at once, and after a try not again before its
 * time; it changes no roles meanwhile, and no other node does so.
 * Method: each state in turn. */
static void test_witness_hands_on(void **state)
{
    struct lead_facts facts = quiet;
    struct lead lead = done;

    (void)state;
    assert_false(lead_due(&lead, &facts) & LEAD_HAND_ON);
    facts.is_witness = true;
    assert_int_equal(lead_due(&lead, &facts), LEAD_HAND_ON);
    lead.is_handing_on = true;
    lead.handed_on_ms = NOW_MS;
    facts.now_ms += LEAD_HAND_ON_MS;
    assert_false(lead_due(&lead, &facts) & (LEAD_HAND_ON | LEAD_ROLES));
    lead.is_handing_on = false;
    assert_true(lead_due(&lead, &facts) & LEAD_HAND_ON);
    facts.now_ms--;
    assert_false(lead_due(&lead, &facts) & LEAD_HAND_ON);
}

/* Goal: a leader that is low on room looks for another one when that has lasted, and goes on
 * looking in its time; with the room the wish is gone, and so is how long it has lasted. Method:
 * the moments at both sides of each edge. */
static void test_low_leader_hands_on(void **state)
{
    struct lead_facts facts = quiet;
    struct lead lead = done;

    (void)state;
    lead_note_room(&lead, true, NOW_MS);
    facts.now_ms = NOW_MS + LEAD_LOW_MS - 1;
    lead_note_room(&lead, true, facts.now_ms);
    assert_false(lead_due(&lead, &facts) & LEAD_HAND_ON);
    facts.now_ms++;
    lead_note_room(&lead, true, facts.now_ms);
    assert_true(lead_due(&lead, &facts) & LEAD_HAND_ON);
    lead.handed_on_ms = facts.now_ms;
    facts.now_ms += LEAD_HAND_ON_MS - 1;
    assert_false(lead_due(&lead, &facts) & LEAD_HAND_ON);
    facts.now_ms++;
    assert_true(lead_due(&lead, &facts) & LEAD_HAND_ON);
    lead_note_room(&lead, false, facts.now_ms);
    assert_false(lead_due(&lead, &facts) & LEAD_HAND_ON);
    lead_note_room(&lead, true, facts.now_ms);
    assert_false(lead_due(&lead, &facts) & LEAD_HAND_ON);
}

#define COMMIT_INDEX 10
#define KINDS        (3 * 3 * 2 * 2 * 2) /* of members: role, match index, and three facts */
#define OTHERS       2

/* The member that a number below KINDS stands for. */
static struct lead_member member_of(unsigned kind)
{
    return (struct lead_member){.role = (enum lead_role)(kind % 3),
                                .match_index = COMMIT_INDEX - 1 + kind / 3 % 3,
                                .is_witness = (kind / 9 & 1) != 0,
                                .may_lead = (kind / 18 & 1) != 0,
                                .has_room = (kind / 36 & 1) != 0};
}

static bool can_inherit(const struct lead_member *member, bool needs_room)
{
    return member->role == LEAD_VOTER && member->may_lead && !member->is_witness &&
           member->match_index >= COMMIT_INDEX && (member->has_room || !needs_room);
}

/* In which order heirs are preferred: a higher number first. */
static uint64_t rank_of(const struct lead_member *member)
{
    return (member->has_room ? 1000 : 0) + member->match_index;
}

static void check_heir(const struct lead_member *members, size_t count, bool needs_room)
{
    size_t heir = count;
    bool is_found = lead_heir(members, count, COMMIT_INDEX, needs_room, &heir);

    if (is_found) {
        assert_false(members[heir].is_self);
        assert_true(can_inherit(&members[heir], needs_room));
    }
    for (size_t i = 0; i < count; i++) {
        if (!members[i].is_self && can_inherit(&members[i], needs_room)) {
            assert_true(is_found);
            assert_true(rank_of(&members[heir]) >= rank_of(&members[i]));
        }
    }
}

/* Goal: the heir is another voter that is no witness, may lead and has all that is committed, with
 * room if that is needed; one with room comes before one without, then the one with more of the
 * log. There is none only when nobody is like that.
 * Method: every leader with every two other members, asked both ways. */
static void test_heir(void **state)
{
    struct lead_member members[1 + OTHERS];

    (void)state;
    for (unsigned kind = 0; kind < KINDS * KINDS * KINDS; kind++) {
        members[0] = member_of(kind % KINDS);
        members[0].is_self = true;
        members[1] = member_of(kind / KINDS % KINDS);
        members[2] = member_of(kind / KINDS / KINDS);
        check_heir(members, ARRAY_COUNT(members), false);
        check_heir(members, ARRAY_COUNT(members), true);
    }
}

#define VOTERS 5

/* Who leads in the end, when each leader that should not be one hands on. */
static void follow_leaders(struct lead_member *members, size_t leader)
{
    for (unsigned steps = 0;; steps++) {
        bool is_witness = members[leader].is_witness;
        size_t heir;

        members[leader].is_self = true;
        if ((!is_witness && members[leader].has_room) ||
            !lead_heir(members, VOTERS, COMMIT_INDEX, !is_witness, &heir)) {
            break;
        }
        members[leader].is_self = false;
        leader = heir;
        assert_in_range(steps, 0, 1);
    }
    for (size_t i = 0; i < VOTERS && !members[leader].has_room; i++) {
        assert_false(i != leader && can_inherit(&members[i], true));
    }
    members[leader].is_self = false;
}

/* Goal: leadership never goes round, and stays only where there is no room when nobody else has
 * any. Method: five voters, each a witness or not, able to lead or not, with room or not, in every
 * combination, from every leader: it rests after two steps at most. */
static void test_leadership_comes_to_rest(void **state)
{
    struct lead_member members[VOTERS];

    (void)state;
    for (unsigned set = 0; set < 1u << 3 * VOTERS; set++) {
        for (size_t i = 0; i < VOTERS; i++) {
            unsigned own = set >> 3 * i;

            members[i] = (struct lead_member){.role = LEAD_VOTER,
                                              .match_index = COMMIT_INDEX,
                                              .is_witness = (own & 1) != 0,
                                              .may_lead = (own & 2) != 0,
                                              .has_room = (own & 4) != 0};
        }
        for (size_t leader = 0; leader < VOTERS; leader++) {
            follow_leaders(members, leader);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_leader_looks_at_once),
        cmocka_unit_test(test_each_duty_has_its_time),
        cmocka_unit_test(test_next_expiry_follows),
        cmocka_unit_test(test_large_window),
        cmocka_unit_test(test_stamp),
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_one_change_at_a_time),
        cmocka_unit_test(test_time_goes_on),
        cmocka_unit_test(test_witness_hands_on),
        cmocka_unit_test(test_low_leader_hands_on),
        cmocka_unit_test(test_heir),
        cmocka_unit_test(test_leadership_comes_to_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
