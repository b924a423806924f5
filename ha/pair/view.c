/* From facts to state and reason: one table, of which the first row that fits holds. */
#include "ha/pair/pair.h"

#include "node/base/assert.h"

#include <stdio.h>

#define ROW_BYTES_MAX 256

/* What a row asks of one fact. */
enum want { ANY, NO, YES };

/* Where the reason comes from. */
enum reason_of { FIXED, OWN_MOVE, PEER_MOVE };

struct rule {
    enum want enabled, peer_there;
    enum pair_life life;                 /* PAIR_LIVES: any */
    enum want away, moving, well, asked; /* asked: its move was on request */
    enum want peer_away, peer_moving;
    enum pair_state state;
    enum reason_of reason_of;
    enum pair_reason reason; /* FIXED */
};

static const struct rule rules[] = {
    {.life = PAIR_LIVES, .enabled = NO, .state = PAIR_UNKNOWN, .reason = PAIR_NOT_ENABLED},
    {.life = PAIR_LIVES, .peer_there = NO, .state = PAIR_UNKNOWN, .reason = PAIR_NO_PEER},
    {.life = PAIR_DOWN, .state = PAIR_UNKNOWN, .reason = PAIR_NODE_DOWN},
    {.life = PAIR_STOPPED, .state = PAIR_UNKNOWN, .reason = PAIR_NODE_STOPPED},
    {.life = PAIR_STARTING, .state = PAIR_INITIALIZING, .reason = PAIR_INITIALIZATION},
    {.life = PAIR_UP,
     .away = YES,
     .peer_away = YES,
     .state = PAIR_RUNNING_IN_FAILED_MODE,
     .reason = PAIR_TAKE_OVER_FAILED},
    {.life = PAIR_UP,
     .away = YES,
     .moving = YES,
     .state = PAIR_FAILING_OVER,
     .reason_of = OWN_MOVE},
    {.life = PAIR_UP,
     .away = YES,
     .well = NO,
     .state = PAIR_FAILED_OVER_CRITICAL,
     .reason = PAIR_CRITICAL_SERVICE_DOWN},
    {.life = PAIR_UP, .away = YES, .asked = YES, .state = PAIR_IDLE, .reason_of = OWN_MOVE},
    {.life = PAIR_UP, .away = YES, .state = PAIR_FAILED_OVER, .reason_of = OWN_MOVE},
    {.life = PAIR_UP,
     .well = NO,
     .state = PAIR_RUNNING_IN_FAILED_MODE,
     .reason = PAIR_CRITICAL_SERVICE_DOWN},
    {.life = PAIR_UP, .moving = YES, .state = PAIR_TAKING_BACK, .reason_of = OWN_MOVE},
    {.life = PAIR_UP,
     .peer_away = YES,
     .peer_moving = YES,
     .state = PAIR_TAKING_OVER,
     .reason_of = PEER_MOVE},
    {.life = PAIR_UP, .peer_away = YES, .state = PAIR_RUNNING_IN_BACKUP, .reason_of = PEER_MOVE},
    {.life = PAIR_UP, .peer_moving = YES, .state = PAIR_FALLING_BACK, .reason_of = PEER_MOVE},
    {.life = PAIR_UP, .state = PAIR_NORMAL, .reason = PAIR_NONE},
};

#define TEXT(name, text) text,
static const char *const state_texts[] = {PAIR_STATES(TEXT)};
static const char *const reason_texts[] = {PAIR_REASONS(TEXT)};
#undef TEXT

const char *pair_state_text(enum pair_state state)
{
    ASSERT(state < PAIR_STATE_COUNT);
    return state_texts[state];
}

const char *pair_reason_text(enum pair_reason reason)
{
    ASSERT(reason < PAIR_REASON_COUNT);
    return reason_texts[reason];
}

static bool fits(enum want want, bool fact)
{
    return want == ANY || (want == YES) == fact;
}

static bool applies(const struct rule *rule, bool enabled, const struct pair_node *own,
                    const struct pair_node *peer)
{
    return fits(rule->enabled, enabled) && fits(rule->peer_there, peer->is_there) &&
           (rule->life == PAIR_LIVES || rule->life == own->life) &&
           fits(rule->away, own->is_away) && fits(rule->moving, own->is_moving) &&
           fits(rule->well, own->is_well) &&
           fits(rule->asked, own->moved_for == PAIR_ADMIN_REQUEST) &&
           fits(rule->peer_away, peer->is_away) && fits(rule->peer_moving, peer->is_moving);
}

static uint64_t later(uint64_t a_ms, uint64_t b_ms)
{
    return a_ms > b_ms ? a_ms : b_ms;
}

/* That a node is in no peculiar state, or in one that its peer's users bring about, follows from
 * the peer's moves as well. */
static uint64_t since(const struct rule *rule, const struct pair_node *own,
                      const struct pair_node *peer)
{
    const bool asks_of_peer =
        rule->peer_away != ANY || rule->peer_moving != ANY || rule->state == PAIR_NORMAL;
    uint64_t own_ms = later(later(own->life_ms, own->well_ms), own->moved_ms);

    return asks_of_peer ? later(own_ms, peer->moved_ms) : own_ms;
}

/* That its peer is gone is what the other node says. The one that was gone begins anew when it is
 * back. */
static enum pair_reason own_reason(const struct pair_node *own)
{
    const bool was_gone = own->moved_for == PAIR_PEER_DOWN || own->moved_for == PAIR_PEER_REBOOT;

    return was_gone ? PAIR_INITIALIZATION : own->moved_for;
}

static enum pair_reason reason(const struct rule *rule, const struct pair_node *own,
                               const struct pair_node *peer)
{
    return rule->reason_of == OWN_MOVE    ? own_reason(own)
           : rule->reason_of == PEER_MOVE ? peer->moved_for
                                          : rule->reason;
}

struct pair_view pair_view(const struct pair_facts *facts, size_t node)
{
    const struct pair_node *own = &facts->nodes[node];
    const struct pair_node *peer = &facts->nodes[1 - node];

    for (size_t i = 0; i < ARRAY_COUNT(rules); i++) {
        const struct rule *rule = &rules[i];

        if (applies(rule, facts->is_enabled, own, peer)) {
            return (struct pair_view){.state = rule->state,
                                      .reason = reason(rule, own, peer),
                                      .since_ms = since(rule, own, peer)};
        }
    }
    ASSERT(false && "the last row fits every node that is up");
    return (struct pair_view){.state = PAIR_UNKNOWN};
}

/* ---------------------------------------------------------------- for the documentation */

static const char *want_text(enum want want)
{
    return want == ANY ? "" : want == YES ? "yes" : "no";
}

static const char *life_text(enum pair_life life)
{
    static const char *const texts[] = {[PAIR_DOWN] = "down",
                                        [PAIR_STOPPED] = "stopped",
                                        [PAIR_STARTING] = "starting",
                                        [PAIR_UP] = "up",
                                        [PAIR_LIVES] = ""};

    return texts[life];
}

static const char *rule_reason(const struct rule *rule)
{
    return rule->reason_of == OWN_MOVE    ? "why its users were moved"
           : rule->reason_of == PEER_MOVE ? "why the peer's users were moved"
                                          : pair_reason_text(rule->reason);
}

void pair_each_rule(void (*visit)(void *ctx, const char *row), void *ctx)
{
    char row[ROW_BYTES_MAX];

    visit(ctx, "| HA on | has a peer | node | its users away | moving | well | asked for | peer's "
               "users away | moving | state | reason |");
    visit(ctx, "|---|---|---|---|---|---|---|---|---|---|---|");
    for (size_t i = 0; i < ARRAY_COUNT(rules); i++) {
        const struct rule *rule = &rules[i];

        (void)snprintf(row, sizeof(row), "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |",
                       want_text(rule->enabled), want_text(rule->peer_there), life_text(rule->life),
                       want_text(rule->away), want_text(rule->moving), want_text(rule->well),
                       want_text(rule->asked), want_text(rule->peer_away),
                       want_text(rule->peer_moving), pair_state_text(rule->state),
                       rule_reason(rule));
        visit(ctx, row);
    }
}
