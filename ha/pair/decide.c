/* What moves users: the leader of itself, and the operator where it is safe. */
#include "ha/pair/pair.h"

static bool can_serve(const struct pair_node *node)
{
    return node->is_there && node->life == PAIR_UP && node->is_well;
}

static enum pair_reason reason_to_leave(const struct pair_node *node)
{
    return node->life == PAIR_DOWN      ? PAIR_PEER_DOWN
           : node->life == PAIR_STOPPED ? PAIR_PEER_REBOOT
                                        : PAIR_CRITICAL_SERVICE_DOWN;
}

/* A node that starts gets the time to; its users are served by whoever they come to meanwhile. */
static bool must_leave(const struct pair_node *own, const struct pair_node *peer)
{
    return !own->is_away && !can_serve(own) && own->life != PAIR_STARTING && can_serve(peer) &&
           !peer->is_away;
}

static bool has_been_well(const struct pair_facts *facts, const struct pair_node *node)
{
    uint64_t since_ms = node->life_ms > node->well_ms ? node->life_ms : node->well_ms;

    /* A leader's time may lag behind that of an entry that it got in a copy. */
    return facts->now_ms >= since_ms && facts->now_ms - since_ms >= facts->fallback_wait_ms;
}

/* Home at once where the peer cannot serve, whoever moved them; after the wait where a fault did.
 */
static bool must_return(const struct pair_facts *facts, const struct pair_node *own,
                        const struct pair_node *peer, enum pair_reason *reason)
{
    if (!own->is_away || !can_serve(own)) {
        return false;
    }
    if (!can_serve(peer) || peer->is_away) {
        *reason = PAIR_AUTO_RECOVERY;
        return true;
    }
    *reason = PAIR_AUTOMATIC_FALLBACK;
    return facts->falls_back && own->moved_for != PAIR_ADMIN_REQUEST && !own->is_moving &&
           has_been_well(facts, own);
}

bool pair_decide(const struct pair_facts *facts, struct pair_move *out)
{
    if (!facts->is_enabled) {
        return false;
    }
    for (size_t i = 0; i < PAIR_NODES; i++) {
        const struct pair_node *own = &facts->nodes[i];
        const struct pair_node *peer = &facts->nodes[1 - i];
        enum pair_reason reason;

        if (!own->is_there) {
            continue;
        }
        if (must_leave(own, peer)) {
            *out = (struct pair_move){.node = i, .away = true, .reason = reason_to_leave(own)};
            return true;
        }
        if (must_return(facts, own, peer, &reason)) {
            *out = (struct pair_move){.node = i, .away = false, .reason = reason};
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- requests */

#define MOVING "sessions are being moved"

static bool has_peer(const struct pair_facts *facts)
{
    return facts->is_enabled && facts->nodes[0].is_there && facts->nodes[1].is_there;
}

const char pair_node_starts[] = "the node does not serve yet";

static const char *refuse_life(const struct pair_node *node)
{
    if (node->life == PAIR_STARTING) {
        return pair_node_starts;
    }
    return node->life == PAIR_UP ? NULL : "the node is not running";
}

static const char *refuse_peer(const struct pair_node *peer)
{
    if (peer->life == PAIR_STARTING) {
        return "the peer does not serve yet";
    }
    if (peer->life != PAIR_UP) {
        return "the peer is not running";
    }
    if (!peer->is_well) {
        return "a critical service of the peer is down";
    }
    return peer->is_away ? "the peer is failed over itself" : NULL;
}

static const char *refuse_failover(const struct pair_node *own, const struct pair_node *peer)
{
    const char *refusal = own->is_away ? "the node is failed over already" : refuse_peer(peer);

    return refusal == NULL && (own->is_moving || peer->is_moving) ? MOVING : refusal;
}

/* What was failed over already may be emptied as well. */
static const char *refuse_drain(const struct pair_facts *facts, size_t node)
{
    const struct pair_node *own = &facts->nodes[node];
    const struct pair_node *peer = &facts->nodes[1 - node];
    const char *refusal = NULL;

    if (own->is_drained) {
        return "the node is drained already";
    }
    if (refuse_life(own) != NULL) {
        return refuse_life(own);
    }
    if (has_peer(facts)) {
        refusal = refuse_peer(peer);
    } else if (!facts->others_serve && (!can_serve(peer) || peer->is_drained)) {
        refusal = "no other node serves";
    }
    return refusal == NULL && (own->is_moving || peer->is_moving) ? MOVING : refusal;
}

static const char *refuse_fallback(const struct pair_node *own)
{
    if (!own->is_away) {
        return "the node is not failed over";
    }
    if (refuse_life(own) != NULL) {
        return refuse_life(own);
    }
    if (own->is_moving) {
        return MOVING;
    }
    return own->is_well ? NULL : "a critical service of the node is down";
}

static const char *refuse_abort(const struct pair_node *own)
{
    if (!own->is_moving) {
        return "no sessions are being moved";
    }
    return own->is_away && own->moved_for != PAIR_ADMIN_REQUEST
               ? "a fault moves them: the leader would do it again"
               : NULL;
}

/* The leader does so unasked, as soon as one can serve. */
static const char *recover(const struct pair_facts *facts, struct pair_move *out)
{
    for (size_t i = 0; i < PAIR_NODES; i++) {
        if (facts->nodes[i].is_away && facts->nodes[1 - i].is_away && can_serve(&facts->nodes[i])) {
            *out = (struct pair_move){.node = i, .reason = PAIR_ADMIN_REQUEST};
            return NULL;
        }
    }
    return "the nodes are not failed over to each other, or neither can serve";
}

/* Only a pair can fail over; a node by itself can be drained, and fall back from that. */
static const char *refuse_without_peer(const struct pair_facts *facts, enum pair_request request,
                                       const struct pair_node *own)
{
    if (!own->is_there) {
        return "there is no such node";
    }
    if (request == PAIR_DRAIN || request == PAIR_ABORT ||
        (request == PAIR_FALLBACK && own->is_away)) {
        return NULL;
    }
    return facts->is_enabled ? "the group has one node only"
                             : "high availability is not enabled for the node";
}

const char *pair_grant(const struct pair_facts *facts, enum pair_request request, size_t node,
                       struct pair_move *out)
{
    const struct pair_node *own = &facts->nodes[node];
    const struct pair_node *peer = &facts->nodes[1 - node];
    const char *refusal = has_peer(facts) ? NULL : refuse_without_peer(facts, request, own);

    if (refusal != NULL) {
        return refusal;
    }
    *out = (struct pair_move){.node = node,
                              .away = request == PAIR_FAILOVER || request == PAIR_DRAIN,
                              .drain = request == PAIR_DRAIN,
                              .reason = PAIR_ADMIN_REQUEST};
    switch (request) {
    case PAIR_FAILOVER:
        return refuse_failover(own, peer);
    case PAIR_DRAIN:
        return refuse_drain(facts, node);
    case PAIR_FALLBACK:
        return refuse_fallback(own);
    case PAIR_ABORT:
        return refuse_abort(own);
    case PAIR_RECOVER:
    case PAIR_REQUESTS:
        break;
    }
    return recover(facts, out);
}
