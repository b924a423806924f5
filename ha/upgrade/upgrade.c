#include "ha/upgrade/upgrade.h"

#include "ha/gate/gate.h"
#include "ha/health/health.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct check {
    const struct upgrade_facts *facts;
    void (*visit)(void *ctx, const char *reason);
    void *ctx;
    size_t count;
};

static void object(struct check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void object(struct check *check, const char *format, ...)
{
    char reason[UPGRADE_REASON_BYTES];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    check->count++;
    check->visit(check->ctx, reason);
}

static bool is_there(const struct upgrade_node *node)
{
    return node->is_up && node->is_connected;
}

/* ---- each node */

static void check_alarms(struct check *check, const struct upgrade_node *node)
{
    for (unsigned bit = 0; bit < 32; bit++) {
        const char *alarm = health_alarm_name(bit);
        const char *service = health_service_name(bit);

        if ((node->alarms & 1u << bit) != 0) {
            object(check, "node %u has the alarm %s", node->node,
                   alarm == NULL ? "of a newer program" : alarm);
        }
        if ((node->services_down & 1u << bit) != 0) {
            object(check, "node %u: the service %s is down", node->node,
                   service == NULL ? "of a newer program" : service);
        }
    }
}

static void check_report(struct check *check, const struct upgrade_node *node)
{
    const char *why = gate_reason_text(node->gate);

    if (!node->serves) {
        object(check, "node %u does not serve: %s", node->node, why == NULL ? "unknown" : why);
    }
    if (node->lag > UPGRADE_LAG_MAX) {
        object(check, "node %u is %" PRIu64 " entries behind", node->node, node->lag);
    }
    if (node->log_version < check->facts->log_version) {
        object(check, "node %u would stop at what is written (version %u, it reads up to %u)",
               node->node, check->facts->log_version, node->log_version);
    }
    check_alarms(check, node);
}

static void check_users(struct check *check, const struct upgrade_node *node)
{
    if (node->is_drained) {
        object(check, "node %u is drained; first: ha fallback %u", node->node, node->node);
    } else if (node->is_away) {
        object(check, "the users of node %u are served by its peer; first: ha fallback %u",
               node->node, node->node);
    }
}

static void check_node(struct check *check, const struct upgrade_node *node)
{
    if (node->is_spare) {
        object(check, "node %u joins: it is no voter or standby yet", node->node);
        return;
    }
    if (!node->is_up) {
        object(check, "node %u is down", node->node);
    } else if (!node->is_connected) {
        object(check, "node %u is not connected", node->node);
    } else if (!node->reports) {
        object(check, "node %u says nothing of itself", node->node);
    } else {
        check_report(check, node);
    }
    check_users(check, node);
}

/* ---- versions against each other */

/* What stands before the first dot; programs that differ there make no promise to each other. */
static long generation(const char *program)
{
    return strtol(program, NULL, 10);
}

static void check_versions(struct check *check)
{
    const struct upgrade_node *first = NULL;

    for (size_t i = 0; i < check->facts->count; i++) {
        const struct upgrade_node *node = &check->facts->nodes[i];

        if (node->is_spare || !node->reports) {
            continue;
        }
        first = first == NULL ? node : first;
        if (generation(node->program) != generation(first->program)) {
            object(check, "nodes %u and %u run programs that do not fit (%s, %s)", first->node,
                   node->node, first->program, node->program);
        }
    }
}

/* ---- the majority */

/* Whoever is restarted, the other voters have to be a majority of all. */
static void check_majority(struct check *check)
{
    size_t voters = 0;
    size_t there = 0;

    for (size_t i = 0; i < check->facts->count; i++) {
        const struct upgrade_node *node = &check->facts->nodes[i];

        voters += node->is_voter;
        there += node->is_voter && is_there(node);
    }
    for (size_t i = 0; i < check->facts->count; i++) {
        const struct upgrade_node *node = &check->facts->nodes[i];

        if (node->is_voter && is_there(node) && there - 1 < voters / 2 + 1) {
            object(check, "without node %u there is no majority: %zu of %zu voters", node->node,
                   there - 1, voters);
        }
    }
}

size_t upgrade_check(const struct upgrade_facts *facts,
                     void (*visit)(void *ctx, const char *reason), void *ctx)
{
    struct check check = {.facts = facts, .visit = visit, .ctx = ctx};

    if (!facts->has_leader) {
        object(&check, "no leader is known");
    }
    for (size_t i = 0; i < facts->count; i++) {
        check_node(&check, &facts->nodes[i]);
    }
    check_versions(&check);
    check_majority(&check);
    return check.count;
}

/* ---- what is written */

uint32_t upgrade_newest(const struct upgrade_facts *facts)
{
    uint32_t newest = facts->log_version;

    for (size_t i = 0; i < facts->count; i++) {
        const struct upgrade_node *node = &facts->nodes[i];

        newest = node->reports && node->log_version > newest ? node->log_version : newest;
    }
    return newest;
}

size_t upgrade_raise_check(const struct upgrade_facts *facts, uint32_t log_version,
                           void (*visit)(void *ctx, const char *reason), void *ctx)
{
    struct check check = {.facts = facts, .visit = visit, .ctx = ctx};

    if (facts->count == 0) {
        object(&check, "the members are not known yet");
    }
    for (size_t i = 0; i < facts->count; i++) {
        const struct upgrade_node *node = &facts->nodes[i];

        if (node->reports && node->log_version < log_version) {
            object(&check, "node %u reads up to version %u (it runs %s), not %u", node->node,
                   node->log_version, node->program, log_version);
        } else if (!node->reports && !node->is_spare) {
            object(&check, "node %u does not say what it reads", node->node);
        }
    }
    return check.count;
}

bool upgrade_may_write(uint32_t written, uint32_t log_version, char reason[UPGRADE_REASON_BYTES])
{
    if (written >= log_version) {
        return true;
    }
    if (written == 0) {
        (void)snprintf(reason, UPGRADE_REASON_BYTES,
                       "not every member is known to understand it yet: ask again in a while");
    } else {
        (void)snprintf(reason, UPGRADE_REASON_BYTES,
                       "the cluster still writes version %u; first: cluster upgrade-finish",
                       written);
    }
    return false;
}
