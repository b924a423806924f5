#include "tests/sim/watch_raft.h"

#include "raft/log/internal.h"
#include "raft/shim/internal.h"
#include "tests/sim/disk.h"
#include "tests/sim/machine.h"
#include "tests/sim/watch.h"

#include <stdlib.h>
#include <string.h>

/* A raft as it was at the last look. */
static struct seen {
    raft_id id;
    uint32_t life; /* of the host */
    raft_term term;
    raft_id vote;
    raft_index commit;
    raft_index applied;
    raft_index checked; /* terms ascend up to it */
    raft_term checked_term;
} seen[SIM_HOSTS_MAX];

/* By index: the term of the entry that was committed there; 0: none that anybody knows. */
static struct {
    raft_term *terms;
    size_t room;
    raft_index last;
    raft_term in_term; /* the latest in which any was */
} committed;

void watch_raft_init(void)
{
    free(committed.terms);
    memset(&committed, 0, sizeof(committed));
    memset(seen, 0, sizeof(seen));
}

static unsigned long long number(uint64_t value)
{
    return value;
}

static raft_index last_index(const struct raft *raft)
{
    return raft_last_index((struct raft *)(uintptr_t)raft);
}

/* ---- numbers */

static void check_numbers(uint32_t node, const struct raft *raft, const struct seen *then)
{
    if (raft->current_term < then->term) {
        watch_fail("node %u goes back to term %llu", node, number(raft->current_term));
    }
    if (raft->current_term == then->term && then->vote != 0 && raft->voted_for != then->vote) {
        watch_fail("node %u votes twice in term %llu", node, number(raft->current_term));
    }
    if (raft->commit_index < then->commit || raft->last_applied < then->applied) {
        watch_fail("node %u takes back what it committed or applied", node);
    }
    if (raft->last_applied > raft->commit_index || raft->commit_index > last_index(raft) ||
        raft->last_stored > last_index(raft)) {
        watch_fail("node %u: applied %llu, committed %llu, stored %llu, last %llu", node,
                   number(raft->last_applied), number(raft->commit_index),
                   number(raft->last_stored), number(last_index(raft)));
    }
}

static void check_terms(uint32_t node, const struct raft *raft, struct seen *then)
{
    raft_index last = last_index(raft);
    raft_index from = then->checked;
    raft_term before = then->checked_term;

    if (from <= raft->log.offset || from > last || shim_term_of(raft, from) != before) {
        from = raft->log.offset;
        before = raft->log.snapshot.last_index == from ? raft->log.snapshot.last_term : 0;
    }
    for (raft_index index = from + 1; index <= last; index++) {
        raft_term term = shim_term_of(raft, index);

        if (term < before || term > raft->current_term) {
            watch_fail("node %u: an entry of term %llu after one of term %llu, in term %llu", node,
                       number(term), number(before), number(raft->current_term));
        }
        before = term;
    }
    then->checked = last;
    then->checked_term = before;
}

/* ---- what is committed */

static raft_term *committed_at(raft_index index)
{
    if (index >= committed.room) {
        size_t room = 2 * (size_t)index + 1024;

        committed.terms = realloc(committed.terms, room * sizeof(*committed.terms));
        if (committed.terms == NULL) {
            abort();
        }
        memset(committed.terms + committed.room, 0,
               (room - committed.room) * sizeof(*committed.terms));
        committed.room = room;
    }
    return &committed.terms[index];
}

static void check_committed(uint32_t node, const struct raft *raft, const struct seen *then)
{
    for (raft_index index = then->commit + 1; index <= raft->commit_index; index++) {
        raft_term term = shim_term_of(raft, index);
        raft_term *known = committed_at(index);

        if (term == 0) {
            continue; /* it came in a snapshot */
        }
        if (*known != 0 && *known != term) {
            watch_fail("node %u commits an entry of term %llu at %llu, where one of term %llu was",
                       node, number(term), number(index), number(*known));
        }
        *known = term;
    }
    if (raft->commit_index > committed.last) {
        committed.last = raft->commit_index;
        committed.in_term =
            raft->current_term > committed.in_term ? raft->current_term : committed.in_term;
    }
}

/* Leader completeness: what was committed in a term is in the log of each later leader. Who was
 * elected in an earlier one, and learns of it late, lacks it and can commit nothing. */
void watch_raft_elected(const struct rlog *rlog)
{
    const struct raft *raft = &rlog->raft;
    uint32_t node = machine_here()->number;

    if (raft->current_term < committed.in_term) {
        return;
    }
    if (last_index(raft) < committed.last) {
        watch_fail("node %u leads with entries up to %llu, and %llu is committed", node,
                   number(last_index(raft)), number(committed.last));
        return;
    }
    for (raft_index index = raft->log.offset + 1; index <= committed.last; index++) {
        raft_term known = *committed_at(index);

        if (known != 0 && shim_term_of(raft, index) != known) {
            watch_fail("node %u leads without the committed entry %llu", node, number(index));
        }
    }
}

/* ---- what a leader believes */

static struct sim_host *host_of(raft_id id)
{
    for (uint32_t i = 0; i < SIM_HOSTS_MAX; i++) {
        if (seen[i].id == id) {
            return machine_host(i + 1);
        }
    }
    return NULL;
}

static void check_progress(uint32_t node, const struct raft *raft, unsigned i)
{
    const struct raft_progress *progress = &raft->leader_state.progress[i];
    const struct raft_server *server = &raft->configuration.servers[i];
    const struct sim_host *host = host_of(server->id);
    raft_index match = progress->match_index;

    if (match > last_index(raft) || progress->next_index > last_index(raft) + 1 ||
        (server->id != raft->id && match >= progress->next_index)) {
        watch_fail("node %u: entry %llu of %llu matches, and %llu is next", node, number(match),
                   number(last_index(raft)), number(progress->next_index));
    }
    if (host != NULL && match > raft->log.offset &&
        !disk_holds(host, raft->current_term, match, shim_term_of(raft, match))) {
        watch_fail("node %u counts on entry %llu of node %u, which has not got it", node,
                   number(match), host->number);
    }
}

/* ---- at every turn (--wrap) */

static void look(const struct raft *raft)
{
    const struct sim_host *host = machine_here();
    struct seen *then = &seen[host->number - 1];

    if (then->id != raft->id) {
        *then = (struct seen){.id = raft->id};
    }
    if (then->life != host->life) {
        then->life = host->life;
        then->commit = 0;
        then->applied = 0;
        then->checked = 0;
    }
    check_numbers(host->number, raft, then);
    check_terms(host->number, raft, then);
    check_committed(host->number, raft, then);
    for (unsigned i = 0; raft->state == RAFT_LEADER && i < raft->configuration.n; i++) {
        check_progress(host->number, raft, i);
    }
    then->term = raft->current_term;
    then->vote = raft->voted_for;
    then->commit = raft->commit_index;
    then->applied = raft->last_applied;
}

void __real_shim_turn(struct shim *shim);
void __wrap_shim_turn(struct shim *shim);
void __wrap_shim_turn(struct shim *shim)
{
    if (shim->raft != NULL && shim->started && !shim->closing) {
        look(shim->raft);
    }
    __real_shim_turn(shim);
}
