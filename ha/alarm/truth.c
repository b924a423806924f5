#include "ha/alarm/truth.h"

#include "ha/gate/gate.h"
#include "ha/health/health.h"

#include <stdio.h>

#define KIND_BIT(name, text, severity, hold_ms, bit) [ALARM_##name] = (bit),
static const uint32_t health_bits[ALARM_KIND_COUNT] = {ALARM_KINDS(KIND_BIT)};
#undef KIND_BIT

static enum truth when(bool holds)
{
    return holds ? TRUTH_YES : TRUTH_NO;
}

static const struct alarm_node *find(const struct alarm_facts *facts, uint32_t node)
{
    for (size_t i = 0; i < facts->count; i++) {
        if (facts->nodes[i].node == node) {
            return &facts->nodes[i];
        }
    }
    return NULL;
}

/* One that is back and waits for something is not down: its report says for what. */
static bool is_down(const struct alarm_node *node)
{
    return !node->is_up && !(node->is_connected && node->reports);
}

/* What only the node can tell. Of one that is gone nothing is known to hold: node-down stands for
 * it; of one that is there and says nothing, nothing changes. */
static enum truth of_report(const struct alarm_node *node, bool holds)
{
    if (node->reports) {
        return when(holds);
    }
    return node->is_connected ? TRUTH_UNKNOWN : TRUTH_NO;
}

static bool waits_for_replica(const struct alarm_node *node)
{
    return node->gate == GATE_STOPPING || node->gate == GATE_NOT_CURRENT ||
           node->gate == GATE_NO_LEASE || node->gate == GATE_STORE_BEHIND;
}

static const char *gate_text(const struct alarm_node *node)
{
    const char *text = gate_reason_text(node->gate);

    return text == NULL ? "unknown" : text;
}

static enum truth standby_is_missing(const struct alarm_facts *facts, const struct alarm_node *node)
{
    const struct alarm_node *peer = find(facts, node->peer);

    if (node->peer == 0) {
        return TRUTH_NO;
    }
    if (peer == NULL || !peer->is_up || !peer->is_connected) {
        return TRUTH_YES;
    }
    return of_report(peer, !peer->serves || peer->services_down != 0);
}

static void name_services(uint32_t set, char reason[ALARM_REASON_BYTES])
{
    size_t len = 0;

    reason[0] = '\0';
    for (unsigned bit = 0; bit < 32; bit++) {
        const char *name = health_service_name(bit);

        if ((set & 1u << bit) != 0 && len < ALARM_REASON_BYTES) {
            len += (size_t)snprintf(reason + len, ALARM_REASON_BYTES - len, "%s%s",
                                    len == 0 ? "" : ", ", name == NULL ? "another one" : name);
        }
    }
}

/* Without a peer only a node that is drained has its users elsewhere. */
static void explain_failover(const struct alarm_node *node, char reason[ALARM_REASON_BYTES])
{
    if (node->peer == 0) {
        (void)snprintf(reason, ALARM_REASON_BYTES, "drained: other nodes serve its users");
    } else {
        (void)snprintf(reason, ALARM_REASON_BYTES, "node %u serves its users", node->peer);
    }
}

static void explain(const struct alarm_node *node, enum alarm_kind kind,
                    char reason[ALARM_REASON_BYTES])
{
    static const char *const texts[ALARM_KIND_COUNT] = {
        [ALARM_NODE_DOWN] = "stopped, or presumed dead",
        [ALARM_STATE_DIFFERS] = "another state than other nodes, or decayed rows",
        [ALARM_LOG_DISK_STALLED] = "no write of the log has ended for seconds",
        [ALARM_WORKER_HUNG] = "a worker has not moved for seconds",
        [ALARM_LEASE_DIFFERS] = "timers.lease_ms is not that of the leader",
        [ALARM_STORE_BEHIND] = "the store takes less than the log brings",
        [ALARM_STORE_LOW] = "the store has hardly any room left",
        [ALARM_LOG_LOW] = "the disk of the log has hardly any room left",
    };

    switch (kind) {
    case ALARM_NOT_CURRENT:
    case ALARM_NOT_SERVING:
        (void)snprintf(reason, ALARM_REASON_BYTES, "waiting: %s", gate_text(node));
        break;
    case ALARM_FAILED_OVER:
        explain_failover(node, reason);
        break;
    case ALARM_NO_STANDBY:
        (void)snprintf(reason, ALARM_REASON_BYTES, "node %u could not serve its users", node->peer);
        break;
    case ALARM_SERVICE_DOWN:
        name_services(node->services_down, reason);
        break;
    default:
        (void)snprintf(reason, ALARM_REASON_BYTES, "%s", texts[kind] == NULL ? "" : texts[kind]);
        break;
    }
}

static enum truth judge(const struct alarm_facts *facts, const struct alarm_node *node,
                        enum alarm_kind kind)
{
    switch (kind) {
    case ALARM_NODE_DOWN:
        return when(is_down(node));
    case ALARM_SERVICE_DOWN:
        return of_report(node, node->services_down != 0);
    case ALARM_FAILED_OVER:
        return when(node->is_away);
    case ALARM_NOT_CURRENT:
        return facts->ignores_replicas ? TRUTH_NO
                                       : of_report(node, !node->serves && waits_for_replica(node));
    case ALARM_NOT_SERVING: /* a worker that hangs has an alarm of its own */
        return of_report(node, !node->serves && !waits_for_replica(node) &&
                                   node->gate != GATE_WORKER_HUNG);
    case ALARM_NO_STANDBY:
        return standby_is_missing(facts, node);
    default:
        return of_report(node, (node->alarms & health_bits[kind]) != 0);
    }
}

enum truth truth_of_node(const struct alarm_facts *facts, const struct alarm_node *node,
                         enum alarm_kind kind, char reason[ALARM_REASON_BYTES])
{
    enum truth truth = judge(facts, node, kind);

    if (truth == TRUTH_YES) {
        explain(node, kind, reason);
    }
    return truth;
}

/* A cluster of one has nothing to lose. */
enum truth truth_of_cluster(const struct alarm_facts *facts, enum alarm_kind kind,
                            char reason[ALARM_REASON_BYTES])
{
    size_t voters = 0;
    size_t connected = 0;

    for (size_t i = 0; i < facts->count; i++) {
        voters += facts->nodes[i].is_voter;
        connected += facts->nodes[i].is_voter && facts->nodes[i].is_connected;
    }
    if (kind != ALARM_NO_SPARE_VOTER || voters < 2 || connected > voters / 2 + 1) {
        return TRUTH_NO;
    }
    (void)snprintf(reason, ALARM_REASON_BYTES,
                   "%zu of %zu voters are connected: without one more nothing is served", connected,
                   voters);
    return TRUTH_YES;
}
