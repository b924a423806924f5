/* lead - what a leader must do beyond libraft 0.15: commit an entry of its own term first, count no
 * acknowledgement before, and tell followers of a commit when it happens. */
#include "raft/shim/internal.h"

/* Raft 5.4.2: entries of earlier terms are committed only by an entry of the leader's own term.
 * 0.15 counts any (defect 1). Results are dropped, not held back: replayed later they could speak
 * of a log that was cut meanwhile. */
bool shim_refuses_result(const struct shim *shim, const struct raft_append_entries_result *result)
{
    const struct raft *raft = shim->raft;

    return shim_guards(shim, SHIM_GUARD_OWN_TERM) && raft->state == RAFT_LEADER &&
           result->rejected == 0 && result->term == raft->current_term &&
           shim->stored_term != raft->current_term;
}

void shim_own_entries_stored(struct shim *shim, raft_term term)
{
    if (shim->raft->state != RAFT_LEADER || term != shim->raft->current_term ||
        shim->stored_term == term) {
        return;
    }
    shim->stored_term = term;
    shim->nudge = true; /* the first answers were dropped: ask again without waiting */
}

static void on_noop_applied(struct raft_barrier *noop, int status)
{
    struct shim *shim = CONTAINER_OF(noop, struct shim, noop);

    if (status == 0) {
        shim->ready_term = shim->noop_term;
    }
}

/* 0.15 appends nothing at its election, so older entries would stay uncommitted until a client
 * writes (defect 2). Not from a callback: libraft is not re-entrant there (defect 16). */
static void submit_noop(struct shim *shim)
{
    struct raft *raft = shim->raft;
    raft_index first = raft_last_index(raft) + 1;

    if (shim->noop_term == raft->current_term || !shim_guards(shim, SHIM_GUARD_NO_OP)) {
        return;
    }
    shim->noop_term = raft->current_term;
    shim->term_first = first;
    memset(shim->pushed, 0, sizeof(shim->pushed));
    if (raft_barrier(raft, &shim->noop, on_noop_applied) != 0) {
        shim->noop_term = 0; /* try again at the next turn */
    }
}

static void nudge_all(struct shim *shim)
{
    struct raft *raft = shim->raft;

    shim->nudge = false;
    for (unsigned i = 0; i < raft->configuration.n; i++) {
        raft->leader_state.progress[i].last_send = 0;
    }
    shim->tick(&shim->io);
}

static void push_commit_to(struct shim *shim, unsigned i)
{
    const struct raft *raft = shim->raft;
    const struct raft_server *server = &raft->configuration.servers[i];
    raft_index match = raft->leader_state.progress[i].match_index;
    raft_index usable = raft->commit_index < match ? raft->commit_index : match;
    struct pushed *pushed = &shim->pushed[i];
    struct raft_message message = {
        .type = RAFT_IO_APPEND_ENTRIES,
        .server_id = server->id,
        .server_address = server->address,
        .append_entries = {.term = raft->current_term,
                           .prev_log_index = match,
                           .prev_log_term = raft->current_term,
                           .leader_commit = usable},
    };

    if (pushed->id != server->id) {
        *pushed = (struct pushed){.id = server->id};
    }
    if (usable > pushed->index) {
        pushed->index = usable;
        shim_send_unasked(shim, &message);
    }
}

/* DESIGN 3: an empty AppendEntries when the commit index moved, built on an entry of this term that
 * the follower acknowledged. 0.15 itself would tell with the next heartbeat but one. */
static void push_commit(struct shim *shim)
{
    const struct raft *raft = shim->raft;

    if (shim->stored_term != raft->current_term || shim->noop_term != raft->current_term) {
        return;
    }
    for (unsigned i = 0; i < raft->configuration.n && i < WIRE_SERVERS_MAX; i++) {
        const struct raft_server *server = &raft->configuration.servers[i];

        if (server->id != raft->id && server->role != RAFT_SPARE &&
            raft->leader_state.progress[i].match_index >= shim->term_first) {
            push_commit_to(shim, i);
        }
    }
}

void shim_lead(struct shim *shim)
{
    if (shim->raft->state != RAFT_LEADER) {
        shim->noop_term = 0;
        shim->nudge = false;
        return;
    }
    submit_noop(shim);
    if (shim->nudge) {
        nudge_all(shim);
    }
    if (shim->raft->state == RAFT_LEADER) {
        push_commit(shim);
    }
}

bool shim_leads(const struct shim *shim)
{
    return shim->raft->state == RAFT_LEADER && shim->ready_term == shim->raft->current_term &&
           !shim->closing;
}
