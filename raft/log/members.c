/* members - rlog's questions about membership, handed to raft/member on the raft thread. */
#include "raft/log/internal.h"

#include "node/base/clock.h"
#include "node/base/mem.h"
#include "raft/member/member.h"

struct member_order {
    struct member_request request;
    uint32_t transfer_node;
    rlog_done done;
    void *ctx;
};

int rlog_raft_role(enum rlog_role role)
{
    switch (role) {
    case RLOG_VOTER:
        return RAFT_VOTER;
    case RLOG_STANDBY:
        return RAFT_STANDBY;
    default:
        return RAFT_SPARE;
    }
}

static void run_order(struct rlog *rlog, void *ctx)
{
    struct member_order *order = ctx;

    if (rlog != NULL && order->transfer_node != 0) {
        order->request.id = rlog_raft_id_of(rlog, order->transfer_node);
    }
    if (rlog == NULL) {
        order->done(order->ctx, ERR_CLOSED);
    } else if (order->transfer_node != 0 && order->request.id == 0) {
        order->done(order->ctx, ERR_NOT_FOUND);
    } else {
        member_change(rlog->members, &order->request, order->done, order->ctx, clock_mono_ms());
    }
    mem_free(&order);
}

static void order_change(struct rlog *rlog, const struct member_order *order)
{
    struct member_order *copy = mem_alloc(sizeof(*copy));

    *copy = *order;
    rlog_extension_call(rlog, run_order, copy);
}

void rlog_member_add(struct rlog *rlog, const struct rlog_member *member, rlog_done done, void *ctx)
{
    struct member_order order = {
        .request = {.kind = MEMBER_ADD, .id = member->raft_id}, .done = done, .ctx = ctx};

    (void)snprintf(order.request.address, sizeof(order.request.address), "%s", member->address);
    order_change(rlog, &order);
}

void rlog_member_assign(struct rlog *rlog, uint64_t raft_id, enum rlog_role role, rlog_done done,
                        void *ctx)
{
    order_change(
        rlog, &(struct member_order){
                  .request = {.kind = MEMBER_ASSIGN, .id = raft_id, .role = rlog_raft_role(role)},
                  .done = done,
                  .ctx = ctx});
}

void rlog_decide_role(struct rlog *rlog, uint64_t term, uint64_t raft_id, enum rlog_role role,
                      rlog_done done, void *ctx)
{
    order_change(rlog, &(struct member_order){.request = {.kind = MEMBER_ASSIGN,
                                                          .id = raft_id,
                                                          .role = rlog_raft_role(role),
                                                          .term = term},
                                              .done = done,
                                              .ctx = ctx});
}

void rlog_decide_transfer(struct rlog *rlog, uint64_t term, uint32_t node_id, rlog_done done,
                          void *ctx)
{
    order_change(rlog, &(struct member_order){.request = {.kind = MEMBER_TRANSFER, .term = term},
                                              .transfer_node = node_id,
                                              .done = done,
                                              .ctx = ctx});
}

void rlog_member_remove(struct rlog *rlog, uint64_t raft_id, rlog_done done, void *ctx)
{
    order_change(rlog, &(struct member_order){.request = {.kind = MEMBER_REMOVE, .id = raft_id},
                                              .done = done,
                                              .ctx = ctx});
}

void rlog_transfer(struct rlog *rlog, uint32_t node_id, rlog_done done, void *ctx)
{
    order_change(rlog, &(struct member_order){.request = {.kind = MEMBER_TRANSFER},
                                              .transfer_node = node_id,
                                              .done = done,
                                              .ctx = ctx});
}
