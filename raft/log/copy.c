/* copy - a leader offers a snapshot, because our log is too far behind: the store must be replaced
 * by a copy before libraft sees the offer (DESIGN 4). One copy is asked for at a time, and again
 * until the store covers the newest offer; libraft's leader would offer again only after minutes.
 */
#include "raft/log/internal.h"

#include "node/base/clock.h"
#include "node/base/log.h"

#include <unistd.h>

/* Of the machine's memory, for the log that is kept while a copy is made. */
#define KEEP_MEMORY_SHARE 4
/* After a failed copy: the source may be gone, and another node leads soon. */
#define COPY_RETRY_MS 500
/* Libraft is at a snapshot, which takes as long as a small file. */
#define OFFER_RETRY_MS 100

static void ask(struct rlog *rlog)
{
    struct copy_offer *offer = &rlog->offer;
    uint32_t node = rlog->role.leader_node != 0 && rlog->role.leader_node != rlog->config.node_id
                        ? rlog->role.leader_node
                        : shim_node_of(offer->from);

    offer->is_asked = true;
    offer->retry_ms = 0;
    log_info("raft.copy_wanted", LOG_UINT("from", node), LOG_UINT("index", offer->index));
    rlog->events.on_copy_wanted(rlog->events.ctx, node, offer->index);
}

/* Libraft tells the leader, also when the log had all of it already. A snapshot of our own that
 * waits for its window would be in the way for long, and is older anyhow. */
static void install(struct rlog *rlog)
{
    rlog->manifest_index = 0;
    shim_snapshot_ready(rlog->shim, RAFT_BUSY);
    rlog->offer.retry_ms = shim_install_snapshot(rlog->shim) ? 0 : clock_mono_ms() + OFFER_RETRY_MS;
}

static void go_on(struct rlog *rlog)
{
    if (!shim_keeps_offer(rlog->shim)) {
        rlog->offer.retry_ms = 0;
        return;
    }
    if (rlog->raft.last_applied < rlog->offer.index &&
        rlog_allow_shorter_log(rlog, rlog->offer.index) != 0) {
        rlog->offer.retry_ms = clock_mono_ms() + COPY_RETRY_MS;
        return;
    }
    if (rlog->raft.last_applied >= rlog->offer.index || rlog->durable_index >= rlog->offer.index) {
        install(rlog);
    } else {
        ask(rlog); /* also when the leader offered a later snapshot while a copy came */
    }
}

void rlog_copy_offered(struct rlog *rlog, raft_id from, raft_index index)
{
    rlog->offer.from = from;
    rlog->offer.index = index;
    if (!rlog->offer.is_asked) {
        go_on(rlog); /* installs at once when only the log was lost or cut, not the store */
    }
}

void rlog_copy_answer(struct rlog *rlog, uint64_t applied_index, int status)
{
    rlog->offer.is_asked = false;
    if (status != 0) {
        rlog->offer.retry_ms = clock_mono_ms() + COPY_RETRY_MS;
        return;
    }
    rlog->durable_index = applied_index;
    if (applied_index > rlog->store_index) {
        rlog->store_index = applied_index;
    }
    if (applied_index > rlog->delivered) {
        rlog->delivered = applied_index;
    }
    rlog_unapplied_until(rlog, applied_index);
    go_on(rlog);
}

void rlog_copy_beat(struct rlog *rlog)
{
    if (rlog->offer.retry_ms != 0 && clock_mono_ms() >= rlog->offer.retry_ms) {
        go_on(rlog);
    }
    rlog_tail_beat(rlog);
}

/* The newest snapshot that a member is being sent, 0: none. */
static raft_index offered_index(const struct raft *raft)
{
    raft_index newest = 0;

    for (unsigned i = 0; i < raft->configuration.n; i++) {
        raft_index index = raft->leader_state.progress[i].snapshot_index;

        newest = index > newest ? index : newest;
    }
    return newest;
}

void rlog_init_keep(struct rlog *rlog)
{
    uint64_t bytes_min = rlog->config.copy_log_bytes;
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_bytes = sysconf(_SC_PAGESIZE);
    uint64_t memory_bytes =
        pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : 0;

    keep_init(&rlog->keep, bytes_min == 0 ? KEEP_BYTES_DEFAULT : bytes_min,
              memory_bytes / KEEP_MEMORY_SHARE);
}

bool rlog_keeps_log_for_copy(struct rlog *rlog)
{
    const struct raft *raft = &rlog->raft;
    uint64_t mean = rlog->entries_seen == 0 ? 1 : rlog->entry_bytes_seen / rlog->entries_seen + 1;
    uint64_t log_bytes = (raft->last_applied - raft->log.offset) * mean;
    raft_index offered = raft->state == RAFT_LEADER ? offered_index(raft) : 0;
    uint64_t outrun = rlog->keep.outrun;
    bool keeps = keep_log(&rlog->keep, offered, log_bytes);

    if (rlog->keep.outrun != 0 && rlog->keep.outrun != outrun) {
        log_warn("raft.copy_outrun", LOG_UINT("index", offered), LOG_UINT("log_bytes", log_bytes),
                 LOG_UINT("bytes_max", rlog->keep.bytes_max));
    }
    return keeps;
}
