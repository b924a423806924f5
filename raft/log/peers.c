/* peers - the links follow the membership in libraft's configuration, and what comes over them goes
 * where it belongs. */
#include "raft/log/internal.h"

#include "node/base/clock.h"
#include "node/base/log.h"
#include "raft/member/member.h"

/* Nothing heard for this many heartbeats: the link is taken for dead (a cut cable; a dead process
 * is noticed at once). */
#define SILENCE_HEARTBEATS 10
/* Marks are at least 50 ms apart; what was held back may come at once. */
#define HASHES_PER_BEAT_MAX 32
#define QUEUE_BYTES_URGENT  (8 * 1024 * 1024)
#define QUEUE_BYTES_BULK    (16 * 1024 * 1024)

raft_id rlog_raft_id_of(const struct rlog *rlog, uint32_t node_id)
{
    for (unsigned i = 0; i < rlog->raft.configuration.n; i++) {
        raft_id id = rlog->raft.configuration.servers[i].id;

        if (shim_node_of(id) == node_id) {
            return id;
        }
    }
    return 0;
}

int rlog_send_raft(void *ctx, raft_id to, const struct slice *parts, size_t part_count)
{
    struct rlog *rlog = ctx;

    return link_send(rlog->links, shim_node_of(to), LINK_URGENT, FRAME_RAFT, parts, part_count);
}

bool rlog_send(struct rlog *rlog, uint32_t node_id, enum link_class class, enum frame_type type,
               struct slice bytes)
{
    return link_send(rlog->links, node_id, class, (uint8_t)type, &bytes, 1) == 0;
}

int rlog_extension_send(struct rlog *rlog, uint32_t node_id, uint8_t type,
                        const struct slice *parts, size_t part_count)
{
    ASSERT(type >= FRAME_COPY_FIRST);
    ASSERT(type <= FRAME_COPY_LAST);
    return link_send(rlog->links, node_id, LINK_BULK, type, parts, part_count);
}

static void tell_extension(struct rlog *rlog, uint32_t node_id, bool up)
{
    if (rlog->config.extension != NULL) {
        rlog->config.extension->on_link(rlog->config.extension->ctx, node_id, up);
    }
}

/* The members that are committed, to a node that may lack the entry that says so. */
static void tell_members(struct rlog *rlog, uint32_t node_id)
{
    const struct raft_configuration *members = &rlog->raft.configuration;
    struct told told = {.index = rlog->raft.configuration_index};

    if (rlog->raft.configuration_uncommitted_index != 0 || told.index == 0 ||
        members->n > RLOG_MEMBERS_MAX || link_version(rlog->links, node_id) < MEMBERS_LINK) {
        return;
    }
    for (unsigned i = 0; i < members->n; i++) {
        struct rlog_member *member = &told.members[told.count++];

        member->raft_id = members->servers[i].id;
        (void)snprintf(member->address, sizeof(member->address), "%s", members->servers[i].address);
    }
    buf_clear(&rlog->scratch);
    told_encode(&told, &rlog->scratch);
    (void)rlog_send(rlog, node_id, LINK_URGENT, FRAME_MEMBERS, buf_slice(&rlog->scratch));
}

static int on_members(struct rlog *rlog, struct slice bytes)
{
    struct told told;
    int rc = told_decode(bytes, &told);

    /* Against what is committed: an entry of our own that is not may never be, and lie behind. */
    if (rc == 0 && told.index > rlog->told.index && told.index > rlog->raft.configuration_index) {
        rlog->told = told;
        rlog->members_known = false; /* the links follow within this turn */
        rlog_follow_members(rlog);
    }
    return rc;
}

static void on_up(void *ctx, uint32_t node_id)
{
    struct rlog *rlog = ctx;

    tell_members(rlog, node_id);
    log_info("raft.link_up", LOG_UINT("node", node_id));
    rlog->reported_ms = 0; /* it is to know us soon */
    if (node_id == rlog->role.leader_node) {
        origin_rewind(&rlog->origin); /* what was under way on the old link may be lost */
    }
    tell_extension(rlog, node_id, true);
}

static void on_down(void *ctx, uint32_t node_id)
{
    struct rlog *rlog = ctx;

    log_info("raft.link_down", LOG_UINT("node", node_id));
    shim_peer_lost(rlog->shim, rlog_raft_id_of(rlog, node_id));
    rlog_forget_report(rlog, node_id);
    tell_extension(rlog, node_id, false);
}

/* An earlier membership of a node, which came back after the node was replaced and this one was
 * started again, is as good as retired (DESIGN 4). A later one may lead us already. */
static bool is_replaced(const struct rlog *rlog, uint32_t node_id, raft_id raft_id)
{
    return raft_id < rlog_raft_id_of(rlog, node_id);
}

/* A voter whose log is empty has lost it, and its votes with it: it may not give them again (DESIGN
 * 4). The members are in the log, so whoever could count its votes knows that it is a voter; the
 * state knows of one that is none any more, and might be one again. A member that is new is a
 * spare, or a standby, until it has caught up. */
static bool has_lost_votes(const struct rlog *rlog, uint32_t node_id, raft_id raft_id)
{
    int i = shim_member_index(&rlog->raft, raft_id);

    return (i >= 0 && rlog->raft.configuration.servers[i].role == RAFT_VOTER) ||
           voters_have(&rlog->voters, node_id, raft_id);
}

const char *rlog_refuse(void *ctx, uint32_t node_id, uint64_t raft_id, bool log_is_empty)
{
    const struct rlog *rlog = ctx;

    if (shim_node_of(raft_id) != node_id) {
        return "raft id is another node's";
    }
    if (is_replaced(rlog, node_id, raft_id)) {
        return "raft id was replaced by a later one";
    }
    if (!log_is_empty || !has_lost_votes(rlog, node_id, raft_id)) {
        return NULL;
    }
    return "its log is lost: it must join again under a new raft id";
}

static struct peer *find_peer(struct rlog *rlog, uint32_t node_id)
{
    for (size_t i = 0; i < rlog->peer_count; i++) {
        if (rlog->peers[i].node_id == node_id) {
            return &rlog->peers[i];
        }
    }
    return NULL;
}

static void send_hash(struct rlog *rlog, const struct hash_report *report)
{
    rlog->hashes_told++;
    buf_clear(&rlog->scratch);
    hash_report_encode(report, &rlog->scratch);
    for (size_t i = 0; i < rlog->peer_count; i++) {
        (void)rlog_send(rlog, rlog->peers[i].node_id, LINK_BULK, FRAME_HASH,
                        buf_slice(&rlog->scratch));
    }
}

/* A node that catches up has many at once, and others take only so many: of those beyond, the
 * newest is told at the next beat. Theirs are not ours, so it is half as many. */
void rlog_tell_hash(struct rlog *rlog, const struct hash_report *report)
{
    if (rlog->hashes_told < HASHES_PER_BEAT_MAX / 2) {
        send_hash(rlog, report);
    } else {
        rlog->hash_held = *report;
    }
}

void rlog_peers_beat(struct rlog *rlog)
{
    rlog->hashes_told = 0;
    for (size_t i = 0; i < rlog->peer_count; i++) {
        rlog->peers[i].hash_count = 0;
    }
    if (rlog->hash_held.mark_index != 0) {
        send_hash(rlog, &rlog->hash_held);
        rlog->hash_held.mark_index = 0;
    }
}

/* What comes faster is no report of marks, and would pile up before the state thread. */
static int on_hash(struct rlog *rlog, uint32_t node_id, struct slice bytes)
{
    struct peer *peer = find_peer(rlog, node_id);
    struct hash_report report;
    int rc = hash_report_decode(bytes, &report);

    if (rc != 0 || peer == NULL) {
        return rc;
    }
    if (peer->hash_count == HASHES_PER_BEAT_MAX) {
        return ERR_LIMIT;
    }
    peer->hash_count++;
    rlog->events.on_hash(rlog->events.ctx, node_id, report.mark_index, report.hash);
    return 0;
}

static int on_extension_frame(struct rlog *rlog, uint32_t node_id, uint8_t type, struct slice bytes)
{
    if (type < FRAME_COPY_FIRST || type > FRAME_COPY_LAST) {
        return ERR_VERSION;
    }
    if (rlog->config.extension != NULL) {
        rlog->config.extension->on_frame(rlog->config.extension->ctx, node_id, type, bytes);
    }
    return 0;
}

int rlog_on_frame(struct rlog *rlog, uint32_t node_id, uint8_t type, struct slice bytes)
{
    switch (type) {
    case FRAME_RAFT:
        return shim_receive(rlog->shim, node_id, bytes);
    case FRAME_LEASE_PROBE:
    case FRAME_LEASE_ASK:
    case FRAME_LEASE_GRANT:
        return rlog_on_lease_frame(rlog, node_id, (enum frame_type)type, bytes);
    case FRAME_FORWARD:
        return rlog_on_forward(rlog, node_id, bytes);
    case FRAME_HASH:
        return on_hash(rlog, node_id, bytes);
    case FRAME_REPORT:
        return rlog_on_report(rlog, node_id, bytes);
    case FRAME_MEMBERS:
        return on_members(rlog, bytes);
    case FRAME_MEMBER_ASK:
    case FRAME_MEMBER_ANSWER:
        return member_on_frame(rlog->members, node_id, type == FRAME_MEMBER_ASK, bytes);
    default:
        return on_extension_frame(rlog, node_id, type, bytes);
    }
}

static void on_frame(void *ctx, uint32_t node_id, uint8_t type, struct slice bytes)
{
    struct rlog *rlog = ctx;
    int rc;

    if (rlog->life == LIFE_CLOSES) {
        return;
    }
    rc = rlog_on_frame(rlog, node_id, type, bytes);
    if (rc != 0) {
        log_warn("raft.bad_frame", LOG_UINT("node", node_id), LOG_UINT("type", type),
                 LOG_STR("cause", err_text(rc)));
    }
}

void rlog_tell_log(struct rlog *rlog)
{
    link_set_log_is_empty(rlog->links, raft_last_index(&rlog->raft) == 0);
    link_set_written(rlog->links, (uint16_t)atomic_load(&rlog->written_version));
}

int rlog_open_links(struct rlog *rlog)
{
    const struct link_config config = {
        .loop = &rlog->loop,
        .node_id = rlog->config.node_id,
        .raft_id = rlog->config.raft_id,
        .bind = rlog->config.bind,
        .files = {rlog->config.ca_file, rlog->config.cert_file, rlog->config.key_file},
        .newest = (uint16_t)rlog->config.newest_version,
        .silence_ms = rlog->config.heartbeat_ms * SILENCE_HEARTBEATS,
        .queue_bytes_urgent = QUEUE_BYTES_URGENT,
        .queue_bytes_bulk = QUEUE_BYTES_BULK,
    };
    const struct link_events events = {.ctx = rlog,
                                       .on_up = on_up,
                                       .on_down = on_down,
                                       .refuse = rlog_refuse,
                                       .on_frame = on_frame};
    int rc = link_set_open(&config, &events, &rlog->links);

    if (rc == 0) {
        rlog_tell_log(rlog);
    }
    return rc;
}

static struct peer *find_or_add_peer(struct rlog *rlog, uint32_t node_id)
{
    struct peer *peer = find_peer(rlog, node_id);

    if (peer != NULL) {
        return peer;
    }
    if (rlog->peer_count == ARRAY_COUNT(rlog->peers)) {
        log_error("raft.too_many_peers", LOG_UINT("node", node_id));
        return NULL;
    }
    peer = &rlog->peers[rlog->peer_count++];
    *peer = (struct peer){.node_id = node_id};
    return peer;
}

/* Of a membership that ends. One that was never committed may be tried again under the same id. */
static void retire(const struct rlog *rlog, const struct peer *peer)
{
    if (peer->was_member) {
        link_retire(rlog->links, peer->raft_id);
    }
}

static struct peer *want_peer(struct rlog *rlog, uint32_t node_id, const char *address)
{
    struct peer *peer;

    if (node_id == rlog->config.node_id || strlen(address) > RLOG_ADDRESS_MAX) {
        return NULL;
    }
    peer = find_or_add_peer(rlog, node_id);
    if (peer == NULL) {
        return NULL;
    }
    peer->wanted = true;
    if (strcmp(peer->address, address) != 0) {
        (void)snprintf(peer->address, sizeof(peer->address), "%s", address);
        link_set_peer(rlog->links, node_id, address);
    }
    return peer;
}

/* By our own log alone: what others told of ends no membership. id 0: it has none. */
static void note_membership(const struct rlog *rlog, struct peer *peer, raft_id id)
{
    if (peer->raft_id != id) {
        if (id == 0 || id > peer->raft_id) { /* a later one that goes was not committed */
            retire(rlog, peer);
        }
        peer->was_member = false;
    }
    peer->raft_id = id;
    peer->was_member = peer->was_member || (id != 0 && rlog->members_committed);
}

static void drop_unwanted_peers(struct rlog *rlog)
{
    for (size_t i = 0; i < rlog->peer_count;) {
        struct peer *peer = &rlog->peers[i];

        if (peer->wanted) {
            i++;
            continue;
        }
        log_info("raft.member_gone", LOG_UINT("node", peer->node_id));
        retire(rlog, peer);
        link_drop_peer(rlog->links, peer->node_id);
        *peer = rlog->peers[--rlog->peer_count];
    }
}

/* The membership of a node that others told of, and the log here does not say yet. NULL: none. */
static const struct rlog_member *find_told(const struct rlog *rlog, uint32_t node_id)
{
    for (size_t i = 0; i < rlog->told.count; i++) {
        if (rlog->told.members[i].node_id == node_id) {
            return &rlog->told.members[i];
        }
    }
    return NULL;
}

/* A log that is being caught up with names memberships that ended long ago: where those lived leads
 * to nobody any more. */
static bool is_outdated(const struct rlog *rlog, raft_id id)
{
    const struct rlog_member *told = find_told(rlog, shim_node_of(id));

    return told != NULL && id < told->raft_id;
}

static void want_members(struct rlog *rlog)
{
    const struct raft_configuration *members = &rlog->raft.configuration;
    int own = shim_member_index(&rlog->raft, rlog->raft.id);
    bool own_voter = own >= 0 && members->servers[own].role == RAFT_VOTER;

    lease_clear_members(&rlog->leases, own_voter);
    for (unsigned i = 0; i < members->n; i++) {
        const struct raft_server *server = &members->servers[i];
        struct peer *peer = is_outdated(rlog, server->id)
                                ? find_peer(rlog, shim_node_of(server->id))
                                : want_peer(rlog, shim_node_of(server->id), server->address);

        if (peer != NULL) {
            note_membership(rlog, peer, server->id);
        }
        if (server->id != rlog->raft.id && server->role != RAFT_SPARE) {
            lease_add_member(&rlog->leases, shim_node_of(server->id), server->role == RAFT_VOTER,
                             clock_boot_ms());
        }
    }
}

static void want_told_members(struct rlog *rlog)
{
    for (size_t i = 0; i < rlog->told.count; i++) {
        const struct rlog_member *member = &rlog->told.members[i];

        if (member->raft_id > rlog_raft_id_of(rlog, member->node_id)) {
            (void)want_peer(rlog, member->node_id, member->address);
        }
    }
}

/* A node that is not in the log (yet) keeps to the peers that its identity names. */
static void want_configured_peers(struct rlog *rlog)
{
    if (shim_member_index(&rlog->raft, rlog->raft.id) >= 0) {
        return;
    }
    for (size_t i = 0; i < rlog->config.peer_count; i++) {
        const struct rlog_member *member = &rlog->config.peers[i];
        struct peer *peer = NULL;

        if (rlog_raft_id_of(rlog, member->node_id) == 0 &&
            find_told(rlog, member->node_id) == NULL) {
            peer = want_peer(rlog, member->node_id, member->address);
        }
        if (peer != NULL) {
            note_membership(rlog, peer, 0);
        }
    }
}

void rlog_follow_members(struct rlog *rlog)
{
    const struct raft *raft = &rlog->raft;
    bool committed = raft->configuration_uncommitted_index == 0;
    raft_index index =
        committed ? raft->configuration_index : raft->configuration_uncommitted_index;

    if (rlog->members_known && index == rlog->members_index &&
        committed == rlog->members_committed) {
        return;
    }
    rlog->members_known = true;
    rlog->members_index = index;
    rlog->members_committed = committed;
    rlog->status_ms = 0; /* shown at once: a node that serves knows who its cluster is */
    if (rlog->told.index <= raft->configuration_index) {
        rlog->told = (struct told){0};
    }
    for (size_t i = 0; i < rlog->peer_count; i++) {
        rlog->peers[i].wanted = !committed; /* a removal counts when it is committed */
    }
    want_members(rlog);
    want_told_members(rlog);
    want_configured_peers(rlog);
    drop_unwanted_peers(rlog);
    rlog_lease_members(rlog);
    for (size_t i = 0; i < rlog->peer_count; i++) {
        tell_members(rlog, rlog->peers[i].node_id);
    }
}
