/* reports - own reports to all nodes, once a second with a beat that comes anyway, and the newest
 * of each other node, until its link breaks or it says nothing for some seconds. */
#include "raft/log/internal.h"

#include "node/base/clock.h"

#define REPORT_PERIOD_MS 1000
#define REPORT_STALE_MS  3000 /* the state thread has set nothing for so long: it hangs */
#define REPORTS_LOST_MAX 5 /* so many periods without one: what a node said last counts no more */

static uint64_t beat_ms(const struct rlog *rlog)
{
    return rlog->config.lease_ms / 3;
}

static uint64_t period_ms(const struct rlog *rlog)
{
    return beat_ms(rlog) > REPORT_PERIOD_MS ? beat_ms(rlog) : REPORT_PERIOD_MS;
}

void rlog_set_report(struct rlog *rlog, const struct rlog_report *report)
{
    (void)pthread_mutex_lock(&rlog->progress_mutex);
    rlog->report_part = *report;
    rlog->report_set_ms = clock_mono_ms();
    (void)pthread_mutex_unlock(&rlog->progress_mutex);
}

struct rlog_report rlog_compose_report(struct rlog *rlog)
{
    int own = shim_member_index(&rlog->raft, rlog->raft.id);
    struct rlog_report report;

    (void)pthread_mutex_lock(&rlog->progress_mutex);
    report = rlog->report_part;
    (void)pthread_mutex_unlock(&rlog->progress_mutex);
    report.leads = rlog->role.is_leader;
    report.role = own < 0 ? 0 : (uint8_t)rlog_role_of(rlog->raft.configuration.servers[own].role);
    report.term = rlog->raft.current_term;
    report.last_index = raft_last_index(&rlog->raft);
    report.commit_index = rlog->raft.commit_index;
    return report;
}

/* ---- to others */

/* Does the state thread still say how it is? */
static bool is_current(struct rlog *rlog)
{
    bool is_current;

    (void)pthread_mutex_lock(&rlog->progress_mutex);
    is_current = clock_mono_ms() - rlog->report_set_ms < REPORT_STALE_MS;
    (void)pthread_mutex_unlock(&rlog->progress_mutex);
    return is_current;
}

static void send_all(struct rlog *rlog)
{
    const struct rlog_report report = rlog_compose_report(rlog);

    if (!is_current(rlog)) {
        return; /* others take it for one that does not serve */
    }
    buf_clear(&rlog->scratch);
    report_encode(&report, &rlog->scratch);
    for (size_t i = 0; i < rlog->peer_count; i++) {
        uint32_t node_id = rlog->peers[i].node_id;

        if (link_version(rlog->links, node_id) >= REPORT_LINK) {
            (void)rlog_send(rlog, node_id, LINK_URGENT, FRAME_REPORT, buf_slice(&rlog->scratch));
        }
    }
}

void rlog_reports_beat(struct rlog *rlog)
{
    uint64_t now_ms = clock_mono_ms();

    /* The beat next to the second, not always the one after it. */
    if (rlog->reported_ms == 0 ||
        now_ms - rlog->reported_ms + beat_ms(rlog) / 2 >= REPORT_PERIOD_MS) {
        rlog->reported_ms = now_ms;
        send_all(rlog);
    }
}

/* ---- of others */

static struct rlog_heard *find(struct rlog *rlog, uint32_t node_id)
{
    for (size_t i = 0; i < rlog->heard_count; i++) {
        if (rlog->heard[i].node_id == node_id) {
            return &rlog->heard[i];
        }
    }
    return NULL;
}

static void keep(struct rlog *rlog, uint32_t node_id, const struct rlog_report *report)
{
    struct rlog_heard *heard = find(rlog, node_id);

    if (heard == NULL && rlog->heard_count < ARRAY_COUNT(rlog->heard)) {
        heard = &rlog->heard[rlog->heard_count++];
    }
    if (heard != NULL) {
        *heard =
            (struct rlog_heard){.node_id = node_id, .heard_ms = clock_mono_ms(), .report = *report};
    }
}

void rlog_ask_empty_again(struct rlog *rlog)
{
    for (size_t i = 0; i < rlog->peer_count; i++) {
        const struct rlog_heard *heard = find(rlog, rlog->peers[i].node_id);

        if (heard == NULL || heard->report.last_index == 0) {
            link_ask_again(rlog->links, rlog->peers[i].node_id);
        }
    }
}

/* Only the newest is kept, so that many do no harm. */
int rlog_on_report(struct rlog *rlog, uint32_t node_id, struct slice bytes)
{
    struct rlog_report report;
    int rc = report_decode(bytes, &report);

    if (rc == 0) {
        (void)pthread_mutex_lock(&rlog->status_mutex);
        keep(rlog, node_id, &report);
        (void)pthread_mutex_unlock(&rlog->status_mutex);
        if (report.last_index == 0) {
            link_ask_again(rlog->links, node_id);
        }
    }
    return rc;
}

void rlog_forget_report(struct rlog *rlog, uint32_t node_id)
{
    struct rlog_heard *heard;

    (void)pthread_mutex_lock(&rlog->status_mutex);
    heard = find(rlog, node_id);
    if (heard != NULL) {
        *heard = rlog->heard[--rlog->heard_count];
    }
    (void)pthread_mutex_unlock(&rlog->status_mutex);
}

/* ---- any thread */

size_t rlog_get_reports(struct rlog *rlog, struct rlog_heard out[RLOG_REPORTS_MAX])
{
    uint64_t now_ms;
    size_t count = 0;

    (void)pthread_mutex_lock(&rlog->status_mutex);
    now_ms = clock_mono_ms(); /* after whatever is kept was heard */
    out[count++] = (struct rlog_heard){.node_id = rlog->config.node_id,
                                       .heard_ms = rlog->status.as_of_ms,
                                       .report = rlog->own_report};
    for (size_t i = 0; i < rlog->heard_count; i++) {
        const struct rlog_heard *heard = &rlog->heard[i];

        if (now_ms - heard->heard_ms < REPORTS_LOST_MAX * period_ms(rlog)) {
            out[count++] = *heard;
        }
    }
    (void)pthread_mutex_unlock(&rlog->status_mutex);
    return count;
}
