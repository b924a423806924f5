/* door - where clients come in: a listening socket of one worker on its loop. Closed while the node
 * does not serve, so that clients are refused at once and go elsewhere. */
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

/** Listen at address ("host:port"); on_connection() accepts with uv_accept(&door->tcp). ERR_IO or
 * ERR_CONFIG, logged. Does nothing when open already; ERR_BUSY while the last close is under way.
 */
NODISCARD int door_open(struct door *door, uv_loop_t *loop, const char *address);
void door_close(struct door *door);

#endif
