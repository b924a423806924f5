/* gate - may this node serve clients now (DESIGN 7: lease and start gate)? Pure: facts and time in,
 * verdict out.
 *
 *   CLOSED --all well--> OPEN --lease or room lost--> PAUSED --grace_ms--> CLOSED
 *                         ^----------all well-----------'
 *   any --own incarnation ended--> CLOSED
 *
 * While PAUSED nothing is read from clients, so nothing is accepted; a leader's death that the
 * others repair in time costs no connection. */
#ifndef HA_GATE_GATE_H
#define HA_GATE_GATE_H

#include <stdbool.h>
#include <stdint.h>

enum gate_state { GATE_CLOSED, GATE_OPEN, GATE_PAUSED };

struct gate {
    enum gate_state state;
    uint32_t grace_ms;
    uint64_t paused_ms; /* since when */
};

struct gate_facts {
    bool incarnation_up; /* own START is applied: everything committed before it is applied too */
    bool lease_held;
    bool has_room; /* the store keeps up */
    bool is_stopping;
    uint64_t now_ms;
};

/** Take the facts; returns the new state. */
enum gate_state gate_step(struct gate *gate, const struct gate_facts *facts);

#endif
