#include "ha/gate/gate.h"

#include "node/base/assert.h"

enum gate_state gate_step(struct gate *gate, const struct gate_facts *facts)
{
    bool all_well = facts->lease_held && facts->has_room;

    if (!facts->incarnation_up || facts->is_stopping) {
        gate->state = GATE_CLOSED;
        return gate->state;
    }
    switch (gate->state) {
    case GATE_CLOSED:
        if (all_well) {
            gate->state = GATE_OPEN;
        }
        break;
    case GATE_OPEN:
        if (!all_well) {
            gate->state = GATE_PAUSED;
            gate->paused_ms = facts->now_ms;
        }
        break;
    case GATE_PAUSED:
        if (all_well) {
            gate->state = GATE_OPEN;
        } else if (facts->now_ms - gate->paused_ms >= gate->grace_ms) {
            gate->state = GATE_CLOSED;
        }
        break;
    }
    return gate->state;
}

enum gate_reason gate_reason(const struct gate *gate, const struct gate_facts *facts)
{
    if (gate->state == GATE_OPEN) {
        return GATE_SERVES;
    }
    if (facts->is_stopping) {
        return GATE_STOPPING;
    }
    if (!facts->incarnation_up) {
        return GATE_NOT_CURRENT;
    }
    return facts->lease_held ? GATE_STORE_BEHIND : GATE_NO_LEASE;
}

#define REASON_TEXT(name, text) text,
static const char *const reason_texts[] = {GATE_REASONS(REASON_TEXT)};
#undef REASON_TEXT

const char *gate_reason_text(unsigned reason)
{
    return reason < ARRAY_COUNT(reason_texts) ? reason_texts[reason] : NULL;
}
