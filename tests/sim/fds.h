/* fds - numbers for the sockets and counters of the machine, where the product uses the kernel's
 * calls itself. They are above all that the kernel gives, which goes on to mean files. */
#ifndef TESTS_SIM_FDS_H
#define TESTS_SIM_FDS_H

#include "tests/sim/net.h"

/** NULL: it is none of a socket. */
struct net_socket *fds_socket(int fd);
int fds_of(struct net_socket *socket);
/** Of a counter: on_change is called when it is more than 0. */
void fds_watch(int fd, void (*on_change)(void *ctx), void *ctx);
bool fds_is_readable(int fd);

#endif
