/* upgrade - is it safe now to restart the nodes of the cluster one after the other, with another
 * version of the program, and may what the cluster writes rise? Pure: facts about the members in,
 * reasons against it out. */
#ifndef HA_UPGRADE_UPGRADE_H
#define HA_UPGRADE_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UPGRADE_NODES_MAX    16
#define UPGRADE_REASON_BYTES 160
/* Entries between commit and apply: a report is a second old, and a busy cluster goes on. */
#define UPGRADE_LAG_MAX 2000

struct upgrade_node {
    uint32_t node;
    bool is_voter;
    bool is_spare; /* it joins: no voter or standby yet */
    bool is_up;
    bool is_connected;
    bool is_away;    /* its users are served by its peer, or it is drained */
    bool is_drained; /* it sends new clients elsewhere, whether it has a peer or not */
    bool reports;    /* what follows is known */
    bool serves;
    unsigned gate;          /* why it does not */
    uint32_t alarms;        /* set of enum health_alarm */
    uint32_t services_down; /* set of enum health_service */
    uint64_t lag;           /* entries behind what is committed */
    uint32_t log_version;   /* the newest that it reads */
    const char *program;
};

struct upgrade_facts {
    struct upgrade_node nodes[UPGRADE_NODES_MAX];
    size_t count;
    bool has_leader;
    uint32_t log_version; /* the one that is written */
};

/** Call back with each reason against a restart, valid for the call. Returns how many: 0 is safe.
 */
size_t upgrade_check(const struct upgrade_facts *facts,
                     void (*visit)(void *ctx, const char *reason), void *ctx);

/** The newest version that any member says it reads; the written one at least. */
uint32_t upgrade_newest(const struct upgrade_facts *facts);
/** Call back with each reason why this version may not be written yet: a member that does not read
 * it, or does not say so. A spare that says nothing has no log, and gets none before it does.
 * Returns how many. */
size_t upgrade_raise_check(const struct upgrade_facts *facts, uint32_t log_version,
                           void (*visit)(void *ctx, const char *reason), void *ctx);
/** May a command of log_version be written while the cluster writes this version (0: none is agreed
 * on yet)? Otherwise the reason says what has to come first. */
bool upgrade_may_write(uint32_t written, uint32_t log_version, char reason[UPGRADE_REASON_BYTES]);

#endif
