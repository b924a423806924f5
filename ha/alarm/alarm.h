/* alarm - which alarms the cluster's leader raises and clears. Pure: facts about the members and
 * the alarms as the log has them in, changes out. What is true for a moment only changes nothing,
 * and an alarm changes at most once in ALARM_GAP_MS, so that what flaps does not fill the log. */
#ifndef HA_ALARM_ALARM_H
#define HA_ALARM_ALARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ALARM_NODES_MAX    16
#define ALARM_CHANGES_MAX  8    /* at once; the rest is found again at the next look */
#define ALARM_GAP_MS       5000 /* between two changes of one alarm */
#define ALARM_CLEAR_MS     3000 /* it must be over for so long */
#define ALARM_REASON_BYTES 160

enum alarm_severity { ALARM_CRITICAL, ALARM_MAJOR, ALARM_MINOR, ALARM_WARNING };

/* The name is what operators read, and what the log has; then the severity; how long it must be
 * true in ms; and the bit of enum health_alarm that it comes from, 0: none. */
#define ALARM_KINDS(X)                                                                             \
    X(NODE_DOWN, "node-down", CRITICAL, 1000, 0)                                                   \
    X(SERVICE_DOWN, "service-down", CRITICAL, 1000, 0)                                             \
    X(FAILED_OVER, "node-failed-over", MAJOR, 1000, 0)                                             \
    X(NOT_CURRENT, "not-current", MAJOR, 5000, 0)                                                  \
    X(NOT_SERVING, "not-serving", MAJOR, 5000, 0)                                                  \
    X(NO_STANDBY, "no-standby", MAJOR, 5000, 0)                                                    \
    X(NO_SPARE_VOTER, "no-spare-voter", MAJOR, 5000, 0)                                            \
    X(STATE_DIFFERS, "state-differs", CRITICAL, 1000, HEALTH_STATE_DIFFERS)                        \
    X(LOG_DISK_STALLED, "log-disk-stalled", CRITICAL, 1000, HEALTH_LOG_DISK_STALLED)               \
    X(WORKER_HUNG, "worker-hung", CRITICAL, 1000, HEALTH_WORKER_HUNG)                              \
    X(LEASE_DIFFERS, "lease-differs", MAJOR, 1000, HEALTH_LEASE_DIFFERS)                           \
    X(STORE_BEHIND, "store-behind", MAJOR, 3000, HEALTH_STORE_BEHIND)                              \
    X(STORE_LOW, "store-low", MAJOR, 1000, HEALTH_STORE_LOW)                                       \
    X(LOG_LOW, "log-low", MAJOR, 1000, HEALTH_LOG_LOW)

#define ALARM_KIND_NAME(name, text, severity, hold_ms, bit) ALARM_##name,
enum alarm_kind { ALARM_KINDS(ALARM_KIND_NAME) ALARM_KIND_COUNT };
#undef ALARM_KIND_NAME

/* A member of the cluster. */
struct alarm_node {
    uint32_t node;
    bool is_voter;
    bool is_connected; /* to the leader, or the leader itself */
    bool is_up;        /* its incarnation lives */
    bool is_away;      /* its users are served by its peer, or it is drained */
    uint32_t peer;     /* who is to stand in for it; 0: nobody */
    bool reports;      /* what follows is known */
    bool serves;
    unsigned gate;          /* why it does not: enum gate_reason, or one that a newer program has */
    uint32_t alarms;        /* set of enum health_alarm */
    uint32_t services_down; /* set of enum health_service */
};

struct alarm_facts {
    struct alarm_node nodes[ALARM_NODES_MAX];
    size_t count;
    bool ignores_replicas; /* by an operator's wish: nobody is to hear who is not current */
    uint64_t now_ms;       /* of the leader's clock; never 0 */
    uint64_t time_ms;      /* cluster time */
};

/* An alarm as the log has it. */
struct alarm_row {
    uint32_t node; /* 0: the cluster */
    enum alarm_kind kind;
    bool is_active;
    uint32_t times;
    uint64_t changed_ms; /* cluster time */
};

struct alarm_change {
    uint32_t node;
    enum alarm_kind kind;
    bool is_active;
    uint32_t times; /* of the row that it was decided on */
    char reason[ALARM_REASON_BYTES];
};

/* Since when the truth differs from the log; 0: it does not. Forgotten with each leadership. */
struct alarm_watch {
    struct alarm_subject {
        uint32_t node;
        bool is_seen; /* by the present look */
        uint64_t since_ms[ALARM_KIND_COUNT];
    } subjects[2 * ALARM_NODES_MAX];
    size_t count;
};

/** What is to be changed now; returns how many. To be asked twice a second or so. */
size_t alarm_decide(struct alarm_watch *watch, const struct alarm_facts *facts,
                    const struct alarm_row *rows, size_t row_count,
                    struct alarm_change out[ALARM_CHANGES_MAX]);

const char *alarm_name(enum alarm_kind kind);
enum alarm_severity alarm_severity(enum alarm_kind kind);
/** In words, also for one that only a newer program has. */
const char *alarm_severity_text(unsigned severity);
/** False: the name is none that this program raises. */
bool alarm_find(const char *name, enum alarm_kind *kind_out);

#endif
