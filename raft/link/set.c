/* The peers of this node: dialled again while they are away, told from strangers when they dial. */
#include "node/base/clock.h"
#include "node/base/log.h"
#include "node/base/mem.h"
#include "raft/link/internal.h"

/* Ticks from the last sign of life to silence, while all links are up. */
#define CALM_TICKS_IN_SILENCE 6

static void on_timer(uv_timer_t *timer);

/* ---------------------------------------------------------------- peers */

struct link_peer *link_set_find(const struct link_set *set, uint32_t node_id)
{
    for (struct link_peer *peer = set->peers; peer != NULL; peer = peer->next) {
        if (peer->node_id == node_id && !peer->dropped) {
            return peer;
        }
    }
    return NULL;
}

bool link_set_is_retired(const struct link_set *set, uint64_t raft_id)
{
    for (size_t i = 0; i < set->retired_count; i++) {
        if (set->retired[i] == raft_id) {
            return true;
        }
    }
    return false;
}

/* The connection to a peer if it may be used: up, and not about to be closed. */
static struct link_conn *find_up(const struct link_set *set, uint32_t node_id)
{
    const struct link_peer *peer = link_set_find(set, node_id);

    return peer != NULL && peer->conn != NULL && peer->conn->state == CONN_UP &&
                   peer->conn->condemned == NULL
               ? peer->conn
               : NULL;
}

static void condemn(struct link_set *set, struct link_conn *conn, const char *reason)
{
    conn->condemned = reason;
    link_set_wake(set);
}

void link_set_peer(struct link_set *set, uint32_t node_id, const char *address)
{
    struct link_peer *peer = link_set_find(set, node_id);
    struct address parsed = {.port = 0};
    bool valid = address_parse(address, &parsed) == 0;

    if (!valid) {
        log_error("link.address_malformed", LOG_UINT("node", node_id), LOG_STR("address", address));
    }
    if (peer == NULL) {
        peer = mem_zalloc(sizeof(*peer));
        peer->node_id = node_id;
        peer->next = set->peers;
        set->peers = peer;
    } else if (peer->address.port == parsed.port && strcmp(peer->address.host, parsed.host) == 0) {
        return;
    }
    peer->address = parsed;
    peer->address_valid = valid;
    peer->resolved.count = 0;
    peer->resolved_ms = 0;
    peer->retry_ms = 0;
    if (peer->conn != NULL && peer->conn->state < CONN_UP) {
        peer->conn->condemned = "the address is an old one";
    }
    link_set_wake(set);
}

void link_drop_peer(struct link_set *set, uint32_t node_id)
{
    struct link_peer *peer = link_set_find(set, node_id);

    if (peer != NULL) {
        peer->dropped = true;
        link_set_wake(set);
    }
}

void link_set_log_is_empty(struct link_set *set, bool is_empty)
{
    set->log_is_empty = is_empty;
}

void link_set_written(struct link_set *set, uint16_t version)
{
    set->written = version;
}

void link_ask_again(struct link_set *set, uint32_t node_id)
{
    const struct link_events *events = &set->events;

    for (struct link_conn *conn = set->conns; conn != NULL; conn = conn->next) {
        const char *reason = NULL;

        if (conn->state >= CONN_READY && conn->state != CONN_CLOSED && conn->log_was_empty &&
            conn->peer->node_id == node_id && events->refuse != NULL) {
            reason = events->refuse(events->ctx, node_id, conn->raft_id, true);
        }
        if (reason != NULL) {
            condemn(set, conn, reason);
        }
    }
}

void link_retire(struct link_set *set, uint64_t raft_id)
{
    if (link_set_is_retired(set, raft_id)) {
        return;
    }
    set->retired = mem_realloc(set->retired, (set->retired_count + 1) * sizeof(*set->retired));
    set->retired[set->retired_count++] = raft_id;
    for (struct link_conn *conn = set->conns; conn != NULL; conn = conn->next) {
        if (conn->state >= CONN_READY && conn->raft_id == raft_id) {
            condemn(set, conn, "raft id was removed from the cluster");
        }
    }
}

bool link_is_up(const struct link_set *set, uint32_t node_id)
{
    return find_up(set, node_id) != NULL;
}

int link_send(struct link_set *set, uint32_t node_id, enum link_class class, uint8_t type,
              const struct slice *parts, size_t part_count)
{
    struct link_conn *conn = find_up(set, node_id);
    int rc;

    if (conn == NULL || set->closing) {
        return ERR_CLOSED;
    }
    rc = link_conn_queue(conn, class, type, parts, part_count);
    if (rc == 0) {
        link_set_wake(set);
    }
    return rc;
}

uint64_t link_raft_id(const struct link_set *set, uint32_t node_id)
{
    const struct link_conn *conn = find_up(set, node_id);

    return conn == NULL ? 0 : conn->raft_id;
}

uint16_t link_version(const struct link_set *set, uint32_t node_id)
{
    const struct link_conn *conn = find_up(set, node_id);

    return conn == NULL ? 0 : conn->version;
}

size_t link_queued_bytes(const struct link_set *set, uint32_t node_id)
{
    const struct link_conn *conn = find_up(set, node_id);

    return conn == NULL ? 0 : link_conn_queued_bytes(conn);
}

uint32_t link_rtt_us(const struct link_set *set, uint32_t node_id)
{
    const struct link_conn *conn = find_up(set, node_id);

    return conn == NULL ? 0 : conn->rtt_us;
}

/* ---------------------------------------------------------------- dialling */

static void on_resolved(void *ctx, const struct resolve_result *result)
{
    struct link_set *set = ctx;
    struct link_peer *peer = link_set_find(set, result->node_id);

    if (set->closing || peer == NULL) {
        return;
    }
    peer->resolving = false;
    if (peer->address.port != result->address.port ||
        strcmp(peer->address.host, result->address.host) != 0) {
        return; /* it moved meanwhile: the next dial asks again */
    }
    peer->resolved = *result;
    peer->resolved_next = 0;
    peer->resolved_ms = clock_mono_ms();
    peer->retry_ms = result->count > 0 ? 0 : peer->resolved_ms + LINK_RESOLVE_MS;
    if (result->count == 0 && link_complains(peer, CONN_CONNECT)) {
        log_warn("link.name_unknown", LOG_UINT("node", peer->node_id),
                 LOG_STR("host", peer->address.host));
    }
    link_set_wake(set);
}

/* The next address of a peer's name, in turn; false: it is being asked for. */
static bool next_address(struct link_set *set, struct link_peer *peer, uint64_t now_ms,
                         struct sockaddr_storage *out)
{
    if (peer->resolved_next >= peer->resolved.count &&
        now_ms - peer->resolved_ms < LINK_RESOLVE_MS) {
        peer->resolved_next = 0;
    }
    if (peer->resolved_next >= peer->resolved.count) {
        if (!peer->resolving) {
            peer->resolving = true;
            resolver_ask(set->resolver, peer->node_id, &peer->address);
        }
        return false;
    }
    *out = peer->resolved.addresses[peer->resolved_next++];
    return true;
}

/* Whom we do not dial is known by its address when it dials us. */
static void look_up_dialler(struct link_set *set, struct link_peer *peer, uint64_t now_ms)
{
    struct sockaddr_storage numeric;

    if (peer->node_id > set->node_id && peer->conn == NULL && peer->address_valid &&
        !peer->resolving && now_ms - peer->resolved_ms >= LINK_LOOK_UP_MS &&
        !address_numeric(&peer->address, &numeric)) {
        peer->resolving = true;
        resolver_ask(set->resolver, peer->node_id, &peer->address);
    }
}

static void dial(struct link_set *set, struct link_peer *peer, uint64_t now_ms)
{
    struct sockaddr_storage address;

    if (peer->node_id >= set->node_id || peer->conn != NULL || !peer->address_valid ||
        now_ms < peer->retry_ms) {
        return;
    }
    if (address_numeric(&peer->address, &address) || next_address(set, peer, now_ms, &address)) {
        link_conn_dial(set, peer, &address);
    }
}

/* ---------------------------------------------------------------- turns of the loop */

/* Close what still points to a dropped peer, then free it. */
static void bury(struct link_set *set, struct link_peer *peer)
{
    struct link_peer **at = &set->peers;

    for (struct link_conn *conn = set->conns; conn != NULL; conn = conn->next) {
        if (conn->peer == peer) {
            link_conn_fail(conn, "peer was dropped");
            conn->peer = NULL;
        }
    }
    while (*at != peer) {
        at = &(*at)->next;
    }
    *at = peer->next;
    mem_free(&peer);
}

/* Callbacks of the owner may add and drop peers, which only changes heads of lists and flags; here
 * alone things are unlinked, and connections only by the loop. */
static void step(struct link_set *set)
{
    uint64_t now_ms = clock_mono_ms();
    struct link_peer *next;

    for (struct link_conn *conn = set->conns; conn != NULL; conn = conn->next) {
        if (conn->condemned != NULL) {
            link_conn_fail(conn, conn->condemned);
        }
    }
    for (struct link_peer *peer = set->peers; peer != NULL; peer = next) {
        next = peer->next;
        if (peer->dropped) {
            bury(set, peer);
        } else {
            dial(set, peer, now_ms);
        }
    }
    for (struct link_conn *conn = set->conns; conn != NULL; conn = conn->next) {
        link_conn_flush(conn);
    }
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* only there so that the loop does not sleep: see struct link_set */
}

void link_set_wake(struct link_set *set)
{
    if (!set->closing) {
        (void)uv_idle_start(&set->idle, on_idle);
    }
}

void link_set_flush(struct link_set *set)
{
    if (uv_is_active((uv_handle_t *)&set->idle)) {
        (void)uv_idle_stop(&set->idle);
        step(set);
    }
}

/* Is there a link to bring up, or a stranger to watch? */
static bool is_busy(const struct link_set *set)
{
    for (const struct link_peer *peer = set->peers; peer != NULL; peer = peer->next) {
        if (peer->conn == NULL && peer->node_id < set->node_id) {
            return true;
        }
    }
    for (const struct link_conn *conn = set->conns; conn != NULL; conn = conn->next) {
        if (conn->state < CONN_UP) {
            return true;
        }
    }
    return set->admitted[GUEST_STRANGER] + set->admitted[GUEST_NEIGHBOUR] > 0;
}

/* Each tick wakes the thread, which costs more than all else that an idle node does: while all
 * links are up it ticks as often only as silence has to be noticed. */
static void set_pace(struct link_set *set, bool busy)
{
    uint64_t calm_ms = set->silence_ms / CALM_TICKS_IN_SILENCE;
    uint64_t interval_ms = busy && calm_ms > LINK_RETRY_MS ? LINK_RETRY_MS : calm_ms;

    interval_ms = interval_ms == 0 ? 1 : interval_ms;
    if (interval_ms != uv_timer_get_repeat(&set->timer)) {
        (void)uv_timer_start(&set->timer, on_timer, interval_ms, interval_ms);
    }
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct link_set *set = CONTAINER_OF(prepare, struct link_set, prepare);

    link_listener_turn(set);
    link_set_flush(set);
    if (is_busy(set)) {
        set_pace(set, true);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct link_set *set = CONTAINER_OF(timer, struct link_set, timer);
    uint64_t now_ms = clock_mono_ms();
    bool stalled = now_ms - set->ticked_ms > set->silence_ms / 2;

    set->ticked_ms = now_ms;
    memset(set->admitted, 0, sizeof(set->admitted));
    for (struct link_conn *conn = set->conns; conn != NULL; conn = conn->next) {
        if (stalled) {
            conn->heard_ms =
                now_ms; /* it was us who did not listen; sockets are read after timers */
        }
        link_conn_tick(conn, now_ms);
    }
    for (struct link_peer *peer = set->peers; peer != NULL; peer = peer->next) {
        if (peer->conn == NULL && peer->node_id < set->node_id) {
            link_set_wake(set);
        }
        look_up_dialler(set, peer, now_ms);
    }
    link_listener_aim(set);
    set_pace(set, is_busy(set)); /* here alone it slows down, so that it ticks at all */
}

/* ---------------------------------------------------------------- open and close */

static void open_handles(struct link_set *set)
{
    for (enum link_guest door = 0; door < GUEST_KINDS; door++) {
        int rc = uv_tcp_init(set->loop, &set->listener.doors[door]);

        ASSERT(rc == 0);
        set->listener.doors[door].data = set;
    }
    (void)uv_timer_init(set->loop, &set->timer);
    (void)uv_prepare_init(set->loop, &set->prepare);
    (void)uv_idle_init(set->loop, &set->idle);
    set->resolver = resolver_new(set->loop, on_resolved, set);
    set->handles = 6;
    (void)uv_timer_start(&set->timer, on_timer, LINK_RETRY_MS, LINK_RETRY_MS);
    (void)uv_prepare_start(&set->prepare, on_prepare);
}

static void ignore_closed(void *ctx)
{
    (void)ctx;
}

int link_set_open(const struct link_config *config, const struct link_events *events,
                  struct link_set **out)
{
    struct link_set *set = mem_zalloc(sizeof(*set));
    char fault[LINK_FAULT_BYTES_MAX];
    int rc;

    ASSERT(config->node_id != 0);
    ASSERT(config->silence_ms > 0);
    set->loop = config->loop;
    set->node_id = config->node_id;
    set->raft_id = config->raft_id;
    set->newest = config->newest;
    set->silence_ms = config->silence_ms;
    set->queue_bytes_max[LINK_URGENT] = config->queue_bytes_urgent;
    set->queue_bytes_max[LINK_BULK] = config->queue_bytes_bulk;
    set->events = *events;
    set->ticked_ms = clock_mono_ms();
    rc = link_certificates_load(&config->files, fault, &set->certificates);
    if (rc != 0) {
        log_error("link.certificate_unusable", LOG_STR("cause", fault));
        mem_free(&set);
        return rc;
    }
    open_handles(set);
    rc = link_listener_open(set, config->bind);
    if (rc != 0) {
        link_set_close(set, ignore_closed, NULL); /* freed when the loop turns next */
        return rc;
    }
    *out = set;
    return 0;
}

void link_set_certificates_take(struct link_set *set, struct link_certificates *certificates)
{
    link_certificates_free(&set->certificates); /* each link has a reference of its own */
    set->certificates = certificates;
}

uint16_t link_port(const struct link_set *set)
{
    struct sockaddr_storage address;
    int len = sizeof(address);

    if (uv_tcp_getsockname(&set->listener.doors[GUEST_STRANGER], (struct sockaddr *)&address,
                           &len) != 0) {
        return 0;
    }
    return address_port(&address);
}

void link_set_handle_closed(struct link_set *set)
{
    void (*on_closed)(void *ctx) = set->on_closed;
    void *ctx = set->closed_ctx;

    if (--set->handles > 0) {
        return;
    }
    ASSERT(set->closing);
    while (set->peers != NULL) {
        struct link_peer *peer = set->peers;

        set->peers = peer->next;
        mem_free(&peer);
    }
    link_certificates_free(&set->certificates);
    buf_deinit(&set->plain);
    mem_free(&set->retired);
    mem_free(&set);
    on_closed(ctx);
}

static void on_resolver_closed(void *ctx)
{
    link_set_handle_closed(ctx);
}

/* Handles of the set itself point back to it. */
static void on_handle_closed(uv_handle_t *handle)
{
    link_set_handle_closed(handle->data);
}

void link_set_close(struct link_set *set, void (*closed)(void *ctx), void *ctx)
{
    uv_handle_t *handles[] = {(uv_handle_t *)&set->listener.doors[GUEST_STRANGER],
                              (uv_handle_t *)&set->listener.doors[GUEST_NEIGHBOUR],
                              (uv_handle_t *)&set->timer, (uv_handle_t *)&set->prepare,
                              (uv_handle_t *)&set->idle};

    ASSERT(!set->closing);
    set->on_closed = closed;
    set->closed_ctx = ctx;
    for (struct link_conn *conn = set->conns; conn != NULL; conn = conn->next) {
        link_conn_close(conn);
    }
    set->closing = true;
    for (size_t i = 0; i < ARRAY_COUNT(handles); i++) {
        handles[i]->data = set;
        uv_close(handles[i], on_handle_closed);
    }
    resolver_close(set->resolver, on_resolver_closed, set);
}
