/* loopback - addresses that no other test and no outgoing connection has: each process has a host
 * of its own in 127.0.0.0/8, and counts its ports. To find a free port by binding it, and to bind
 * it again later, fails when somebody else takes it in between. */
#ifndef TESTS_LIB_LOOPBACK_H
#define TESTS_LIB_LOOPBACK_H

#include <stdio.h>
#include <unistd.h>

#define LOOPBACK_PORT_FIRST 7001

/** The next "host:port" of this process. */
static inline void loopback_next(char *out, size_t size)
{
    static unsigned count;
    unsigned pid = (unsigned)getpid(); /* at most 22 bits */

    (void)snprintf(out, size, "127.%u.%u.%u:%u", 64 + (pid >> 16 & 63), pid >> 8 & 255, pid & 255,
                   LOOPBACK_PORT_FIRST + count++);
}

#endif
