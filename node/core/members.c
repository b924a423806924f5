#include "node/core/members.h"

#include "node/core/core_private.h"

static const struct rlog_report *find_report(const struct members *members, uint32_t node)
{
    for (size_t i = 0; i < members->heard_count; i++) {
        if (members->heard[i].node_id == node) {
            return &members->heard[i].report;
        }
    }
    return NULL;
}

static struct member_view view_of(struct core *core, const struct members *members,
                                  const struct rlog_peer_status *peer)
{
    const Pb__NodeRow *row = state_node(core->state, &core->arena, peer->node_id);

    return (struct member_view){.peer = peer,
                                .report = find_report(members, peer->node_id),
                                .row = row,
                                .is_up = row != NULL &&
                                         state_is_up(core->state, &core->arena, row->incarnation)};
}

/* The leader's word is a second old, this node's own may be ahead of it. */
static uint64_t find_commit_index(const struct members *members)
{
    const struct rlog_report *leader = find_report(members, members->log.leader_node);

    return leader != NULL && leader->commit_index > members->log.commit_index
               ? leader->commit_index
               : members->log.commit_index;
}

void members_read(struct core *core, struct members *out)
{
    rlog_get_status(core->log, &out->log);
    out->heard_count = rlog_get_reports(core->log, out->heard);
    out->count = 0;
    for (size_t i = 0; i < out->log.peer_count; i++) {
        out->items[out->count++] = view_of(core, out, &out->log.peers[i]);
    }
    out->commit_index = find_commit_index(out);
    out->log_version = state_cluster(core->state, &core->arena)->log_version;
}

struct seat {
    uint32_t node;
    bool is_taken;
};

static bool look_for_seat(void *ctx, const char *name, const Pb__GroupRow *row)
{
    struct seat *seat = ctx;

    (void)name;
    for (size_t i = 0; i < row->n_nodes; i++) {
        seat->is_taken = seat->is_taken || row->nodes[i] == seat->node;
    }
    return !seat->is_taken;
}

enum members_tie members_tie(struct core *core, const Pb__NodeRow *row)
{
    struct seat seat = {.node = row->node};
    struct rlog_status log;
    bool is_member;

    rlog_get_status(core->log, &log);
    is_member = log.peer_count == 0;
    for (size_t i = 0; i < log.peer_count; i++) {
        is_member = is_member || log.peers[i].node_id == row->node;
    }
    if (is_member) {
        return TIE_MEMBER;
    }
    state_each_group(core->state, &core->arena, look_for_seat, &seat);
    return seat.is_taken || row->users > 0 ? TIE_LEFT : TIE_NONE;
}

/* Reports have not always told this. */
bool members_understands(const struct members *members, const struct member_view *member)
{
    return members->log_version == 0 ||
           (member->report != NULL && member->report->log_version >= members->log_version);
}
