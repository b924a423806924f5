/* admin - the control socket of a node, for musterctl: requests as JSON lines in, answers out. An
 * own thread; reads the state by jobs on the state thread and changes it by commands through the
 * log, so that "ok" means: applied here, and kept (P1).
 *
 *   {"id": 7, "verb": "user.add", "args": {"user": "a@b", "password": "..."}}
 *   {"id": 7, "ok": true, "current": true, "result": {...}}
 *   {"id": 7, "ok": false, "error": "exists", "text": "..."} */
#ifndef NODE_ADMIN_ADMIN_H
#define NODE_ADMIN_ADMIN_H

#include "node/core/core.h"

#define ADMIN_FAULT_BYTES_MAX 600

struct admin;

/** Whoever asks for a reload. */
struct reload_call {
    /** Called once, on the main thread; 0, or an error and its text. */
    void (*done)(struct reload_call *call, int status, const char *fault);
};

struct admin_config {
    const char *socket_path; /* made with mode 0600 */
    struct core *core;       /* borrowed */
    uint32_t node_id;
    bool is_witness;
    const char *cluster;       /* name, copied */
    const char *domain;        /* of the cluster's start, copied */
    uint32_t scram_iterations; /* of keys derived from passwords */
    /** Read the configuration again; all or nothing. call->done() follows, unless it returns
     * ERR_BUSY, another reload is under way, or ERR_CLOSED, the node stops. Any thread. */
    int (*reload)(void *ctx, struct reload_call *call);
    void *ctx;
};

/** Open the socket; who connects waits for admin_run(). ERR_IO, logged. */
NODISCARD int admin_open(const struct admin_config *config, struct admin **out);
/** Start the thread: what it asks must be there. admin_open() is followed by it. */
void admin_run(struct admin *admin);
/** Where PORT messages for it go. */
struct mailbox *admin_mailbox(struct admin *admin);
/** End the thread; the memory stays, for late mail. */
void admin_stop(struct admin *admin);
void admin_free(struct admin **admin);

#endif
