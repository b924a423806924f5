/* What this node says of itself: to its operator (node status) and to all other nodes. */
#include "node/base/clock.h"
#include "node/core/core_private.h"

#include <stdio.h>

#define RAFT_HUNG_MS 5000

struct health core_health(const struct core_status *core, const struct rlog_status *log)
{
    const struct health_facts facts = {.state_differs = core->state_differs,
                                       .lease_differs = log->lease_differs,
                                       .log_disk_stalled = log->disk_stalled,
                                       .store_behind = core->has_pressure,
                                       .store_low = core->is_low,
                                       .log_low = core->log_is_low,
                                       .workers_hung = core->workers_hung,
                                       .raft_hung = log->as_of_ms + RAFT_HUNG_MS < clock_mono_ms()};

    return health_of(&facts);
}

void core_look_at_room(struct core *core)
{
    struct rlog_status log;
    uint64_t left;
    uint64_t wanted;

    rlog_get_status(core->log, &log);
    kv_room(core->kv, &left, &wanted);
    core->store_is_low = health_is_low(core->store_is_low, left, wanted);
    core->log_is_low = health_is_low(core->log_is_low, log.disk_free_bytes, log.disk_wanted_bytes);
}

void core_note_sessions(struct core *core, uint32_t worker, uint32_t count)
{
    atomic_store_explicit(&core->worker_sessions[worker], count, memory_order_relaxed);
}

static uint32_t count_sessions(const struct core *core)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < core->worker_count; i++) {
        count += atomic_load_explicit(&core->worker_sessions[i], memory_order_relaxed);
    }
    return count;
}

void core_tell_report(struct core *core)
{
    const uint32_t written = state_cluster(core->state, &core->arena)->log_version;
    struct rlog_report report = {.log_version = STATE_LOG_VERSION,
                                 .schema_version = (uint16_t)state_schema_of(written)};
    struct core_status status;
    struct rlog_status log;
    struct health health;

    core_get_status(core, &status);
    rlog_get_status(core->log, &log);
    health = core_health(&status, &log);
    (void)snprintf(report.program, sizeof(report.program), "%s", MUSTER_VERSION);
    report.serves = status.serving;
    report.gate = (uint8_t)status.waits_for;
    report.alarms = health.alarms;
    report.services_down = health.services_down;
    report.sessions = count_sessions(core);
    report.applied_index = status.applied_index;
    report.durable_index = status.mark_index;
    rlog_set_report(core->log, &report);
}
