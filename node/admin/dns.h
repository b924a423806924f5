/* dns - the records by which clients find the nodes of a domain (RFC 2782, RFC 6120 §3.2.1). Pure.
 */
#ifndef NODE_ADMIN_DNS_H
#define NODE_ADMIN_DNS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define DNS_PRIORITY         10
#define DNS_PRIORITY_STANDBY 20

/* A node that clients come to. */
struct dns_node {
    uint32_t node;
    const char *address; /* "host:port" */
    bool stands_by;      /* to be tried after the others */
};

/** Append the SRV records of a domain (prepared form) to rows: {domain, name, type, priority,
 * weight, port, target}; with names as in a zone file. The target of a record is a name: for a node
 * whose address is a literal it is node-ID in the domain, and its A or AAAA record, {domain, name,
 * type, address}, follows. */
void dns_add_records(const char *domain, const struct dns_node *nodes, size_t count, json_t *rows);

#endif
