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

/* Goal: the heir can lead, is no witness, and has all that is committed; of several it is the one
 * with the most of the log. Without one the witness goes on leading.
 * Method: a table of members, each with one thing that stands against it. */
static void test_heir(void **state)
{
    const struct lead_member self = {
        .role = LEAD_VOTER, .is_witness = true, .may_lead = true, .match_index = 20};
    const struct lead_member good = {.role = LEAD_VOTER, .may_lead = true, .match_index = 10};
    struct lead_member better = good;
    struct lead_member members[3] = {self, good, self};
    struct lead_member bad[4] = {good, good, good, good};
    size_t heir = 0;

    (void)state;
    bad[0].role = LEAD_STANDBY;
    bad[1].may_lead = false;
    bad[2].match_index = 9;
    bad[3].is_witness = true;
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        members[1] = bad[i];
        assert_false(lead_heir(members, ARRAY_COUNT(members), 10, &heir));
    }
    members[1] = good;
    assert_true(lead_heir(members, ARRAY_COUNT(members), 10, &heir));
    assert_int_equal(heir, 1);
    better.match_index = 11;
    members[2] = better;
    assert_true(lead_heir(members, ARRAY_COUNT(members), 10, &heir));
    assert_int_equal(heir, 2);
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
        cmocka_unit_test(test_heir),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
