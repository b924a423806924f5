/* The two nodes of a group: every combination of facts, and the courses of events that operators
 * know. */
#include "ha/pair/pair.h"

#include "node/base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define WAIT_MS   60000
#define STEPS_MAX 16

/* ---------------------------------------------------------------- every combination */

static const enum pair_reason moves[] = {PAIR_NONE, PAIR_ADMIN_REQUEST, PAIR_CRITICAL_SERVICE_DOWN,
                                         PAIR_PEER_DOWN, PAIR_AUTOMATIC_FALLBACK};

#define NODE_COMBINATIONS (2u * PAIR_LIVES * 2 * 2 * 2 * (unsigned)ARRAY_COUNT(moves))
#define COMBINATIONS      (NODE_COMBINATIONS * NODE_COMBINATIONS * 4)

static unsigned take(unsigned *number, unsigned base)
{
    unsigned digit = *number % base;

    *number /= base;
    return digit;
}

static struct pair_node make_node(unsigned number)
{
    struct pair_node node = {.is_there = take(&number, 2) == 0,
                             .life = (enum pair_life)take(&number, PAIR_LIVES),
                             .is_well = take(&number, 2) == 0,
                             .is_away = take(&number, 2) == 0,
                             .is_moving = take(&number, 2) == 0};

    node.is_drained = node.is_away && !node.is_moving;
    node.moved_for = moves[take(&number, ARRAY_COUNT(moves))];
    return node;
}

static struct pair_facts make_facts(unsigned number)
{
    struct pair_facts facts = {.now_ms = 1000000, .fallback_wait_ms = WAIT_MS};

    facts.is_enabled = take(&number, 2) == 0;
    facts.falls_back = take(&number, 2) == 0;
    facts.others_serve = facts.falls_back;
    facts.nodes[0] = make_node(take(&number, NODE_COMBINATIONS));
    facts.nodes[1] = make_node(take(&number, NODE_COMBINATIONS));
    return facts;
}

static bool can_serve(const struct pair_node *node)
{
    return node->is_there && node->life == PAIR_UP && node->is_well;
}

static void carry_out(struct pair_facts *facts, const struct pair_move *move)
{
    struct pair_node *node = &facts->nodes[move->node];

    node->is_away = move->away;
    node->is_drained = move->drain;
    node->is_moving = true;
    node->moved_for = move->reason;
}

/* Goal: every combination of facts has a state and a reason, and every state is that of some. That
 * its peer is, or was, gone is said by a node that has to do with the peer's users, not with its
 * own.
 */
static void test_every_combination_has_a_state(void **state)
{
    bool seen_states[PAIR_STATE_COUNT] = {false};

    (void)state;
    for (unsigned number = 0; number < COMBINATIONS; number++) {
        struct pair_facts facts = make_facts(number);

        for (size_t i = 0; i < PAIR_NODES; i++) {
            struct pair_view view = pair_view(&facts, i);

            if (!facts.nodes[i].is_there) {
                continue;
            }
            assert_in_range(view.state, 0, PAIR_STATE_COUNT - 1);
            assert_in_range(view.reason, 0, PAIR_REASON_COUNT - 1);
            if (view.state == PAIR_NORMAL) {
                assert_true(can_serve(&facts.nodes[i]) && !facts.nodes[i].is_away &&
                            !facts.nodes[1 - i].is_away);
            }
            if (view.reason == PAIR_PEER_DOWN || view.reason == PAIR_PEER_REBOOT) {
                assert_int_equal(facts.nodes[1 - i].moved_for, view.reason);
                assert_true(facts.nodes[1 - i].is_away || facts.nodes[1 - i].is_moving);
            }
            seen_states[view.state] = true;
        }
    }
    for (size_t i = 0; i < PAIR_STATE_COUNT; i++) {
        assert_true(seen_states[i]);
    }
}

/* What is granted changes something, and leads to a node that can serve; whoever that is where a
 * node without a peer is drained. */
static void expect_safe(const struct pair_facts *facts, enum pair_request request,
                        const struct pair_move *move)
{
    const struct pair_node *node = &facts->nodes[move->node];
    const struct pair_node *peer = &facts->nodes[1 - move->node];
    const bool is_pair = facts->is_enabled && node->is_there && peer->is_there;

    assert_true(node->is_there);
    assert_int_equal(move->reason, PAIR_ADMIN_REQUEST);
    if (request == PAIR_ABORT) {
        assert_true(node->is_moving);
        return;
    }
    assert_int_equal(move->drain, request == PAIR_DRAIN);
    assert_true(move->drain ? !node->is_drained : node->is_away != move->away);
    if (!move->away) {
        assert_true(can_serve(node));
    } else if (is_pair) {
        assert_true(can_serve(peer) && !peer->is_away);
    } else {
        assert_true(move->drain && (facts->others_serve || (can_serve(peer) && !peer->is_drained)));
    }
}

/* Goal: no move, decided or granted, takes users to a node that cannot serve them, and a refusal
 * has a reason. */
static void test_every_move_leads_to_who_can_serve(void **state)
{
    (void)state;
    for (unsigned number = 0; number < COMBINATIONS; number++) {
        struct pair_facts facts = make_facts(number);
        struct pair_move move;

        if (pair_decide(&facts, &move)) {
            assert_true(can_serve(&facts.nodes[move.away ? 1 - move.node : move.node]));
            assert_true(facts.nodes[move.node].is_away != move.away);
        }
        for (unsigned i = 0; i < PAIR_NODES * PAIR_REQUESTS; i++) {
            const char *refusal =
                pair_grant(&facts, (enum pair_request)(i / PAIR_NODES), i % PAIR_NODES, &move);

            if (refusal == NULL) {
                expect_safe(&facts, (enum pair_request)(i / PAIR_NODES), &move);
            } else {
                assert_true(strlen(refusal) > 0);
            }
        }
    }
}

/* Goal: once both nodes and their services are well, a group returns to Normal without an operator,
 * from every combination; only what an operator failed over waits for him. */
static void test_every_combination_returns_to_normal(void **state)
{
    (void)state;
    for (unsigned number = 0; number < COMBINATIONS; number++) {
        struct pair_facts facts = make_facts(number);
        struct pair_move move;
        int steps = 0;

        facts.is_enabled = true;
        facts.falls_back = true;
        for (size_t i = 0; i < PAIR_NODES; i++) {
            facts.nodes[i].is_there = true;
            facts.nodes[i].life = PAIR_UP;
            facts.nodes[i].is_well = true;
        }
        do {
            while (pair_decide(&facts, &move)) {
                carry_out(&facts, &move);
                assert_in_range(++steps, 1, STEPS_MAX);
            }
            facts.nodes[0].is_moving = false;
            facts.nodes[1].is_moving = false;
            facts.now_ms += WAIT_MS;
        } while (pair_decide(&facts, &move));
        for (size_t i = 0; i < PAIR_NODES; i++) {
            const struct pair_node *away = facts.nodes[i].is_away       ? &facts.nodes[i]
                                           : facts.nodes[1 - i].is_away ? &facts.nodes[1 - i]
                                                                        : NULL;

            if (away == NULL) {
                assert_int_equal(pair_view(&facts, i).state, PAIR_NORMAL);
            } else {
                assert_int_equal(away->moved_for, PAIR_ADMIN_REQUEST);
                assert_int_equal(pair_view(&facts, i).state,
                                 facts.nodes[i].is_away ? PAIR_IDLE : PAIR_RUNNING_IN_BACKUP);
                assert_null(pair_grant(&facts, PAIR_FALLBACK, (size_t)(away - facts.nodes), &move));
            }
        }
    }
}

/* ---------------------------------------------------------------- courses of events */

static struct pair_facts well(void)
{
    struct pair_facts facts = {
        .is_enabled = true, .falls_back = true, .now_ms = 1000000, .fallback_wait_ms = WAIT_MS};

    for (size_t i = 0; i < PAIR_NODES; i++) {
        facts.nodes[i] = (struct pair_node){.is_there = true, .life = PAIR_UP, .is_well = true};
    }
    return facts;
}

static void expect(const struct pair_facts *facts, enum pair_state home, enum pair_reason home_why,
                   enum pair_state backup, enum pair_reason backup_why)
{
    assert_int_equal(pair_view(facts, 0).state, home);
    assert_int_equal(pair_view(facts, 0).reason, home_why);
    assert_int_equal(pair_view(facts, 1).state, backup);
    assert_int_equal(pair_view(facts, 1).reason, backup_why);
}

static void decide(struct pair_facts *facts)
{
    struct pair_move move;

    assert_true(pair_decide(facts, &move));
    assert_int_equal(move.node, 0);
    carry_out(facts, &move);
}

static void expect_no_decision(const struct pair_facts *facts)
{
    struct pair_move move;

    assert_false(pair_decide(facts, &move));
}

/* Goal: a failover on request and the fallback after it look as operators know them. */
static void test_on_request(void **state)
{
    struct pair_facts facts = well();
    struct pair_move move;

    (void)state;
    expect(&facts, PAIR_NORMAL, PAIR_NONE, PAIR_NORMAL, PAIR_NONE);
    assert_null(pair_grant(&facts, PAIR_FAILOVER, 0, &move));
    carry_out(&facts, &move);
    expect(&facts, PAIR_FAILING_OVER, PAIR_ADMIN_REQUEST, PAIR_TAKING_OVER, PAIR_ADMIN_REQUEST);
    assert_non_null(pair_grant(&facts, PAIR_FAILOVER, 1, &move));
    facts.nodes[0].is_moving = false;
    expect(&facts, PAIR_IDLE, PAIR_ADMIN_REQUEST, PAIR_RUNNING_IN_BACKUP, PAIR_ADMIN_REQUEST);
    facts.now_ms += 10 * WAIT_MS;
    expect_no_decision(&facts);
    assert_null(pair_grant(&facts, PAIR_FALLBACK, 0, &move));
    carry_out(&facts, &move);
    expect(&facts, PAIR_TAKING_BACK, PAIR_ADMIN_REQUEST, PAIR_FALLING_BACK, PAIR_ADMIN_REQUEST);
    facts.nodes[0].is_moving = false;
    expect(&facts, PAIR_NORMAL, PAIR_NONE, PAIR_NORMAL, PAIR_NONE);
}

/* Goal: a node dies, comes back, and gets its users again when it was well for the whole wait. */
static void test_death_and_return(void **state)
{
    struct pair_facts facts = well();
    struct pair_move move;

    (void)state;
    facts.nodes[0].life = PAIR_DOWN;
    decide(&facts);
    facts.nodes[0].is_moving = false;
    expect(&facts, PAIR_UNKNOWN, PAIR_NODE_DOWN, PAIR_RUNNING_IN_BACKUP, PAIR_PEER_DOWN);
    facts.nodes[0].life = PAIR_STARTING;
    expect(&facts, PAIR_INITIALIZING, PAIR_INITIALIZATION, PAIR_RUNNING_IN_BACKUP, PAIR_PEER_DOWN);
    assert_ptr_equal(pair_grant(&facts, PAIR_FALLBACK, 0, &move), pair_node_starts);
    facts.nodes[0].life = PAIR_UP;
    facts.nodes[0].life_ms = facts.now_ms;
    facts.now_ms += WAIT_MS - 1;
    expect(&facts, PAIR_FAILED_OVER, PAIR_INITIALIZATION, PAIR_RUNNING_IN_BACKUP, PAIR_PEER_DOWN);
    expect_no_decision(&facts);
    facts.now_ms++;
    decide(&facts);
    expect(&facts, PAIR_TAKING_BACK, PAIR_AUTOMATIC_FALLBACK, PAIR_FALLING_BACK,
           PAIR_AUTOMATIC_FALLBACK);
}

/* Goal: a node that was stopped is told from one that died. */
static void test_stop(void **state)
{
    struct pair_facts facts = well();

    (void)state;
    facts.nodes[0].life = PAIR_STOPPED;
    decide(&facts);
    facts.nodes[0].is_moving = false;
    expect(&facts, PAIR_UNKNOWN, PAIR_NODE_STOPPED, PAIR_RUNNING_IN_BACKUP, PAIR_PEER_REBOOT);
    facts.nodes[0].life = PAIR_UP;
    expect(&facts, PAIR_FAILED_OVER, PAIR_INITIALIZATION, PAIR_RUNNING_IN_BACKUP, PAIR_PEER_REBOOT);
}

/* Goal: a critical service that is down fails its node over; without a peer that could serve, the
 * users stay, and it is said. */
static void test_critical_service(void **state)
{
    struct pair_facts facts = well();

    (void)state;
    facts.nodes[0].is_well = false;
    facts.nodes[1].life = PAIR_DOWN;
    expect_no_decision(&facts);
    expect(&facts, PAIR_RUNNING_IN_FAILED_MODE, PAIR_CRITICAL_SERVICE_DOWN, PAIR_UNKNOWN,
           PAIR_NODE_DOWN);
    facts.nodes[1].life = PAIR_UP;
    decide(&facts);
    facts.nodes[0].is_moving = false;
    expect(&facts, PAIR_FAILED_OVER_CRITICAL, PAIR_CRITICAL_SERVICE_DOWN, PAIR_RUNNING_IN_BACKUP,
           PAIR_CRITICAL_SERVICE_DOWN);
}

/* Goal: a node is drained with a peer and without one, failed over or not, and falls back; an abort
 * is granted as long as sessions move. */
static void test_drain_and_abort(void **state)
{
    struct pair_facts facts = well();
    struct pair_move move;

    (void)state;
    assert_non_null(pair_grant(&facts, PAIR_ABORT, 0, &move));
    assert_null(pair_grant(&facts, PAIR_FAILOVER, 0, &move));
    carry_out(&facts, &move);
    assert_non_null(pair_grant(&facts, PAIR_DRAIN, 0, &move));
    assert_null(pair_grant(&facts, PAIR_ABORT, 0, &move));
    facts.nodes[0].is_moving = false;
    assert_null(pair_grant(&facts, PAIR_DRAIN, 0, &move));
    carry_out(&facts, &move);
    expect(&facts, PAIR_FAILING_OVER, PAIR_ADMIN_REQUEST, PAIR_TAKING_OVER, PAIR_ADMIN_REQUEST);
    facts.nodes[0].is_moving = false;
    expect(&facts, PAIR_IDLE, PAIR_ADMIN_REQUEST, PAIR_RUNNING_IN_BACKUP, PAIR_ADMIN_REQUEST);
    assert_non_null(pair_grant(&facts, PAIR_DRAIN, 0, &move));

    facts = well();
    facts.is_enabled = false;
    assert_null(pair_grant(&facts, PAIR_DRAIN, 0, &move)); /* no pair, but the other one serves */
    facts.nodes[1].is_drained = true;
    assert_non_null(pair_grant(&facts, PAIR_DRAIN, 0, &move));
    facts.others_serve = true;
    assert_null(pair_grant(&facts, PAIR_DRAIN, 0, &move));
    carry_out(&facts, &move);
    facts.nodes[0].is_moving = false;
    assert_null(pair_grant(&facts, PAIR_FALLBACK, 0, &move));
    assert_false(move.away);
}

/* Goal: a state is as old as the newest fact that it follows from. */
static void test_since(void **state)
{
    struct pair_facts facts = well();

    (void)state;
    facts.nodes[0].life_ms = 100;
    facts.nodes[0].well_ms = 300;
    facts.nodes[1].life_ms = 900;
    facts.nodes[1].moved_ms = 200;
    assert_int_equal(pair_view(&facts, 0).since_ms, 300);
    facts.nodes[1].moved_ms = 500;
    assert_int_equal(pair_view(&facts, 0).since_ms, 500);
    facts.nodes[0].life = PAIR_DOWN;
    assert_int_equal(pair_view(&facts, 0).since_ms, 300);
}

/* Goal: when the backup breaks while the home node could serve, users go home unasked. */
static void test_backup_breaks(void **state)
{
    struct pair_facts facts = well();
    struct pair_move move;

    (void)state;
    assert_null(pair_grant(&facts, PAIR_FAILOVER, 0, &move));
    carry_out(&facts, &move);
    facts.nodes[0].is_moving = false;
    facts.nodes[1].life = PAIR_DOWN;
    decide(&facts);
    expect(&facts, PAIR_TAKING_BACK, PAIR_AUTO_RECOVERY, PAIR_UNKNOWN, PAIR_NODE_DOWN);
}

/* ---------------------------------------------------------------- the documentation */

struct document {
    char text[32 * 1024];
    const char *next; /* where the next row has to come */
};

static void expect_row(void *ctx, const char *row)
{
    struct document *document = ctx;
    const char *found = strstr(document->next, row);

    if (found == NULL) {
        print_error("docs/ha.md lacks, or has elsewhere:\n%s\n", row);
    }
    assert_non_null(found);
    document->next = found + strlen(row);
}

/* Goal: docs/ha.md has the table that states follow, row by row in order. */
static void test_documentation(void **state)
{
    static struct document document;
    FILE *file = fopen("docs/ha.md", "r");

    (void)state;
    assert_non_null(file);
    document.text[fread(document.text, 1, sizeof(document.text) - 1, file)] = '\0';
    (void)fclose(file);
    document.next = document.text;
    pair_each_rule(expect_row, &document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_combination_has_a_state),
        cmocka_unit_test(test_every_move_leads_to_who_can_serve),
        cmocka_unit_test(test_every_combination_returns_to_normal),
        cmocka_unit_test(test_on_request),
        cmocka_unit_test(test_death_and_return),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_critical_service),
        cmocka_unit_test(test_drain_and_abort),
        cmocka_unit_test(test_since),
        cmocka_unit_test(test_backup_breaks),
        cmocka_unit_test(test_documentation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
