/* addresses - how many connections this node has, and how many of them come from where, all workers
 * together; an IPv6 /64 counts as one address, since one customer has all of it. Any thread. */
#ifndef NODE_NET_ADDRESSES_H
#define NODE_NET_ADDRESSES_H

#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_KEY_BYTES 16

struct address_key {
    uint8_t bytes[ADDRESS_KEY_BYTES]; /* IPv4 mapped into IPv6 */
};

struct addresses;

struct addresses *addresses_new(void);
void addresses_free(struct addresses **addresses);

struct address_key address_key(const struct sockaddr *address);
struct address_counts {
    uint32_t of_address;
    uint32_t of_node;
};

/** Count one connection more; returns how many there are now, this one included. */
struct address_counts addresses_add(struct addresses *addresses, const struct address_key *key);
void addresses_remove(struct addresses *addresses, const struct address_key *key);

#endif
