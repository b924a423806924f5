/* What the log says of links that fail: enough to find the cause, and no more however often they
 * are tried. */
#include "node/base/clock.h"
#include "node/base/log.h"
#include "raft/link/internal.h"

#include <arpa/inet.h>
#include <stdio.h>

/* Between lines about links that are refused; and about one that comes again and again. */
#define REFUSED_MS       1000
#define REFUSED_AGAIN_MS 60000

bool link_complains(struct link_peer *peer, enum conn_state state)
{
    unsigned bit = 1u << state;
    bool is_first = (peer->complaints & bit) == 0;

    peer->complaints |= bit;
    return is_first;
}

/* ---- what others dial */

/* The last refusal of a node, or a place for it: that of the oldest. */
static struct link_refusal *refusal_of(struct link_set *set, uint32_t node)
{
    struct link_refusal *oldest = &set->refusals[0];

    for (size_t i = 0; i < ARRAY_COUNT(set->refusals); i++) {
        struct link_refusal *refusal = &set->refusals[i];

        if (refusal->node == node) {
            return refusal;
        }
        oldest = refusal->logged_ms < oldest->logged_ms ? refusal : oldest;
    }
    return oldest;
}

/* A node that was removed does not stop to knock: what was said of it is said again once a minute.
 * Strangers have no name to be known by. */
static bool is_worth_a_line(const struct link_conn *conn, const char *reason, uint64_t now_ms)
{
    struct link_set *set = conn->set;
    struct link_refusal *last = refusal_of(set, conn->named);

    if ((set->refused_logged_ms != 0 && now_ms - set->refused_logged_ms < REFUSED_MS) ||
        (conn->named != 0 && last->node == conn->named &&
         strncmp(reason, last->reason, sizeof(last->reason) - 1) == 0 &&
         now_ms - last->logged_ms < REFUSED_AGAIN_MS)) {
        return false;
    }
    set->refused_logged_ms = now_ms;
    if (conn->named != 0) {
        *last = (struct link_refusal){.logged_ms = now_ms, .node = conn->named};
        (void)snprintf(last->reason, sizeof(last->reason), "%s", reason);
    }
    return true;
}

static void log_refusal(const struct link_conn *conn, const char *reason)
{
    char host[INET6_ADDRSTRLEN] = "";
    const char *text = inet_ntop(AF_INET6, &conn->host, host, sizeof(host));

    log_warn("link.refused", LOG_UINT("node", conn->named),
             LOG_STR("from", text == NULL ? "" : text), LOG_STR("cause", reason));
}

/* ---- what we dial */

/* Once for each way to fail, until the link is up; our own refusal is one of them. A peer that
 * knows who we are and closes then has a reason that only its log tells. */
static void log_dial(const struct link_conn *conn, const char *reason)
{
    uint32_t node = conn->peer->node_id;

    if (!link_complains(conn->peer, conn->is_refused ? CONN_CLOSED : conn->state)) {
        return;
    }
    if (conn->state == CONN_HELLO && !conn->is_refused) {
        log_warn("link.dial_failed", LOG_UINT("node", node), LOG_STR("cause", reason),
                 LOG_STR("hint", "the log of that node may say why"));
    } else {
        log_warn("link.dial_failed", LOG_UINT("node", node), LOG_STR("cause", reason));
    }
}

void link_log_failure(struct link_conn *conn, const char *reason)
{
    if (conn->state == CONN_UP) {
        log_warn("link.down", LOG_UINT("node", conn->peer->node_id), LOG_STR("cause", reason));
    } else if (conn->dialled) {
        log_dial(conn, reason);
    } else if (is_worth_a_line(conn, reason, clock_mono_ms())) {
        log_refusal(conn, reason);
    }
}
