#include "tests/sim/plant.h"

#include "node/base/err.h"
#include "raft/link/internal.h"
#include "raft/link/resolve.h"
#include "raft/log/internal.h"
#include "storage/state/apply.h"
#include "storage/state/pending.h"
#include "storage/state/presence.h"
#include "tests/sim/room.h"
#include "xmpp/stream/internal.h"

#include <netdb.h>
#include <string.h>

#define FORGETFUL_NODE 2
#define FORGETS_OF_MIL 20
#define LOSES_ONE_IN   8

static const char *const names[] = {"none",        "early-ack",  "repeat",      "lose",  "lose-one",
                                    "forget",      "flap",       "stale",       "ghost", "no-fence",
                                    "other-state", "no-redial",  "old-members", "waits", "asks",
                                    "goes-on",     "lost-commit"};
static enum plant planted;

enum plant plant_find(const char *name)
{
    enum plant plant = PLANT_NONE;

    while (plant < PLANTS && strcmp(names[plant], name) != 0) {
        plant++;
    }
    return plant;
}

void plant_set(enum plant plant)
{
    planted = plant;
}

bool plant_is(enum plant plant)
{
    return planted == plant;
}

/* ---- where the defects are (--wrap) */

void __real_pending_confirm(struct apply *a, uint64_t session, Pb__SessionRow *row, uint32_t h);
void __wrap_pending_confirm(struct apply *a, uint64_t session, Pb__SessionRow *row, uint32_t h);
void __wrap_pending_confirm(struct apply *a, uint64_t session, Pb__SessionRow *row, uint32_t h)
{
    if (!plant_is(PLANT_REPEAT)) {
        __real_pending_confirm(a, session, row, plant_is(PLANT_LOSE) ? h + 1 : h);
    }
}

/* The message that is being delivered, where, and how many of its devices do not get it. */
static struct {
    uint64_t position;
    uint32_t host;
    uint32_t count;
} one_lost;

void __real_pending_add_shared(struct apply *a, uint64_t session, uint64_t position,
                               uint64_t shared, uint32_t bytes);
void __wrap_pending_add_shared(struct apply *a, uint64_t session, uint64_t position,
                               uint64_t shared, uint32_t bytes);
void __wrap_pending_add_shared(struct apply *a, uint64_t session, uint64_t position,
                               uint64_t shared, uint32_t bytes)
{
    bool is_second = position == shared && position == one_lost.position &&
                     machine_here()->number == one_lost.host;

    one_lost.position = position == shared ? position : 0;
    one_lost.host = machine_here()->number;
    if (plant_is(PLANT_LOSE_ONE) && is_second && position % LOSES_ONE_IN == 0) {
        one_lost.count++;
    } else {
        __real_pending_add_shared(a, session, position, shared, bytes);
    }
}

void __real_pending_set_refs(struct apply *a, uint64_t shared, uint32_t refs);
void __wrap_pending_set_refs(struct apply *a, uint64_t shared, uint32_t refs);
void __wrap_pending_set_refs(struct apply *a, uint64_t shared, uint32_t refs)
{
    __real_pending_set_refs(a, shared, refs - one_lost.count);
    one_lost.count = 0;
}

int __real_session_resume(struct apply *a, const Pb__Resume *command);
int __wrap_session_resume(struct apply *a, const Pb__Resume *command);
int __wrap_session_resume(struct apply *a, const Pb__Resume *command)
{
    return plant_is(PLANT_FORGET) && a->now_ms % 4 == 0 ? ERR_NOT_FOUND
                                                        : __real_session_resume(a, command);
}

int __real_session_detach(struct apply *a, const Pb__Detach *command);
int __wrap_session_detach(struct apply *a, const Pb__Detach *command);
int __wrap_session_detach(struct apply *a, const Pb__Detach *command)
{
    int rc = __real_session_detach(a, command);
    const Pb__SessionRow *row = state_session(a->state, a->arena, command->session);

    if (plant_is(PLANT_FLAP) && row != NULL) {
        presence_end_session(a, command->session, row->user, row->resource);
    }
    return rc;
}

void __real_resume_on_confirmed(struct stream *stream, uint64_t presence_since);
void __wrap_resume_on_confirmed(struct stream *stream, uint64_t presence_since);
void __wrap_resume_on_confirmed(struct stream *stream, uint64_t presence_since)
{
    __real_resume_on_confirmed(stream, plant_is(PLANT_STALE) ? UINT64_MAX / 2 : presence_since);
}

int __real_expire(struct apply *a, const Pb__Expire *command);
int __wrap_expire(struct apply *a, const Pb__Expire *command);
int __wrap_expire(struct apply *a, const Pb__Expire *command)
{
    return plant_is(PLANT_GHOST) ? 0 : __real_expire(a, command);
}

bool __real_rlog_lease_held(struct rlog *rlog);
bool __wrap_rlog_lease_held(struct rlog *rlog);
bool __wrap_rlog_lease_held(struct rlog *rlog)
{
    return plant_is(PLANT_NO_FENCE) || __real_rlog_lease_held(rlog);
}

int __real_message_send(struct apply *a, const Pb__SendMessage *command);
int __wrap_message_send(struct apply *a, const Pb__SendMessage *command);
int __wrap_message_send(struct apply *a, const Pb__SendMessage *command)
{
    const struct sim_host *host = machine_here();

    if (plant_is(PLANT_OTHER_STATE) && host->number == FORGETFUL_NODE &&
        machine_chance(FORGETS_OF_MIL)) {
        return 0;
    }
    return __real_message_send(a, command);
}

/* The life of the host in which its link to the node went down. */
static uint32_t lost_in[SIM_HOSTS_MAX + 1][NODES_MAX + 1];

void __real_shim_peer_lost(struct shim *shim, raft_id peer);
void __wrap_shim_peer_lost(struct shim *shim, raft_id peer);
void __wrap_shim_peer_lost(struct shim *shim, raft_id peer)
{
    lost_in[machine_here()->number][shim_node_of(peer)] = machine_here()->life + 1;
    __real_shim_peer_lost(shim, peer);
}

void __real_link_conn_dial(struct link_set *set, struct link_peer *peer,
                           const struct sockaddr_storage *address);
void __wrap_link_conn_dial(struct link_set *set, struct link_peer *peer,
                           const struct sockaddr_storage *address);
void __wrap_link_conn_dial(struct link_set *set, struct link_peer *peer,
                           const struct sockaddr_storage *address)
{
    const struct sim_host *host = machine_here();

    if (!plant_is(PLANT_NO_REDIAL) || lost_in[host->number][peer->node_id] != host->life + 1) {
        __real_link_conn_dial(set, peer, address);
    }
}

void __real_resolver_ask(struct resolver *resolver, uint32_t node_id,
                         const struct address *address);
void __wrap_resolver_ask(struct resolver *resolver, uint32_t node_id,
                         const struct address *address);
void __wrap_resolver_ask(struct resolver *resolver, uint32_t node_id, const struct address *address)
{
    struct addrinfo *list;

    if (plant_is(PLANT_ASKS) && getaddrinfo(address->host, NULL, NULL, &list) == 0) {
        freeaddrinfo(list);
    }
    __real_resolver_ask(resolver, node_id, address);
}

/* What such an entry did: the later membership counted as replaced by the earlier one. */
static void believe_log(struct rlog *rlog)
{
    const struct raft *raft = &rlog->raft;
    raft_index index = raft->configuration_uncommitted_index != 0
                           ? raft->configuration_uncommitted_index
                           : raft->configuration_index;

    for (size_t i = 0; index != rlog->members_index && i < rlog->told.count; i++) {
        const struct rlog_member *member = &rlog->told.members[i];
        raft_id id = rlog_raft_id_of(rlog, member->node_id);

        if (id != 0 && id < member->raft_id) {
            link_retire(rlog->links, member->raft_id);
        }
    }
}

void __real_rlog_follow_members(struct rlog *rlog);
void __wrap_rlog_follow_members(struct rlog *rlog);
void __wrap_rlog_follow_members(struct rlog *rlog)
{
    if (plant_is(PLANT_OLD_MEMBERS)) {
        believe_log(rlog);
    }
    __real_rlog_follow_members(rlog);
}

struct shim *__real_shim_new(const struct shim_config *config);
struct shim *__wrap_shim_new(const struct shim_config *config);
struct shim *__wrap_shim_new(const struct shim_config *config)
{
    struct shim_config changed = *config;

    if (plant_is(PLANT_GOES_ON)) {
        changed.guards_off = SHIM_GUARD_APPEND_FAILED;
    }
    if (plant_is(PLANT_LOST_COMMIT)) {
        changed.guards_off = SHIM_GUARD_VERIFIED;
    }
    return __real_shim_new(&changed);
}
