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

/* Why a node does not serve; the text is for operators. The numbers travel in reports
 * (raft/log/report.h): they keep their meaning. */
#define GATE_REASONS(X)                                                                            \
    X(SERVES, "")                                                                                  \
    X(STOPPING, "the node stops")                                                                  \
    X(NOT_CURRENT, "not current with the log")                                                     \
    X(NO_LEASE, "no lease")                                                                        \
    X(STORE_BEHIND, "the store is behind")                                                         \
    X(DOORS, "a client port is closed")                                                            \
    X(WORKER_HUNG, "a worker hangs")

#define GATE_REASON_NAME(name, text) GATE_##name,
enum gate_reason { GATE_REASONS(GATE_REASON_NAME) GATE_REASON_COUNT };
#undef GATE_REASON_NAME

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

/** Why the gate is not open with these facts: GATE_SERVES when it is. */
enum gate_reason gate_reason(const struct gate *gate, const struct gate_facts *facts);
/** NULL: a reason that this program does not know. */
const char *gate_reason_text(unsigned reason);

#endif
