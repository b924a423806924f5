/* resolve - host names to socket addresses on a thread of its own. Not uv_getaddrinfo: raft's disk
 * writes wait in uv's pool, and a dead DNS server would fill it (P10). One loop owns a resolver. */
#ifndef RAFT_LINK_RESOLVE_H
#define RAFT_LINK_RESOLVE_H

#include "node/base/address.h"

#include <stddef.h>
#include <uv.h>

#define RESOLVE_ADDRESSES_MAX 8

struct resolver;

struct resolve_result {
    uint32_t node_id;
    struct address address; /* as asked for */
    size_t count;           /* 0: the name could not be resolved */
    struct sockaddr_storage addresses[RESOLVE_ADDRESSES_MAX];
};

/** Calls on_result on the loop's thread. The thread starts with the first question. */
struct resolver *resolver_new(uv_loop_t *loop,
                              void (*on_result)(void *ctx, const struct resolve_result *result),
                              void *ctx);
/** Ask for the addresses of a peer; one question a peer at a time. */
void resolver_ask(struct resolver *resolver, uint32_t node_id, const struct address *address);
/** No result comes any more. closed runs on the loop; a lookup under way is left to end alone. */
void resolver_close(struct resolver *resolver, void (*closed)(void *ctx), void *ctx);

#endif
