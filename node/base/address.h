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
/** Parse and, for a name, ask the resolver here and now: at start only, it may take seconds.
 * ERR_MALFORMED or ERR_NOT_FOUND. */
NODISCARD int address_lookup(const char *text, struct sockaddr_storage *out);
/** Of an IPv4 or IPv6 socket address. */
socklen_t address_len(const struct sockaddr_storage *address);
uint16_t address_port(const struct sockaddr_storage *address);

#endif
