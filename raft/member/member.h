/* member - changes of the membership: asked for at any node, carried out by the leader, one at a
 * time, but that leadership can be handed on while a member catches up to get a vote. Adding what
 * is there and removing what is gone succeed, so an ask may be repeated to the next leader. Raft
 * thread only. */
#ifndef RAFT_MEMBER_MEMBER_H
#define RAFT_MEMBER_MEMBER_H

#include "node/base/err.h"
#include "node/base/slice.h"
#include "raft/shim/shim.h"

#define MEMBER_VOTERS_MAX   5
#define MEMBER_COUNT_MAX    16
#define MEMBER_ADDRESS_MAX  263
#define MEMBER_TIME_MS      60000 /* an ask fails after this; a promotion may need to catch up */
#define MEMBER_TRANSFER_MS  2000  /* how long proposals are held for a transfer of leadership */
#define MEMBER_REQUESTS_MAX 32

enum member_kind { MEMBER_ADD = 1, MEMBER_ASSIGN = 2, MEMBER_REMOVE = 3, MEMBER_TRANSFER = 4 };

struct member_request {
    enum member_kind kind;
    raft_id id;                           /* TRANSFER: 0 means any voter that is up to date */
    int role;                             /* ASSIGN: RAFT_VOTER, RAFT_STANDBY, RAFT_SPARE */
    char address[MEMBER_ADDRESS_MAX + 1]; /* ADD; it enters as spare */
    raft_term term; /* the leader's own decision: void unless it leads in this term; 0: anybody's */
};

struct member_config {
    struct raft *raft;
    struct shim *shim;
    void *ctx;
    /** Send an ask to the leader, or its answer to who asked; false: not possible now. */
    bool (*send)(void *ctx, uint32_t node_id, bool is_ask, struct slice bytes);
    /** Has another member, no spare, answered this leader within the lease? */
    bool (*answers)(void *ctx, raft_id id);
    uint64_t lease_ms;
};

typedef void (*member_done)(void *ctx, int status);

struct member_changer;

struct member_changer *member_new(const struct member_config *config);
/** After raft_close() has called back. Open requests are dropped with ERR_CLOSED. */
void member_free(struct member_changer **members);
/** Ask for a change. done is called once: 0 (a TRANSFER with an id: that one leads now),
 * ERR_EXISTS, ERR_NOT_FOUND, ERR_LIMIT, ERR_INVALID, ERR_BUSY, ERR_TIMEOUT; ERR_NOT_ALLOWED: no
 * voter would be left; ERR_NO_MAJORITY: of the voters that there would be so few answer that
 * nothing could be committed any more; ERR_NOT_LEADER: its term is over before it was done. */
void member_change(struct member_changer *members, const struct member_request *request,
                   member_done done, void *ctx, uint64_t now_ms);
NODISCARD int member_on_frame(struct member_changer *members, uint32_t node_id, bool is_ask,
                              struct slice bytes);
/** Once per turn. leader_node is 0 while nobody is known to lead. */
void member_turn(struct member_changer *members, uint32_t leader_node, uint64_t now_ms);
/** Must the leader propose nothing, so that a transfer finds its target up to date (defect 11)? */
bool member_holds_proposals(const struct member_changer *members);

#endif
