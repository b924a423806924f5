/* elect - when elections are held: never while this node's log is being written or replaced, and at
 * once when the leader's process is gone. Pre-vote is on, so an election in vain harms nobody. */
#include "raft/shim/internal.h"

/* The next node in line waits so long for the one before it, in quarters of a heartbeat. */
#define HASTE_STEP_QUARTER_HEARTBEATS 3
/* raft_progress.state, of libraft's own progress.h */
#define PROGRESS_PROBE 0

static bool knows_leader(const struct raft *raft)
{
    return raft->state == RAFT_LEADER ||
           (raft->state == RAFT_FOLLOWER && raft->follower_state.current_leader.id != 0);
}

/* libraft refuses its vote while it remembers any leader, however long silent (defect 12). */
static void forget_silent_leader(struct shim *shim)
{
    struct raft *raft = shim->raft;

    if (shim_guards(shim, SHIM_GUARD_FORGET_LEADER) && raft->state == RAFT_FOLLOWER &&
        shim_now(shim) - raft->election_timer_start >= raft->election_timeout) {
        raft->follower_state.current_leader.id = 0;
    }
}

/* A candidate must know its own log: wait for writes, those of when it led included, and an
 * installing snapshot (defect 8). */
static bool may_tick(const struct shim *shim)
{
    return shim->raft->state != RAFT_FOLLOWER || !shim_guards(shim, SHIM_GUARD_TICK) ||
           (shim->appends_under_way == 0 && shim->raft->snapshot.put.data == NULL);
}

/* Pre-votes may come before the other voters noticed the loss themselves, so they are repeated each
 * tick until someone's real election has raised the term, or a leader is known. */
static void hasten(struct shim *shim)
{
    struct raft *raft = shim->raft;
    bool in_doubt = raft->state == RAFT_FOLLOWER ||
                    (raft->state == RAFT_CANDIDATE && raft->candidate_state.in_pre_vote);

    if (shim->hasten_term == 0) {
        return;
    }
    if (raft->current_term != shim->hasten_term || knows_leader(raft) || !in_doubt ||
        shim_now(shim) > shim->hasten_at + raft->election_timeout) {
        shim->hasten_term = 0;
    } else if (shim_now(shim) >= shim->hasten_at) {
        raft->election_timer_start = 0; /* expired */
    }
}

bool shim_is_alone(const struct shim *shim)
{
    const struct raft *raft = shim->raft;
    int own = shim_member_index(raft, raft->id);
    unsigned voters = 0;

    for (unsigned i = 0; i < raft->configuration.n; i++) {
        voters += raft->configuration.servers[i].role == RAFT_VOTER ? 1 : 0;
    }
    return voters == 1 && own >= 0 && raft->configuration.servers[own].role == RAFT_VOTER &&
           shim_guards(shim, SHIM_GUARD_ALONE);
}

/* A node that is the only voter makes itself leader, at its start or when its election is due, in
 * whatever term it is (defect 30): that of a leader that was removed, or its own of before a crash,
 * whose unwritten entries others hold. The same index and term then name two entries. */
int shim_raise_term_alone(struct shim *shim)
{
    struct raft *raft = shim->raft;
    int rv;

    if (!shim_is_alone(shim)) {
        return 0;
    }
    rv = shim_write_term(shim, raft->current_term + 1);
    if (rv == 0) {
        raft->current_term++;
        raft->voted_for = 0;
    }
    return rv;
}

/* Will libraft's next tick begin an election? */
static bool stands_for_election(const struct shim *shim)
{
    const struct raft *raft = shim->raft;

    return raft->state == RAFT_FOLLOWER && shim_now(shim) - raft->election_timer_start >=
                                               raft->follower_state.randomized_election_timeout;
}

void shim_tick(struct raft_io *disk)
{
    struct shim *shim = disk->data;

    if (shim->closing) {
        return;
    }
    forget_silent_leader(shim);
    if (!may_tick(shim)) {
        return;
    }
    hasten(shim);
    if (stands_for_election(shim) && shim_raise_term_alone(shim) != 0) {
        shim->config.fail_stop(shim->config.ctx, "the term can not be written");
        return;
    }
    shim->tick(&shim->io);
}

/* How many voters go before this one: those with lower ids, the lost leader apart. -1: no voter. */
static int place_in_line(const struct raft *raft, raft_id lost)
{
    int own = shim_member_index(raft, raft->id);
    int place = 0;

    if (own < 0 || raft->configuration.servers[own].role != RAFT_VOTER) {
        return -1;
    }
    for (unsigned i = 0; i < raft->configuration.n; i++) {
        const struct raft_server *server = &raft->configuration.servers[i];

        if (server->role == RAFT_VOTER && server->id != lost && server->id < raft->id) {
            place++;
        }
    }
    return place;
}

/* 0.15 waits install_snapshot_timeout (minutes, to allow for a copy) before it offers a snapshot
 * again; a process that ended will not install it. Back to probing, as after its own time-out. */
static void forget_offer(struct raft *raft, raft_id peer)
{
    int i = shim_member_index(raft, peer);

    if (i >= 0 && raft->leader_state.progress[i].snapshot_index != 0) {
        raft->leader_state.progress[i].state = PROGRESS_PROBE;
        raft->leader_state.progress[i].snapshot_index = 0;
    }
}

/* 0.15 waits for a member that is to get a vote until one round of catching up has taken too long
 * (a minute): its next tick finds that it has. */
static void give_up_promotion(const struct shim *shim, raft_id peer)
{
    struct raft *raft = shim->raft;

    if (raft->leader_state.promotee_id == peer) {
        raft->leader_state.round_start = shim_now(shim) - raft->max_catch_up_round_duration - 1;
    }
}

void shim_peer_lost(struct shim *shim, raft_id peer)
{
    struct raft *raft = shim->raft;
    int place;

    if (shim->closing) {
        return;
    }
    if (shim->answered.to == peer) {
        shim->answered.to = 0;
    }
    if (raft->state == RAFT_LEADER) {
        forget_offer(raft, peer);
        give_up_promotion(shim, peer);
    }
    if (raft->state != RAFT_FOLLOWER || raft->follower_state.current_leader.id != peer) {
        return;
    }
    raft->follower_state.current_leader.id = 0;
    place = place_in_line(raft, peer);
    if (place < 0) {
        return;
    }
    shim->hasten_term = raft->current_term;
    shim->hasten_at = shim_now(shim) + (raft_time)place * raft->heartbeat_timeout *
                                           HASTE_STEP_QUARTER_HEARTBEATS / 4;
    if (place == 0) {
        shim_tick(shim->config.disk);
    }
}
