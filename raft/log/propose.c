/* propose - the leader's way from the intake into libraft: stamp, batch, at most two under way. A
 * batch forms while the one before it is being written (DESIGN 3). */
#include "raft/log/internal.h"

#include "node/base/clock.h"
#include "node/base/crypto.h"
#include "raft/member/member.h"

static void on_proposed(struct raft_apply *request, int status, void *result)
{
    struct proposal *proposal = CONTAINER_OF(request, struct proposal, request);

    (void)status; /* leadership lost means unknown: origins send again */
    (void)result;
    proposal->in_flight = false;
}

static struct proposal *free_proposal(struct rlog *rlog)
{
    for (size_t i = 0; i < PROPOSALS_MAX; i++) {
        if (!rlog->proposals[i].in_flight) {
            return &rlog->proposals[i];
        }
    }
    return NULL;
}

static void build_entry(struct rlog *rlog, struct raft_buffer *out)
{
    struct entry_stamp stamp = {.version = (uint16_t)atomic_load(&rlog->written_version),
                                .time_ms = stamp_now(&rlog->clock, clock_mono_ms()),
                                .wall_ms = clock_wall_ms()};
    struct slice bytes;

    random_fill(stamp.seed, sizeof(stamp.seed));
    buf_clear(&rlog->scratch);
    intake_take_entry(&rlog->intake, &stamp, &rlog->scratch);
    bytes = buf_slice(&rlog->scratch);
    out->len = bytes.len;
    out->base = raft_malloc(bytes.len);
    ASSERT(out->base != NULL);
    ASSERT(bytes.data != NULL); /* no entry is empty */
    memcpy(out->base, bytes.data, bytes.len);
}

static void propose_one(struct rlog *rlog, struct proposal *proposal)
{
    struct raft_buffer entry;
    int rv;

    build_entry(rlog, &entry);
    proposal->in_flight = true;
    rv = raft_apply(&rlog->raft, &proposal->request, &entry, 1, on_proposed);
    if (rv != 0) {
        /* A leader refuses only what its disk refused; what was taken here would be lost. */
        raft_free(entry.base);
        rlog_fail_stop(rlog, "the leader could not append an entry");
    }
}

void rlog_propose(struct rlog *rlog)
{
    struct proposal *proposal;

    if (!shim_leads(rlog->shim) || rlog->life != LIFE_RUNS || !rlog->role.is_leader ||
        rlog_is_full(rlog)) {
        return;
    }
    while (rlog->intake.first != NULL && !member_holds_proposals(rlog->members) &&
           (proposal = free_proposal(rlog)) != NULL) {
        propose_one(rlog, proposal);
    }
}

void rlog_decision(struct rlog *rlog, uint64_t term, struct slice command)
{
    if (rlog->role.is_leader && term == rlog->raft.current_term) {
        intake_add_command(&rlog->intake, &(struct entry_command){.bytes = command});
    }
}

void rlog_decision_kind(struct rlog *rlog, uint64_t term, enum entry_kind kind)
{
    if (rlog->role.is_leader && term == rlog->raft.current_term) {
        intake_add_kind(&rlog->intake, kind);
    }
}
