/* worker - one thread that serves clients: a uv loop with doors and connections, each with TLS and
 * an XMPP stream. Takes clients only while the state thread says so and the lease is held. */
#ifndef NODE_WORKER_WORKER_H
#define NODE_WORKER_WORKER_H

#include "node/base/helpers.h"
#include "node/core/core.h"
#include "node/net/tls.h"
#include "node/worker/failures.h"

struct worker;

/** What a reload may change; for connections accepted afterwards. */
struct worker_settings {
    uint32_t stanza_bytes_max;
    uint32_t output_bytes_max;
    uint32_t stanzas_per_second; /* of one client; above it it is read slower */
    uint32_t bytes_per_second;
    uint32_t burst_s; /* of both */
    uint32_t connections_per_address_max;
    uint32_t connections_max; /* of this node */
    uint32_t resume_window_s;
    uint32_t idle_probe_ms;
    uint32_t idle_dead_ms;
    uint32_t negotiation_ms;
    uint32_t stanza_ms;
    uint32_t confirm_ms;
    uint32_t scram_iterations;
    bool tls_unique_on_tls13;
};

struct worker_config {
    uint32_t index;
    struct core *core;           /* borrowed */
    struct tls_store *tls;       /* borrowed */
    struct addresses *addresses; /* borrowed: all workers count in it */
    struct failures *failures;   /* borrowed, likewise */
    struct helpers *helpers;     /* borrowed: they check passwords */
    const char *address;         /* "host:port" to listen at, copied */
    const char *tls_address;     /* the same for direct TLS; NULL: none */
    const char *default_domain;  /* copied */
    uint32_t stop_ms;            /* time for a graceful end */
    struct worker_settings settings;
};

/** Start the thread. */
struct worker *worker_start(const struct worker_config *config);
/** Where PORT messages for it go. */
struct mailbox *worker_mailbox(struct worker *worker);
/** Let it take no more clients and end its streams in order. All workers of a node are told before
 * the first one is waited for. */
void worker_begin_stop(struct worker *worker);
/** Wait for the end of that, and of the thread; the memory stays, for late mail. */
void worker_end_stop(struct worker *worker);
/** After the end of its helpers. */
void worker_free(struct worker **worker);

#endif
