/* conf - the configuration file of a node: strict YAML into one struct. Unknown keys, wrong types
 * and numbers out of range are errors with file:line:column. Reads files only; keeps nothing. */
#ifndef NODE_CONF_CONF_H
#define NODE_CONF_CONF_H

#include "node/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* idle_probe_s and idle_dead_s together: as long may a client be gone that counts as there. The
 * memory of presence that ended outlasts it. */
#define CONF_SILENCE_S_MAX 600

#define CONF_NODE_ID_MAX 0x7fffffffu

/* When a changed value counts: at a reload, or at the next start only. */
enum conf_moment { CONF_RELOAD, CONF_RESTART };

/* Numbers with their least, greatest and default value, and when a change counts.
 * X(name, min, max, default, moment) */
#define CONF_TIMERS_MAP(X)                                                                         \
    X(lease_ms, 200, 60000, 1000, RESTART)   /* a node without a leader stops serving after it */  \
    X(election_ms, 100, 60000, 600, RESTART) /* silence of a leader before a vote */               \
    X(heartbeat_ms, 10, 10000, 100, RESTART)                                                       \
    X(mark_ms, 50, 60000, 500, RESTART)       /* how often a checkpoint window closes */           \
    X(resume_window_s, 10, 3600, 600, RELOAD) /* XEP-0198: a lost client may come back */          \
    X(idle_probe_s, 5, 86400, 300, RELOAD)    /* silence of a client before it is asked */         \
    X(idle_dead_s, 5, 3600, 30, RELOAD)       /* silence after that until it is detached */        \
    X(negotiation_s, 5, 600, 60, RELOAD)      /* time to log in and bind */                        \
    X(stanza_s, 5, 600, 60, RELOAD)           /* time for a stanza, once begun, to be complete */  \
    X(confirm_s, 5, 25, 20, RELOAD)           /* time to answer <r/> after a resume */             \
    X(stop_s, 1, 600, 10, RESTART)            /* time for a graceful stop */                       \
    X(scrub_s, 1, 31536000, 86400, RESTART)   /* how often the rows on disk are checked */         \
    X(fallback_s, 0, 86400, 300, RESTART)     /* until users go home to a node; 0: when asked */   \
    X(service_s, 1, 3600, 10, RESTART)  /* until a service that is down fails its node over */     \
    X(replace_s, 0, 86400, 60, RESTART) /* until a standby votes for a dead voter */

#define CONF_LIMITS_MAP(X)                                                                         \
    X(stanza_bytes, 10000, 1000000, 262144, RELOAD) /* RFC 6120 §13.12 asks for at least 10000 */ \
    X(output_bytes, 65536, 67108864, 1048576, RELOAD)                                              \
    X(stanzas_per_second, 1, 1000000, 200, RELOAD) /* of one client; beyond it, read slower */     \
    X(bytes_per_second, 20000, 1073741824, 4194304, RELOAD)                                        \
    X(burst_seconds, 1, 600, 10, RELOAD) /* of both, at once after a quiet time */                 \
    X(connections_per_address, 1, 1000000, 256, RELOAD)                                            \
    X(connections, 1, 1000000, 30000, RELOAD)                                                      \
    X(moves_per_second, 1, 100000, 100, RESTART) /* sessions that leave for another node */        \
    X(workers, 0, 64, 0, RESTART)                /* threads for clients; 0: one a core */          \
    X(unwritten_mib, 16, 65536, 256, RESTART)  /* state not yet on disk; above it stop serving */  \
    X(map_gib, 1, 4096, 64, RESTART)           /* address space of the store */                    \
    X(reserve_mib, 256, 4194304, 512, RESTART) /* of map and disk: nothing new in it */            \
    X(log_entries, 0, 1000000000, 0, RESTART)  /* cut the log so often; 0: every 64 MiB */         \
    X(scram_iterations, 4096, 1000000, 4096, RESTART)

/* Who answers for the service, by purpose (XEP-0157 §7.1). X(purpose) */
#define CONF_PURPOSES_MAP(X) X(abuse) X(admin) X(feedback) X(sales) X(security) X(status) X(support)

#define CONF_CONTACTS_MAX      8   /* of one purpose */
#define CONF_CONTACT_BYTES_MAX 255 /* all of them are in each answer */

enum conf_switch { CONF_UNSET, CONF_NO, CONF_YES };

struct conf_member {
    uint32_t node;
    char *address;
};

struct conf_certificate {
    char *domain;
    char *certificate;
    char *key;
};

struct conf_node {
    uint32_t id;
    char *name;
    char *data;
    enum conf_switch witness; /* votes, and has no clients */
};

struct conf_cluster {
    char *name;
    char *domain;
    char *bind;
    char *address;
    char *ca;
    char *certificate;
    char *key;
    struct conf_member *members;
    uint32_t members_count;
};

struct conf_c2s {
    char *bind;
    char *address; /* host as other nodes name it to clients */
    uint16_t port;
    uint16_t tls_port; /* 0: no direct TLS */
    struct conf_certificate *certificates;
    uint32_t certificates_count;
    enum conf_switch tls_unique_on_tls13;
};

#define CONF_PURPOSE(name)                                                                         \
    char **name;                                                                                   \
    uint32_t name##_count;
/* What the server says of itself. */
struct conf_about {
    enum conf_switch version; /* XEP-0092 is served */
    CONF_PURPOSES_MAP(CONF_PURPOSE)
};
#undef CONF_PURPOSE

struct conf_control {
    char *socket;
};

struct conf_log {
    int level; /* enum log_level */
};

#define CONF_NUMBER(name, min, max, value, moment) uint32_t name;
struct conf_timers {
    CONF_TIMERS_MAP(CONF_NUMBER)
};
struct conf_limits {
    CONF_LIMITS_MAP(CONF_NUMBER)
};
#undef CONF_NUMBER

struct conf {
    struct conf_node node;
    struct conf_cluster cluster;
    struct conf_c2s c2s;
    struct conf_about about;
    struct conf_control control;
    struct conf_log log;
    struct conf_timers timers;
    struct conf_limits limits;
};

#define CONF_FAULT_BYTES_MAX 512

/** Read and check a file. ERR_CONFIG and a line "file:line:column: what" in fault. */
NODISCARD int conf_load(const char *file, struct conf **out, char fault[CONF_FAULT_BYTES_MAX]);
void conf_free(struct conf **conf);
/** What differs between two configurations and needs a restart: the name of the first such key, or
 * NULL when everything that differs can be changed while running. */
const char *conf_needs_restart(const struct conf *old, const struct conf *fresh);

#endif
