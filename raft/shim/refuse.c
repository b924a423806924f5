/* refuse - which messages of a peer libraft must not see. The peer is proven to be a node of the
 * cluster, but may have left it, or be damaged or captured; libraft believes every number (defect
 * 29). What one node can say must not stop the others for ever. */
#include "raft/shim/internal.h"

/* A node that was wiped joined again under a new id: its old membership has no say any more, though
 * a process of it may still run (DESIGN 4). */
static bool is_retired(const struct shim *shim, raft_id id)
{
    const struct raft_configuration *members = &shim->raft->configuration;

    for (unsigned i = 0; i < members->n; i++) {
        if (shim_node_of(members->servers[i].id) == shim_node_of(id) &&
            members->servers[i].id > id) {
            return true;
        }
    }
    return false;
}

/* Only members are asked. Requests of others count: a leader or candidate may have joined by an
 * entry that this node lacks (Ongaro's thesis, 4.1). */
static bool is_unasked_answer(const struct shim *shim, const struct wire_received *received)
{
    return (received->message.type == RAFT_IO_APPEND_ENTRIES_RESULT ||
            received->message.type == RAFT_IO_REQUEST_VOTE_RESULT) &&
           shim_member_index(shim->raft, received->from) < 0;
}

bool shim_ignores(const struct shim *shim, uint32_t from_node, const struct wire_received *received)
{
    return received->to != shim->config.id || shim_node_of(received->from) != from_node ||
           is_retired(shim, received->from) || is_unasked_answer(shim, received);
}

static raft_term term_of(const struct raft_message *message)
{
    switch (message->type) {
    case RAFT_IO_APPEND_ENTRIES:
        return message->append_entries.term;
    case RAFT_IO_APPEND_ENTRIES_RESULT:
        return message->append_entries_result.term;
    case RAFT_IO_REQUEST_VOTE:
        return message->request_vote.term;
    case RAFT_IO_REQUEST_VOTE_RESULT:
        return message->request_vote_result.term;
    case RAFT_IO_INSTALL_SNAPSHOT:
        return message->install_snapshot.term;
    default:
        return message->timeout_now.term;
    }
}

/* libraft would write the other leader's name over what it keeps as leader itself. */
static bool is_second_leader(const struct raft *raft, const struct raft_message *message)
{
    return raft->state == RAFT_LEADER && term_of(message) == raft->current_term &&
           (message->type == RAFT_IO_APPEND_ENTRIES || message->type == RAFT_IO_INSTALL_SNAPSHOT ||
            message->type == RAFT_IO_TIMEOUT_NOW);
}

int shim_check_message(const struct shim *shim, const struct raft_message *message)
{
    const struct raft *raft = shim->raft;

    if (!shim_guards(shim, SHIM_GUARD_NUMBERS)) {
        return 0;
    }
    if (term_of(message) > raft->current_term + SHIM_TERM_AHEAD_MAX) {
        return ERR_LIMIT;
    }
    return is_second_leader(raft, message) ? ERR_MALFORMED : 0;
}

void shim_bound_request_vote(const struct shim *shim, raft_id from, struct raft_request_vote *vote)
{
    int i = shim_member_index(shim->raft, from);

    if ((i < 0 || shim->raft->configuration.servers[i].role != RAFT_VOTER) &&
        shim_guards(shim, SHIM_GUARD_NUMBERS)) {
        vote->disrupt_leader = false; /* a leader hands over to a voter alone */
    }
}
