/* address - "host:port" texts as they stand in configuration and membership: a name, an IPv4
 * literal or an IPv6 literal in brackets. Splits only; never resolves. */
#ifndef NODE_BASE_ADDRESS_H
#define NODE_BASE_ADDRESS_H

#include "node/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_HOST_BYTES_MAX 253 /* a DNS name (RFC 1035 §2.3.4) */

struct address {
    char host[ADDRESS_HOST_BYTES_MAX + 1]; /* without brackets */
    uint16_t port;
};

/** ERR_MALFORMED for anything but host:port; port 0 is fine (any free one). */
NODISCARD int address_parse(const char *text, struct address *out);
/** The socket address of a numeric host ("localhost" too); false: a name, it must be resolved. */
bool address_numeric(const struct address *address, struct sockaddr_storage *out);

#endif
