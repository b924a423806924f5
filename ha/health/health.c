#include "ha/health/health.h"

#include "node/base/assert.h"

static uint32_t alarms_of(const struct health_facts *facts)
{
    return (facts->state_differs ? HEALTH_STATE_DIFFERS : 0u) |
           (facts->lease_differs ? HEALTH_LEASE_DIFFERS : 0u) |
           (facts->log_disk_stalled ? HEALTH_LOG_DISK_STALLED : 0u) |
           (facts->store_behind ? HEALTH_STORE_BEHIND : 0u) |
           (facts->store_low ? HEALTH_STORE_LOW : 0u) | (facts->log_low ? HEALTH_LOG_LOW : 0u) |
           (facts->workers_hung > 0 ? HEALTH_WORKER_HUNG : 0u);
}

struct health health_of(const struct health_facts *facts)
{
    struct health health = {.alarms = alarms_of(facts)};

    if (facts->workers_hung > 0) {
        health.services_down |= HEALTH_XMPP; /* some clients wait in vain */
    }
    /* Little room alone is no reason: what needs none is still written. */
    if (facts->store_behind || facts->log_disk_stalled) {
        health.services_down |= HEALTH_STORAGE;
    }
    if (facts->raft_hung) {
        health.services_down |= HEALTH_RAFT; /* then nobody else hears of it by a report */
    }
    return health;
}

bool health_is_low(bool was_low, uint64_t left_bytes, uint64_t wanted_bytes)
{
    const uint64_t margin = wanted_bytes / (was_low ? 2 : 4);

    return left_bytes < wanted_bytes || left_bytes - wanted_bytes < margin;
}

bool health_has_room(uint32_t alarms)
{
    return (alarms & (HEALTH_STORE_LOW | HEALTH_LOG_LOW)) == 0;
}

#define NAME_AT(name, bit, text) [bit] = (text),
static const char *const alarm_names[] = {HEALTH_ALARMS(NAME_AT)};
static const char *const service_names[] = {HEALTH_SERVICES(NAME_AT)};
#undef NAME_AT

const char *health_alarm_name(unsigned bit)
{
    return bit < ARRAY_COUNT(alarm_names) ? alarm_names[bit] : NULL;
}

const char *health_service_name(unsigned bit)
{
    return bit < ARRAY_COUNT(service_names) ? service_names[bit] : NULL;
}
