/* health - what is wrong with a node, and which of its critical services are down thereby. Pure:
 * facts in, sets out. The sets travel in reports (raft/log/report.h): a bit keeps its meaning. */
#ifndef HA_HEALTH_HEALTH_H
#define HA_HEALTH_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The names are what operators read. */
#define HEALTH_ALARMS(X)                                                                           \
    X(STATE_DIFFERS, 0, "state-differs")                                                           \
    X(LEASE_DIFFERS, 1, "lease-differs")                                                           \
    X(LOG_DISK_STALLED, 2, "log-disk-stalled")                                                     \
    X(STORE_BEHIND, 3, "store-behind")                                                             \
    X(WORKER_HUNG, 4, "worker-hung")                                                               \
    X(STORE_LOW, 5, "store-low")                                                                   \
    X(LOG_LOW, 6, "log-low")

/* Next ones: sip, directory; each with its fact below and its line in health_of(). */
#define HEALTH_SERVICES(X)                                                                         \
    X(XMPP, 0, "xmpp")                                                                             \
    X(STORAGE, 1, "storage")                                                                       \
    X(RAFT, 2, "raft")

#define HEALTH_BIT(name, bit, text) HEALTH_##name = 1 << (bit),
enum health_alarm { HEALTH_ALARMS(HEALTH_BIT) };
enum health_service { HEALTH_SERVICES(HEALTH_BIT) };
#undef HEALTH_BIT

struct health_facts {
    bool state_differs; /* other members have another state, or a scrub found decayed rows */
    bool lease_differs; /* timers.lease_ms is not that of the leader */
    bool log_disk_stalled;
    bool store_behind;     /* the store takes less than the log brings */
    bool store_low;        /* it has hardly any room left */
    bool log_low;          /* the same of the disk of the log */
    uint32_t workers_hung; /* that have not moved for seconds */
    bool raft_hung;        /* its thread has not moved for seconds */
};

struct health {
    uint32_t alarms;        /* set of enum health_alarm */
    uint32_t services_down; /* set of enum health_service */
};

struct health health_of(const struct health_facts *facts);

/** Is there hardly any room left? That is so with less than a quarter more than is wanted, since
 * leadership has to be elsewhere before anything is refused; and over when half as much more is
 * left, since it must not hang on every window that is written. */
bool health_is_low(bool was_low, uint64_t left_bytes, uint64_t wanted_bytes);
/** Does a node that has these alarms have room for what is new? */
bool health_has_room(uint32_t alarms);

/** The name of the alarm or service at a bit, NULL when this program knows none there. */
const char *health_alarm_name(unsigned bit);
const char *health_service_name(unsigned bit);

#endif
