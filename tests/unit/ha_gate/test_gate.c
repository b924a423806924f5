/* The gate: when a node takes clients, pauses them and drops them. */
#include "ha/gate/gate.h"

#include "node/base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define GRACE_MS 1000

static const struct gate_facts all_well = {
    .incarnation_up = true, .lease_held = true, .has_room = true, .now_ms = 5000};

static struct gate open_gate(void)
{
    struct gate gate = {.grace_ms = GRACE_MS};

    assert_int_equal(gate_step(&gate, &all_well), GATE_OPEN);
    return gate;
}

/* Goal: a node opens only when its START is applied, it has a lease, and its store keeps up.
 * Method: take away one fact at a time. */
static void test_each_fact_is_needed(void **state)
{
    struct gate_facts facts[4] = {all_well, all_well, all_well, all_well};

    (void)state;
    facts[0].incarnation_up = false;
    facts[1].lease_held = false;
    facts[2].has_room = false;
    facts[3].is_stopping = true;
    for (size_t i = 0; i < ARRAY_COUNT(facts); i++) {
        struct gate gate = {.grace_ms = GRACE_MS};

        assert_int_equal(gate_step(&gate, &facts[i]), GATE_CLOSED);
    }
}

/* Goal: a short loss of the lease (a leader died and the others chose a new one) costs no
 * connection, a long one closes the gate (P6).
 * Method: lose the lease, step up to the last moment of the grace time, then beyond it. */
static void test_lease_lost(void **state)
{
    struct gate gate = open_gate();
    struct gate_facts facts = all_well;

    (void)state;
    facts.lease_held = false;
    assert_int_equal(gate_step(&gate, &facts), GATE_PAUSED);
    facts.now_ms += GRACE_MS - 1;
    assert_int_equal(gate_step(&gate, &facts), GATE_PAUSED);
    facts.lease_held = true;
    assert_int_equal(gate_step(&gate, &facts), GATE_OPEN);

    facts.lease_held = false;
    assert_int_equal(gate_step(&gate, &facts), GATE_PAUSED);
    facts.now_ms += GRACE_MS;
    assert_int_equal(gate_step(&gate, &facts), GATE_CLOSED);
    facts.lease_held = true;
    assert_int_equal(gate_step(&gate, &facts), GATE_OPEN);
}

/* Goal: the end of the own incarnation closes at once, also while paused.
 * Method: end it in both states. */
static void test_incarnation_ended(void **state)
{
    struct gate gate = open_gate();
    struct gate_facts facts = all_well;

    (void)state;
    facts.incarnation_up = false;
    assert_int_equal(gate_step(&gate, &facts), GATE_CLOSED);

    gate = open_gate();
    facts = all_well;
    facts.has_room = false;
    assert_int_equal(gate_step(&gate, &facts), GATE_PAUSED);
    facts.incarnation_up = false;
    assert_int_equal(gate_step(&gate, &facts), GATE_CLOSED);
}

/* Goal: whoever waits is told for what. Method: take away one fact at a time, of a gate that is
 * closed and of one that is open. */
static void test_reasons(void **state)
{
    static const enum gate_reason expected[4] = {GATE_NOT_CURRENT, GATE_NO_LEASE, GATE_STORE_BEHIND,
                                                 GATE_STOPPING};
    struct gate_facts facts[4] = {all_well, all_well, all_well, all_well};
    const struct gate open = open_gate();

    (void)state;
    facts[0].incarnation_up = false;
    facts[1].lease_held = false;
    facts[2].has_room = false;
    facts[3].is_stopping = true;
    assert_int_equal(gate_reason(&open, &all_well), GATE_SERVES);
    for (size_t i = 0; i < ARRAY_COUNT(facts); i++) {
        struct gate closed = {.grace_ms = GRACE_MS};
        struct gate was_open = open;

        (void)gate_step(&closed, &facts[i]);
        (void)gate_step(&was_open, &facts[i]);
        assert_int_equal(gate_reason(&closed, &facts[i]), expected[i]);
        assert_int_equal(gate_reason(&was_open, &facts[i]), expected[i]);
    }
    assert_string_equal(gate_reason_text(GATE_NO_LEASE), "no lease");
    assert_null(gate_reason_text(GATE_REASON_COUNT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_fact_is_needed),
        cmocka_unit_test(test_lease_lost),
        cmocka_unit_test(test_incarnation_ended),
        cmocka_unit_test(test_reasons),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
