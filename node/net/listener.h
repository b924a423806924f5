/* listener - listening sockets of client ports, opened once and shared: each worker watches a dup()
 * of the same socket. Not SO_REUSEPORT: with that a second node started by mistake at the same port
 * would silently take half of the clients. */
#ifndef NODE_NET_LISTENER_H
#define NODE_NET_LISTENER_H

#include "node/base/err.h"

#include <stdint.h>

/** Listen at "host:port" (a name is resolved here and now; "[::]:port" takes IPv4 too).
 * Non-blocking, close-on-exec. ERR_IO or ERR_CONFIG (no address), logged. */
NODISCARD int listener_open(const char *address, int *fd_out);
/** The port it got, when the address said 0. */
uint16_t listener_port(int fd);
/** Options of an accepted socket: no Nagle delay, and a peer that acknowledges nothing for
 * dead_after_ms is given up by the kernel. */
void listener_tune_client(int fd, uint32_t dead_after_ms);

#endif
