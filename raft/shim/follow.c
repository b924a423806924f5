/* follow - what a follower may take, acknowledge and commit. libraft 0.15 answers with the length
 * of its whole log, though only a part of it was compared with the leader's: an old tail then
 * counts as stored copies of entries that this node never saw, and committed entries are lost
 * (defect 27). */
#include "raft/shim/internal.h"

static raft_index min_index(raft_index a, raft_index b)
{
    return a < b ? a : b;
}

/* Entries that a snapshot stands for are committed, so they are those of any leader (Raft 7). 0.15
 * knows them no more, and refuses what builds on them: a leader that was not told of the snapshot
 * goes back entry by entry, below what it knows to match. Entries from the very first on build on
 * none: 0.15 takes them all, and puts them behind its last one (defect 37). */
void shim_skip_snapshot(const struct shim *shim, struct raft_message *message)
{
    struct raft_append_entries *append = &message->append_entries;
    const struct raft *raft = shim->raft;
    raft_index end = raft->log.snapshot.last_index;
    raft_index known = end - append->prev_log_index;

    if (append->prev_log_index >= end || shim_term_of(raft, append->prev_log_index) != 0 ||
        !shim_guards(shim, SHIM_GUARD_BEHIND)) {
        return;
    }
    if (append->n_entries > known) {
        append->n_entries -= (unsigned)known;
        memmove(append->entries, append->entries + known,
                append->n_entries * sizeof(*append->entries));
    } else {
        wire_release(message);
        append->entries = NULL;
        append->n_entries = 0;
    }
    append->prev_log_index = end;
    append->prev_log_term = raft->log.snapshot.last_term;
}

void shim_begin_append_entries(struct shim *shim, struct raft_append_entries *append)
{
    raft_index end = append->prev_log_index + append->n_entries;

    shim->handling = (struct verified){.term = append->term, .index = end};
    if (shim_guards(shim, SHIM_GUARD_VERIFIED)) {
        /* Raft figure 3.1: commit up to the last *new* entry, not the last that is there. */
        append->leader_commit = min_index(append->leader_commit, end);
    }
}

/* Who has the last entry that a snapshot stands for has all before it (Raft 5.3). 0.15 says so at
 * once; less would be too little for ever: the leader has no entries below, and offers it again. */
void shim_begin_offer(struct shim *shim, const struct raft_install_snapshot *offer)
{
    if (offer->last_term != 0 && shim_term_of(shim->raft, offer->last_index) == offer->last_term) {
        shim->handling = (struct verified){.term = offer->term, .index = offer->last_index};
    }
}

void shim_append_entries_accepted(struct shim *shim)
{
    if (shim->handling.term == 0) {
        return;
    }
    if (shim->verified.term != shim->handling.term) {
        shim->verified = shim->handling;
    } else if (shim->verified.index < shim->handling.index) {
        shim->verified.index = shim->handling.index;
    }
}

void shim_bound_acknowledgement(struct shim *shim, struct raft_append_entries_result *result)
{
    /* Committed entries are in the log of every later leader. */
    raft_index bound = shim->raft->commit_index;

    if (result->rejected != 0 || !shim_guards(shim, SHIM_GUARD_VERIFIED)) {
        return;
    }
    shim_append_entries_accepted(shim);
    /* An answer given after the disk write may go to a newer leader than the one that compared. */
    if (shim->verified.term == result->term && shim->verified.index > bound) {
        bound = shim->verified.index;
    }
    result->last_log_index = min_index(result->last_log_index, bound);
}
