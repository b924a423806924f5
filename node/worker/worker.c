#include "node/worker/worker.h"

#include "node/base/clock.h"
#include "node/base/log.h"
#include "node/base/mem.h"
#include "node/worker/conn.h"
#include "node/worker/login_work.h"

#define TICK_MS     100
#define TICK_PHASES 10 /* each connection is looked at once in so many ticks: every second */
/* Without connections; the core takes who does not turn for seconds for hung. */
#define TICK_IDLE_MS 1000
#define SLOTS_MIN    64
#define BUSY_TEXT                                                                                  \
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "                                   \
    "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'><stream:error>"                 \
    "<resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"            \
    "</stream:stream>"

/* ---- connections */

void worker_touch(struct worker *worker, struct conn *conn)
{
    if (!conn->is_dirty) {
        conn->is_dirty = true;
        conn->next_dirty = worker->dirty;
        worker->dirty = conn;
    }
}

void worker_throttle(struct worker *worker, struct conn *conn)
{
    if (!conn->is_throttled) {
        conn->is_throttled = true;
        conn->next_throttled = worker->throttled;
        worker->throttled = conn;
    }
}

/* The tokens of some are back: all of them look. */
static void release_throttled(struct worker *worker)
{
    while (worker->throttled != NULL) {
        struct conn *conn = worker->throttled;

        worker->throttled = conn->next_throttled;
        conn->is_throttled = false;
        worker_touch(worker, conn);
    }
}

void worker_submit(struct worker *worker, struct slice command)
{
    backlog_submit(&worker->backlog, core_log(worker->core), command);
}

void worker_replace(struct worker *worker, struct slice command, struct slice substitute)
{
    backlog_replace(&worker->backlog, core_log(worker->core), command, substitute);
}

void worker_release(struct worker *worker, struct conn *conn)
{
    struct slot *slot = &worker->slots[conn->slot];

    addresses_remove(worker->addresses, &conn->address);
    slot->conn = NULL;
    slot->generation++;
    slot->next_free = worker->first_free;
    worker->first_free = conn->slot;
    worker->conn_count--;
}

static uint32_t take_slot(struct worker *worker)
{
    uint32_t index = worker->first_free;

    if (index == SLOT_NONE) {
        uint32_t count = worker->slot_count == 0 ? SLOTS_MIN : worker->slot_count * 2;

        worker->slots = mem_realloc(worker->slots, count * sizeof(*worker->slots));
        for (uint32_t i = worker->slot_count; i < count; i++) {
            worker->slots[i] =
                (struct slot){.generation = 1, .next_free = i + 1 < count ? i + 1 : SLOT_NONE};
        }
        index = worker->slot_count;
        worker->slot_count = count;
    }
    worker->first_free = worker->slots[index].next_free;
    return index;
}

struct conn *worker_find(struct worker *worker, uint32_t slot, uint32_t generation)
{
    if (slot >= worker->slot_count || worker->slots[slot].generation != generation) {
        return NULL;
    }
    return worker->slots[slot].conn;
}

static void each_conn(struct worker *worker, void (*visit)(struct conn *conn))
{
    for (uint32_t i = 0; i < worker->slot_count; i++) {
        if (worker->slots[i].conn != NULL) {
            visit(worker->slots[i].conn);
        }
    }
}

uint32_t worker_written_version(void *ctx)
{
    const struct worker *worker = ctx;

    return rlog_written_version(core_log(worker->core));
}

const struct blob *worker_about(void *ctx)
{
    const struct worker *worker = ctx;

    return worker->about;
}

bool worker_serves_domain(void *ctx, const char *domain)
{
    struct worker *worker = ctx;
    struct slice names;

    if (worker->domains == NULL) {
        return false;
    }
    names = blob_slice(worker->domains);
    while (names.len > 0) {
        const char *name = (const char *)names.data;

        if (strcmp(name, domain) == 0) {
            return true;
        }
        names = slice_sub(names, strlen(name) + 1, names.len);
    }
    return false;
}

/* ---- accepting */

static void refuse(struct conn *conn, bool direct_tls)
{
    if (!direct_tls) {
        uv_buf_t text = uv_buf_init((char *)(uintptr_t)BUSY_TEXT, sizeof(BUSY_TEXT) - 1);

        (void)uv_try_write((uv_stream_t *)&conn->tcp, &text, 1);
    }
    conn_cut(conn, true);
}

static void on_connection(struct door *door)
{
    struct worker *worker = door->ctx;
    const struct worker_settings *settings = &worker->settings;
    uint32_t index = take_slot(worker);
    struct slot *slot = &worker->slots[index];
    struct conn *conn = conn_accept(worker, index, slot->generation, door);
    struct address_counts counts;

    if (conn == NULL) {
        slot->next_free = worker->first_free;
        worker->first_free = index;
        return;
    }
    slot->conn = conn;
    worker->conn_count++;
    counts = addresses_add(worker->addresses, &conn->address);
    if (counts.of_address > settings->connections_per_address_max ||
        counts.of_node > settings->connections_max) {
        log_debug("worker.connection_refused", LOG_UINT("of_address", counts.of_address),
                  LOG_UINT("of_node", counts.of_node));
        refuse(conn, door->direct_tls);
    }
}

/* The node serves only when clients can reach every worker of it. */
static void tell_doors(struct worker *worker, bool are_open)
{
    if (worker->doors_told != are_open) {
        worker->doors_told = are_open;
        core_note_doors(worker->core, are_open);
    }
}

static void open_doors(struct worker *worker)
{
    bool all_open = true;

    for (size_t i = 0; i < ARRAY_COUNT(worker->doors); i++) {
        const char *address = worker->door_addresses[i];

        if (address != NULL && door_open(&worker->doors[i], &worker->loop, address) != 0) {
            all_open = false; /* logged, and tried again at the next tick */
        }
    }
    tell_doors(worker, all_open);
}

static void close_doors(struct worker *worker)
{
    door_close(&worker->doors[0]);
    door_close(&worker->doors[1]);
    tell_doors(worker, false);
}

/* ---- mail */

static void cut_with_session(struct conn *conn)
{
    conn_cut(conn, true);
}

static void cut_alone(struct conn *conn)
{
    conn_cut(conn, false);
}

static void cease(struct worker *worker, bool ended)
{
    worker->incarnation = 0;
    close_doors(worker);
    if (ended) {
        backlog_clear(&worker->backlog); /* commands of an incarnation that is over */
    }
    each_conn(worker, ended ? cut_with_session : cut_alone);
}

static void begin_stop(struct worker *worker)
{
    worker->is_stopping = true;
    worker->stop_by_ms = clock_mono_ms() + worker->stop_ms;
    close_doors(worker);
    each_conn(worker, conn_shutdown);
}

static void keep(struct blob **kept, struct blob *fresh)
{
    blob_unref(kept);
    *kept = blob_ref(fresh);
}

static void handle(struct worker *worker, struct port_message *message, uint64_t now_ms)
{
    struct delivery *delivery = &message->delivery;
    struct conn *conn;

    switch (message->kind) {
    case PORT_SERVE:
        worker->incarnation = message->incarnation;
        if (!worker->is_stopping) {
            open_doors(worker);
        }
        break;
    case PORT_CEASE:
        cease(worker, message->ended);
        break;
    case PORT_DOMAINS:
        keep(&worker->domains, message->bytes);
        break;
    case PORT_ABOUT:
        keep(&worker->about, message->bytes);
        break;
    case PORT_DECOY:
        memcpy(worker->decoy_secret, blob_slice(message->bytes).data, sizeof(worker->decoy_secret));
        break;
    case PORT_SETTINGS:
        memcpy(&worker->settings, blob_slice(message->bytes).data, sizeof(worker->settings));
        break;
    case PORT_OUTCOME:
        conn = worker_find(worker, message->ref.slot, message->ref.generation);
        if (conn != NULL) {
            conn_on_outcome(conn, message->ref.cookie, &message->outcome, now_ms);
        }
        break;
    case PORT_DELIVERY:
        conn = worker_find(worker, delivery->owner.slot, delivery->owner.generation);
        if (conn != NULL && delivery->owner.incarnation == worker->incarnation) {
            conn_on_delivery_take(conn, delivery, now_ms);
        }
        break;
    case PORT_LEAVE:
        conn = worker_find(worker, message->ref.slot, message->ref.generation);
        if (conn != NULL) {
            conn_leave(conn, message->session, (const char *)blob_slice(message->bytes).data);
        }
        break;
    case PORT_CREDENTIALS:
        conn = worker_find(worker, message->ref.slot, message->ref.generation);
        if (conn != NULL) {
            conn_on_credentials(conn, message->bytes);
        }
        break;
    case PORT_STOP:
        begin_stop(worker);
        break;
    case PORT_JOB:
        ASSERT(false && "jobs go to the control socket");
        break;
    }
}

static void on_wake(void *ctx)
{
    struct worker *worker = ctx;
    struct mail *mail = mailbox_drain(&worker->inbox);
    uint64_t now_ms = clock_mono_ms();

    while (mail != NULL) {
        struct port_message *message = CONTAINER_OF(mail, struct port_message, mail);

        mail = mail->next;
        handle(worker, message, now_ms);
        port_free(&message);
    }
    login_work_collect(worker);
}

/* ---- turns */

static void close_loop(struct worker *worker)
{
    worker->is_closed = true;
    close_doors(worker);
    waker_close(&worker->wake);
    uv_close((uv_handle_t *)&worker->before_wait, NULL);
    uv_close((uv_handle_t *)&worker->after_wait, NULL);
    uv_close((uv_handle_t *)&worker->tick, NULL);
}

static void step_stop(struct worker *worker, uint64_t now_ms)
{
    if (worker->is_closed) {
        return;
    }
    if (worker->conn_count > 0 && now_ms >= worker->stop_by_ms) {
        log_warn("worker.stop_unfinished", LOG_UINT("connections", worker->conn_count));
        each_conn(worker, cut_with_session);
    } else if (worker->conn_count == 0 &&
               (backlog_is_empty(&worker->backlog) || now_ms >= worker->stop_by_ms)) {
        close_loop(worker);
    }
}

static void touch(struct conn *conn)
{
    worker_touch(conn->worker, conn);
}

/* May clients be read? When that changes, all connections look again. */
static void step_may_read(struct worker *worker)
{
    bool may_read = core_may_serve(worker->core) && backlog_is_empty(&worker->backlog);

    if (may_read != worker->may_read) {
        worker->may_read = may_read;
        each_conn(worker, touch);
    }
}

static void end_turn(struct worker *worker)
{
    uint64_t now_ms = clock_mono_ms();

    core_note_turn(worker->core, worker->index, now_ms);
    backlog_retry(&worker->backlog, core_log(worker->core));
    step_may_read(worker);
    while (worker->dirty != NULL) {
        struct conn *conn = worker->dirty;

        worker->dirty = conn->next_dirty;
        conn->is_dirty = false;
        conn_step(conn, now_ms);
    }
    if (worker->is_stopping) {
        step_stop(worker, now_ms);
    }
}

static void on_tick(uv_timer_t *tick);

/* Is there nothing to look at ten times a second? */
static bool is_idle(const struct worker *worker)
{
    return worker->conn_count == 0 && !worker->is_stopping && backlog_is_empty(&worker->backlog) &&
           (worker->incarnation == 0 || worker->doors_told);
}

static void set_pace(struct worker *worker, uint64_t interval_ms)
{
    if (interval_ms != uv_timer_get_repeat(&worker->tick)) {
        (void)uv_timer_start(&worker->tick, on_tick, interval_ms, interval_ms);
    }
}

static bool has_session(const struct conn *conn)
{
    return conn->socket != SOCKET_GONE && conn->stream != NULL && stream_session(conn->stream) != 0;
}

/* Sessions that have their connection here, once a second. */
static void tell_sessions(struct worker *worker)
{
    core_note_sessions(worker->core, worker->index, worker->session_count);
    worker->session_count = 0;
}

static void on_tick(uv_timer_t *tick)
{
    struct worker *worker = tick->data;
    uint64_t now_ms = clock_mono_ms();

    if (worker->incarnation != 0 && !worker->is_stopping) {
        open_doors(worker);
    }
    release_throttled(worker);
    worker->tick_phase = (worker->tick_phase + 1) % TICK_PHASES;
    for (uint32_t i = worker->tick_phase; i < worker->slot_count; i += TICK_PHASES) {
        if (worker->slots[i].conn != NULL) {
            worker->session_count += has_session(worker->slots[i].conn) ? 1 : 0;
            conn_on_tick(worker->slots[i].conn, now_ms);
        }
    }
    if (worker->tick_phase + 1 == TICK_PHASES || is_idle(worker)) {
        tell_sessions(worker);
    }
    if (is_idle(worker)) {
        set_pace(worker, TICK_IDLE_MS); /* here alone it slows down, so that it ticks at all */
    }
}

static void before_wait(uv_prepare_t *prepare)
{
    struct worker *worker = prepare->data;

    end_turn(worker);
    if (!worker->is_closed && !is_idle(worker)) {
        set_pace(worker, TICK_MS);
    }
}

static void after_wait(uv_check_t *check)
{
    end_turn(check->data);
}

static void *run(void *ctx)
{
    struct worker *worker = ctx;

    (void)pthread_setname_np(pthread_self(), "worker");
    (void)uv_run(&worker->loop, UV_RUN_DEFAULT);
    return NULL;
}

static void wake_loop(void *ctx)
{
    waker_wake(ctx);
}

/* ---- start and stop */

static void init_loop(struct worker *worker)
{
    (void)uv_loop_init(&worker->loop);
    waker_init(&worker->wake, &worker->loop, on_wake, worker);
    (void)uv_prepare_init(&worker->loop, &worker->before_wait);
    (void)uv_check_init(&worker->loop, &worker->after_wait);
    (void)uv_timer_init(&worker->loop, &worker->tick);
    worker->before_wait.data = worker;
    worker->after_wait.data = worker;
    worker->tick.data = worker;
    (void)uv_prepare_start(&worker->before_wait, before_wait);
    (void)uv_check_start(&worker->after_wait, after_wait);
    (void)uv_timer_start(&worker->tick, on_tick, TICK_MS, TICK_MS);
}

struct worker *worker_start(const struct worker_config *config)
{
    struct worker *worker = mem_zalloc(sizeof(*worker));
    int rc;

    worker->index = config->index;
    worker->core = config->core;
    worker->tls = config->tls;
    worker->door_addresses[0] = mem_strdup(config->address);
    if (config->tls_address != NULL) {
        worker->door_addresses[1] = mem_strdup(config->tls_address);
    }
    worker->default_domain = mem_strdup(config->default_domain);
    worker->stop_ms = config->stop_ms;
    worker->settings = config->settings;
    worker->first_free = SLOT_NONE;
    worker->addresses = config->addresses;
    worker->helpers = config->helpers;
    worker->failures = config->failures;
    for (size_t i = 0; i < ARRAY_COUNT(worker->doors); i++) {
        worker->doors[i].ctx = worker;
        worker->doors[i].on_connection = on_connection;
    }
    worker->doors[1].direct_tls = true;
    core_note_turn(worker->core, worker->index, clock_mono_ms());
    init_loop(worker);
    /* Stanzas in it are bounded by node/core/outbox.h; the rest is what its connections asked for:
     * a stream reads no more while AWAITED_MAX outcomes are outstanding, one look-up, one pull. */
    mailbox_init(&worker->inbox, wake_loop, &worker->wake);
    mailbox_init(&worker->derived, wake_loop, &worker->wake);
    rc = pthread_create(&worker->thread, NULL, run, worker);
    ASSERT(rc == 0);
    return worker;
}

struct mailbox *worker_mailbox(struct worker *worker)
{
    return &worker->inbox;
}

void worker_begin_stop(struct worker *worker)
{
    mailbox_push_take(&worker->inbox, &port_new(PORT_STOP)->mail);
}

void worker_end_stop(struct worker *worker)
{
    (void)pthread_join(worker->thread, NULL);
    atomic_store(&worker->is_over, true);
}

void worker_free(struct worker **address)
{
    struct worker *worker = *address;
    struct mail *mail = mailbox_drain(&worker->inbox);

    while (mail != NULL) {
        struct port_message *message = CONTAINER_OF(mail, struct port_message, mail);

        mail = mail->next;
        port_free(&message);
    }
    mailbox_deinit(&worker->inbox);
    login_work_discard(worker);
    mailbox_deinit(&worker->derived);
    (void)uv_loop_close(&worker->loop);
    waker_deinit(&worker->wake);
    backlog_clear(&worker->backlog);
    blob_unref(&worker->about);
    blob_unref(&worker->domains);
    mem_release(worker->slots);
    mem_free(&worker->door_addresses[0]);
    mem_free(&worker->door_addresses[1]);
    mem_free(&worker->default_domain);
    mem_free(address);
}
