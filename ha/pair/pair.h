/* pair - what the two nodes of a redundancy group are to each other (DESIGN 7): the state and
 * reason that operators see, what the leader decides, which requests are granted. Pure: facts in,
 * verdicts out. The log stores the facts; what is derived from them is stored nowhere, so nothing
 * can get stuck in it.
 *
 * Each node is the home of some users. While it serves them they are at home; after a failover its
 * peer does, and they are away. Sessions follow a move one by one: until the last has, it goes on.
 */
#ifndef HA_PAIR_PAIR_H
#define HA_PAIR_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAIR_NODES 2

enum pair_life {
    PAIR_DOWN,     /* presumed dead */
    PAIR_STOPPED,  /* it left by itself: a stop, a restart */
    PAIR_STARTING, /* its process lives, and does not serve yet */
    PAIR_UP,
    PAIR_LIVES
};

/* Why a node is in its state, and why users were moved; the second word is shown to operators. */
#define PAIR_REASONS(X)                                                                            \
    X(NONE, "")                                                                                    \
    X(NOT_ENABLED, "High Availability Not Enabled")                                                \
    X(NO_PEER, "No Peer")                                                                          \
    X(NODE_DOWN, "Node Down")                                                                      \
    X(NODE_STOPPED, "Node Stopped")                                                                \
    X(INITIALIZATION, "Initialization")                                                            \
    X(ADMIN_REQUEST, "On Admin Request")                                                           \
    X(CRITICAL_SERVICE_DOWN, "Critical Service Down")                                              \
    X(PEER_DOWN, "Peer Down")                                                                      \
    X(PEER_REBOOT, "Peer Reboot")                                                                  \
    X(AUTOMATIC_FALLBACK, "Automatic Fallback")                                                    \
    X(AUTO_RECOVERY, "Auto Recovery")                                                              \
    X(TAKE_OVER_FAILED, "Take Over of Users Failed")

#define PAIR_REASON_NAME(name, text) PAIR_##name,
enum pair_reason { PAIR_REASONS(PAIR_REASON_NAME) PAIR_REASON_COUNT };
#undef PAIR_REASON_NAME

#define PAIR_STATES(X)                                                                             \
    X(UNKNOWN, "Unknown")                                                                          \
    X(INITIALIZING, "Initializing")                                                                \
    X(NORMAL, "Normal")                                                                            \
    X(IDLE, "Idle")                                                                                \
    X(FAILING_OVER, "Failing Over")                                                                \
    X(FAILED_OVER, "Failed Over")                                                                  \
    X(FAILED_OVER_CRITICAL, "Failed Over with Critical Services Not Running")                      \
    X(TAKING_OVER, "Taking Over")                                                                  \
    X(RUNNING_IN_BACKUP, "Running in Backup Mode")                                                 \
    X(FALLING_BACK, "Falling Back")                                                                \
    X(TAKING_BACK, "Taking Back")                                                                  \
    X(RUNNING_IN_FAILED_MODE, "Running in Failed Mode")

#define PAIR_STATE_NAME(name, text) PAIR_##name,
enum pair_state { PAIR_STATES(PAIR_STATE_NAME) PAIR_STATE_COUNT };
#undef PAIR_STATE_NAME

/* The facts about one node of the group. All times are cluster time. */
struct pair_node {
    bool is_there; /* false: the group has one node only */
    enum pair_life life;
    uint64_t life_ms;           /* since when it has this life */
    bool is_well;               /* it serves, no critical service of it is down, no witness */
    uint64_t well_ms;           /* since when it is well, or not */
    bool is_away;               /* its users are, or are to be, served by the peer */
    bool is_drained;            /* and it takes nobody else's sessions either */
    bool is_moving;             /* sessions are still where they no longer belong */
    enum pair_reason moved_for; /* why its users were moved last; PAIR_NONE: never */
    uint64_t moved_ms;          /* when that began, or was over */
};

struct pair_facts {
    bool is_enabled;   /* high availability, by the operator */
    bool others_serve; /* a node of another group could serve the users, too */
    struct pair_node nodes[PAIR_NODES];
    uint64_t now_ms;
    bool falls_back;           /* automatic fallback is on */
    uint64_t fallback_wait_ms; /* how long the home node has to be well before */
};

struct pair_view {
    enum pair_state state;
    enum pair_reason reason;
    uint64_t since_ms; /* of the newest fact about a node that it follows from: nobody notes when
                          the group got its nodes, and was enabled */
};

/** What the node (0 or 1) of the group shows. Total: any facts give a state. */
struct pair_view pair_view(const struct pair_facts *facts, size_t node);

const char *pair_state_text(enum pair_state state);
const char *pair_reason_text(enum pair_reason reason);

/** Call back with each row, as Markdown, of the table that pair_view() follows. */
void pair_each_rule(void (*visit)(void *ctx, const char *row), void *ctx);

/* A decision: the users of a node move away to its peer, or home. A node that is drained needs no
 * peer: its sessions go to whoever takes them. */
struct pair_move {
    size_t node;
    bool away;
    bool drain;
    enum pair_reason reason;
};

/** What the leader has to decide now, of itself. False: nothing. */
bool pair_decide(const struct pair_facts *facts, struct pair_move *out);

enum pair_request {
    PAIR_FAILOVER,
    PAIR_FALLBACK,
    PAIR_RECOVER,
    PAIR_DRAIN,
    PAIR_ABORT, /* of the move that is under way: its node is in charge of its users */
    PAIR_REQUESTS
};

/** May the operator's request about a node be granted? NULL: yes, and out says what is to be done;
 * else why not. PAIR_RECOVER is about the whole group and takes any node of it. */
const char *pair_grant(const struct pair_facts *facts, enum pair_request request, size_t node,
                       struct pair_move *out);
/** The refusal, to be told by its address, of what may be granted in a moment: the node starts. */
extern const char pair_node_starts[];

#endif
