/* door - the listening sockets of one worker. Each worker has its own for the same ports; the
 * kernel spreads connections over them (SO_REUSEPORT). Closed while the node does not serve, so
 * that clients are refused at once and go elsewhere. */
#ifndef NODE_WORKER_DOOR_H
#define NODE_WORKER_DOOR_H

#include "node/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct door {
    uv_tcp_t tcp;
    bool is_open;
    bool is_closing;
    bool direct_tls;
    void *ctx;
    void (*on_connection)(struct door *door);
};

/** Listen; on_connection() accepts with uv_accept(&door->tcp). ERR_IO, logged. Does nothing when
 * open already; ERR_BUSY while the last close is under way. */
NODISCARD int door_open(struct door *door, uv_loop_t *loop, const char *host, uint16_t port);
void door_close(struct door *door);
/** A bound socket, not listening: shared with the other workers or alone. Negative on failure. */
int door_bind(const char *host, uint16_t port, bool shared);

#endif
