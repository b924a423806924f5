#include "tests/sim/watch.h"

#include "node/base/crypto.h"
#include "node/core/core_private.h"
#include "raft/log/internal.h"
#include "storage/state/apply.h"
#include "tests/sim/faults.h"
#include "tests/sim/machine.h"
#include "tests/sim/watch_raft.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAULT_BYTES 256

/* What a node has told of an index first; 0: none has. */
struct column {
    uint64_t *values;
    size_t room;
    size_t seen;
};

static struct column entries; /* a digest of term and bytes */
static struct column marks;   /* the state hash */
static struct column terms;   /* the node that led */
static char fault[FAULT_BYTES];

/* The program of each host, as far as it has applied something. */
static struct program {
    struct core *core;
    uint32_t life;
} programs[SIM_HOSTS_MAX];

void watch_init(void)
{
    free(entries.values);
    free(marks.values);
    free(terms.values);
    memset(&entries, 0, sizeof(entries));
    memset(&marks, 0, sizeof(marks));
    memset(&terms, 0, sizeof(terms));
    memset(programs, 0, sizeof(programs));
    fault[0] = '\0';
    watch_raft_init();
}

const char *watch_fault(void)
{
    return fault[0] == '\0' ? NULL : fault;
}

void watch_fail(const char *format, ...)
{
    va_list arguments;

    if (fault[0] == '\0') {
        va_start(arguments, format);
        (void)vsnprintf(fault, sizeof(fault), format, arguments);
        va_end(arguments);
    }
    machine_stop();
}

size_t watch_entries(void)
{
    return entries.seen;
}

size_t watch_marks(void)
{
    return marks.seen;
}

/* False: another node has told something else. */
static bool is_same(struct column *column, uint64_t index, uint64_t value)
{
    value = value == 0 ? 1 : value;
    if (index >= column->room) {
        size_t room = 2 * (size_t)index + 1024;

        column->values = realloc(column->values, room * sizeof(*column->values));
        if (column->values == NULL) {
            abort();
        }
        memset(column->values + column->room, 0, (room - column->room) * sizeof(*column->values));
        column->room = room;
    }
    if (column->values[index] == 0) {
        column->values[index] = value;
        column->seen++;
    }
    return column->values[index] == value;
}

/* ---- where it happens (--wrap) */

void __real_core_apply(struct core *core, uint64_t index, uint64_t term, struct blob *entry);
void __wrap_core_apply(struct core *core, uint64_t index, uint64_t term, struct blob *entry);
void __wrap_core_apply(struct core *core, uint64_t index, uint64_t term, struct blob *entry)
{
    static const uint8_t key[16];
    uint64_t digest = term * UINT64_C(0x9e3779b97f4a7c15);

    if (entry != NULL) {
        digest ^= siphash(key, blob_slice(entry));
    }
    machine_note(digest);
    if (!is_same(&entries, index, digest)) {
        watch_fail("node %u applies another entry at index %llu, term %llu", core->node_id,
                   (unsigned long long)index, (unsigned long long)term);
    }
    programs[machine_here()->number - 1] =
        (struct program){.core = core, .life = machine_here()->life};
    __real_core_apply(core, index, term, entry);
}

/* Election safety (Ongaro's thesis, 3.2): one leader a term. */
void __real_rlog_lease_elected(struct rlog *rlog);
void __wrap_rlog_lease_elected(struct rlog *rlog);
void __wrap_rlog_lease_elected(struct rlog *rlog)
{
    uint32_t number = machine_here()->number;

    machine_note(rlog->raft.current_term << 8 ^ number);
    if (!is_same(&terms, rlog->raft.current_term, number)) {
        watch_fail("node %u leads in term %llu, as another one did", number,
                   (unsigned long long)rlog->raft.current_term);
    }
    watch_raft_elected(rlog);
    faults_elected(number);
    __real_rlog_lease_elected(rlog);
}

/* P6: whoever is presumed dead has stopped to serve before. */
int __real_node_down(struct apply *a, const Pb__NodeDown *command);
int __wrap_node_down(struct apply *a, const Pb__NodeDown *command);
int __wrap_node_down(struct apply *a, const Pb__NodeDown *command)
{
    for (uint32_t i = 0; i < SIM_HOSTS_MAX; i++) {
        const struct sim_host *host = machine_host(i + 1);

        if (host->is_up && programs[i].core != NULL && programs[i].life == host->life &&
            programs[i].core->incarnation == command->incarnation &&
            core_may_serve(programs[i].core)) {
            watch_fail("node %u serves, and is presumed dead", i + 1);
        }
    }
    return __real_node_down(a, command);
}

void __real_rlog_publish_hash(struct rlog *rlog, uint64_t mark_index, uint64_t hash);
void __wrap_rlog_publish_hash(struct rlog *rlog, uint64_t mark_index, uint64_t hash);
void __wrap_rlog_publish_hash(struct rlog *rlog, uint64_t mark_index, uint64_t hash)
{
    machine_note(hash);
    if (!is_same(&marks, mark_index, hash)) {
        watch_fail("node %u has another state at mark %llu", machine_here()->number,
                   (unsigned long long)mark_index);
    }
    __real_rlog_publish_hash(rlog, mark_index, hash);
}
