#include "ha/gate/gate.h"

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
