/* listener - listening sockets of client ports. Each worker has its own for the same port, and the
 * kernel spreads connections over them (SO_REUSEPORT), evenly also when all clients come at once.
 * So that a second program at the same port does not silently take half of the clients, a node
 * opens each port alone once before its workers share it. */
#ifndef NODE_NET_LISTENER_H
#define NODE_NET_LISTENER_H

#include "node/base/err.h"

#include <stdint.h>

enum listener_use { LISTENER_ALONE, LISTENER_SHARED };

/** Listen at "host:port" (a name is resolved here and now; "[::]:port" takes IPv4 too).
 * Non-blocking, close-on-exec. ERR_IO or ERR_CONFIG (no address), logged. */
NODISCARD int listener_open(const char *address, enum listener_use use, int *fd_out);
/** The port it got, when the address said 0. */
uint16_t listener_port(int fd);
/** Options of an accepted socket: no Nagle delay, and a peer that acknowledges nothing for
 * dead_after_ms is given up by the kernel. */
void listener_tune_client(int fd, uint32_t dead_after_ms);

#endif
