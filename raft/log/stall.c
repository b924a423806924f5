/* stall - a disk that neither writes nor fails. Libraft would wait without end: 0.15 commits only
 * what the leader has on its own disk, so the leader goes on with heartbeats and leases while
 * nothing is committed; a follower keeps its lease while nothing is applied. A node whose log
 * stands still steps aside until it moves again (docs/decisions/0012). */
#include "raft/log/internal.h"

#include "node/base/clock.h"
#include "node/base/log.h"

/* A write takes less than a millisecond, on a busy disk now and then 160; other nodes need less
 * than a second to elect another leader. So seconds are a disk, or a path to it, that does not
 * answer, and to wait longer would cost more than to step aside, which is undone when it does. */
#define STALLED_MS 2500
/* To hand leadership on is tried again every two seconds: this leader could not twice. */
#define STOP_MS 7500

static void begin(struct rlog *rlog)
{
    rlog->stall.is_stalled = true;
    rlog->stall.left_ms = clock_boot_ms();
    log_warn("raft.disk_stalled", LOG_STR("dir", rlog->config.dir),
             LOG_UINT("leads", rlog->role.is_leader ? 1 : 0),
             LOG_STR("hint", "no write of the log has ended for seconds: look at the disk"));
    atomic_store(&rlog->lease_end_ms, 0);
    rlog_lease_ask(rlog); /* says that this node has left */
    /* Soon this thread may wait for the disk itself, to vote for another leader. */
    rlog->status_ms = 0;
    rlog_publish_status(rlog);
}

static void end(struct rlog *rlog, uint64_t appends_done)
{
    if (rlog->stall.is_stalled) {
        log_info("raft.disk_moves", LOG_STR("dir", rlog->config.dir));
    }
    rlog->stall = (struct stall){.appends_done = appends_done, .left_ms = rlog->stall.left_ms};
}

/* Counts beats, not time: while the whole process stands still, the disk is not to blame. */
void rlog_stall_beat(struct rlog *rlog)
{
    struct stall *stall = &rlog->stall;
    uint64_t appends_done;

    if (!shim_writes(rlog->shim, &appends_done) || appends_done != stall->appends_done) {
        end(rlog, appends_done);
        return;
    }
    if (!stall->is_watched) {
        stall->is_watched = true; /* it may have begun a moment ago */
        return;
    }
    stall->lasts_ms += rlog->config.lease_ms / 3;
    if (stall->lasts_ms >= STALLED_MS && rlog->life == LIFE_CLOSES) {
        rlog_fail_stop(rlog, "the disk of the log does not answer, and the node is to stop");
    }
    if (stall->lasts_ms >= STALLED_MS && !stall->is_stalled) {
        begin(rlog);
    }
    if (stall->lasts_ms >= STOP_MS && rlog->raft.state == RAFT_LEADER &&
        rlog_find_heir(rlog) != 0) {
        rlog_fail_stop(rlog, "the disk of the log does not answer, and leadership can not be "
                             "handed on");
    }
}
