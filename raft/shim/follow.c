/* follow - what a follower may acknowledge and commit. libraft 0.15 answers with the length of its
 * whole log, though only a part of it was compared with the leader's: an old tail then counts as
 * stored copies of entries that this node never saw, and committed entries are lost (defect 27). */
#include "raft/shim/internal.h"

static raft_index min_index(raft_index a, raft_index b)
{
    return a < b ? a : b;
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
