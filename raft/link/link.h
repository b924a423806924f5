/* link - messages between the nodes of a cluster: one TLS 1.3 connection a pair, both sides
 * proven by certificates of the cluster CA ("CN=node-<id>"), on the raft thread's uv loop.
 * Knows nothing of Raft: frames in, frames out. The node with the higher id dials; it dials again
 * every LINK_RETRY_MS while the link is down. */
#ifndef RAFT_LINK_LINK_H
#define RAFT_LINK_LINK_H

#include "node/base/blob.h"
#include "node/base/err.h"

#include <stdbool.h>
#include <uv.h>

/* 2: lease asks say whether the asker takes entries; 3: lease probes say how long a lease is; 4:
 * nodes report about themselves; 5: hellos say which version of entries is written and read, and
 * nodes tell each other who is a member */
#define LINK_VERSION         5
#define LINK_VERSION_MIN     1 /* oldest that we still speak */
#define LINK_FRAME_BYTES_MAX (16 * 1024 * 1024)
#define LINK_RETRY_MS        50
/* Bytes handed to the kernel at once: what an urgent frame may wait for. */
#define LINK_WRITE_BYTES_MAX (256 * 1024)

struct link_set;

/* Urgent frames keep their order among themselves and overtake bulk ones. */
enum link_class { LINK_URGENT, LINK_BULK };

/* Called on the loop's thread, never from inside a function of this header. */
struct link_events {
    void *ctx;
    /** The link to a node is up (TLS done, names checked, versions agreed). */
    void (*on_up)(void *ctx, uint32_t node_id);
    /** It is down: the process died, the host is silent, or it was closed. At once for a dead
     * process (the kernel's reset); on_up or on_down, alternately. */
    void (*on_down)(void *ctx, uint32_t node_id);
    /** Why a peer that says hello, with certificate and version in order, is refused; NULL: it is
     * not. May be NULL itself. Called while the link comes up. */
    const char *(*refuse)(void *ctx, uint32_t node_id, uint64_t raft_id, bool log_is_empty);
    /** A whole frame; bytes are borrowed for the call. */
    void (*on_frame)(void *ctx, uint32_t node_id, uint8_t type, struct slice bytes);
};

#define LINK_FAULT_BYTES_MAX 512

/* PEM files: the cluster CA (several while it is replaced), and what proves this node. */
struct link_files {
    const char *ca;
    const char *cert;
    const char *key;
};

struct link_certificates;

struct link_config {
    uv_loop_t *loop;
    uint32_t node_id;
    uint64_t raft_id; /* told at the handshake; peers refuse retired ones */
    const char *bind; /* "host:port", also "[::1]:port" and names */
    struct link_files files;
    uint16_t newest;     /* version of what is handed over that this program reads; 0: not told */
    uint32_t silence_ms; /* peer heard nothing of for so long: down; probes go out at a third */
    size_t queue_bytes_urgent; /* per peer; beyond it link_send() says ERR_BUSY */
    size_t queue_bytes_bulk;
};

/** Load the files, without use for them yet; any thread. ERR_TLS, and in fault which file is bad
 * and why. */
NODISCARD int link_certificates_load(const struct link_files *files,
                                     char fault[LINK_FAULT_BYTES_MAX],
                                     struct link_certificates **out);
/** Would other nodes that have these files take the certificate for that of node_id now? Any
 * thread. ERR_TLS and fault. */
NODISCARD int link_certificates_check(const struct link_certificates *certificates,
                                      const struct link_files *files, uint32_t node_id,
                                      char fault[LINK_FAULT_BYTES_MAX]);
void link_certificates_free(struct link_certificates **certificates);
/** Links made from now on use these; those that are up stay as they are. */
void link_set_certificates_take(struct link_set *set, struct link_certificates *certificates);

/** Open the listener. ERR_TLS for certificates, ERR_IO for the address; both are logged. */
NODISCARD int link_set_open(const struct link_config *config, const struct link_events *events,
                            struct link_set **out);
/** Send what fits at once, close everything; no event comes after this call. Memory is valid until
 * closed() runs. */
void link_set_close(struct link_set *set, void (*closed)(void *ctx), void *ctx);

/** Know a peer, or learn its new address; the dialling side connects from now on. A text that is no
 * address is logged and never dialled. */
void link_set_peer(struct link_set *set, uint32_t node_id, const char *address);
/** Forget a peer; a link that is up goes down within the loop's turn. Unknown peers are refused. */
void link_drop_peer(struct link_set *set, uint32_t node_id);
/** Told to peers from now on: this node's log holds nothing (the default: it does). */
void link_set_log_is_empty(struct link_set *set, bool is_empty);
/** Told to peers from now on: what this node hands over is of this version at most. A peer that
 * does not read it, as its hello says, is refused; so is one that hands over more than we read. */
void link_set_written(struct link_set *set, uint16_t version);
/** End the link to a node that said that its log is empty, if refuse() would not let it up now. */
void link_ask_again(struct link_set *set, uint32_t node_id);
/** Refuse links of this membership from now on (a removed raft id, DESIGN 4). */
void link_retire(struct link_set *set, uint64_t raft_id);
bool link_is_up(const struct link_set *set, uint32_t node_id);
/** Queue a frame made of parts (copied). ERR_BUSY: queue full; ERR_CLOSED: link down. */
NODISCARD int link_send(struct link_set *set, uint32_t node_id, enum link_class class, uint8_t type,
                        const struct slice *parts, size_t part_count);
/** Send now what is queued, as the loop would before it sleeps. Not from an event. */
void link_set_flush(struct link_set *set);
/** The membership that the peer told at the handshake; 0 while the link is down. */
uint64_t link_raft_id(const struct link_set *set, uint32_t node_id);
/** The version that both sides speak; 0 while the link is down. */
uint16_t link_version(const struct link_set *set, uint32_t node_id);
/** Bytes queued or in the kernel's hands, not yet taken by it. */
size_t link_queued_bytes(const struct link_set *set, uint32_t node_id);
/** Last measured round trip of a probe, 0 when none was. */
uint32_t link_rtt_us(const struct link_set *set, uint32_t node_id);
/** The port that the listener got, for a bind address with port 0. */
uint16_t link_port(const struct link_set *set);

#endif
