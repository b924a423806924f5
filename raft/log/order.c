/* order - what other threads ask of the raft thread, and its execution there. */
#include "raft/log/internal.h"

#include "node/base/clock.h"
#include "node/base/mem.h"

static void free_order(struct order **order)
{
    mem_free(&(*order)->command);
    mem_free(&(*order)->substitute);
    mem_free(order);
}

static void send_order(struct rlog *rlog, const struct order *order)
{
    struct order *copy = mem_alloc(sizeof(*copy));

    *copy = *order;
    mailbox_push_take(&rlog->inbox, &copy->mail);
}

int rlog_submit(struct rlog *rlog, struct slice command)
{
    size_t count;
    size_t bytes;

    if (command.len > ENTRY_COMMAND_BYTES_MAX) {
        return ERR_LIMIT;
    }
    if (atomic_load(&rlog->incarnation) == 0) {
        return ERR_BUSY;
    }
    count = atomic_fetch_add(&rlog->outstanding_count, 1);
    bytes = atomic_fetch_add(&rlog->outstanding_bytes, command.len);
    if (count >= RLOG_OUTSTANDING_COUNT_MAX || bytes >= RLOG_OUTSTANDING_BYTES_MAX) {
        atomic_fetch_sub(&rlog->outstanding_count, 1);
        atomic_fetch_sub(&rlog->outstanding_bytes, command.len);
        return ERR_BUSY;
    }
    send_order(rlog, &(struct order){.kind = ORDER_SUBMIT, .command = own_command_new(command)});
    return 0;
}

void rlog_replace(struct rlog *rlog, struct slice command, struct slice substitute)
{
    send_order(rlog, &(struct order){.kind = ORDER_REPLACE,
                                     .command = own_command_new(command),
                                     .substitute = own_command_new(substitute)});
}

void rlog_submit_start(struct rlog *rlog, struct slice command)
{
    send_order(rlog, &(struct order){.kind = ORDER_START, .command = own_command_new(command)});
}

void rlog_set_incarnation(struct rlog *rlog, uint64_t incarnation)
{
    (void)pthread_mutex_lock(&rlog->progress_mutex);
    rlog->progress.incarnation = incarnation;
    rlog->progress.own_seq = 0;
    (void)pthread_mutex_unlock(&rlog->progress_mutex);
    atomic_store(&rlog->lease_end_ms, 0); /* granted to the incarnation that ended */
    send_order(rlog, &(struct order){.kind = ORDER_INCARNATION, .a = incarnation});
    /* Only now, so that what is submitted next comes after that order. */
    atomic_store(&rlog->incarnation, incarnation);
}

void rlog_leave(struct rlog *rlog)
{
    atomic_store(&rlog->incarnation, 0);
    atomic_store(&rlog->lease_end_ms, 0);
    send_order(rlog, &(struct order){.kind = ORDER_LEAVE});
}

void rlog_applied(struct rlog *rlog, uint64_t index, uint64_t own_seq)
{
    (void)pthread_mutex_lock(&rlog->progress_mutex);
    rlog->progress.applied_index = index;
    if (own_seq > rlog->progress.own_seq) {
        rlog->progress.own_seq = own_seq;
    }
    (void)pthread_mutex_unlock(&rlog->progress_mutex);
    if (atomic_load(&rlog->awaits_progress)) {
        waker_wake(&rlog->wake);
    }
}

void rlog_set_store_full(struct rlog *rlog, bool is_full)
{
    if (atomic_exchange(&rlog->store_is_full, is_full) != is_full) {
        waker_wake(&rlog->wake); /* what was refused meanwhile can go on */
    }
}

void rlog_set_store_low(struct rlog *rlog, bool is_low)
{
    atomic_store(&rlog->store_is_low, is_low);
}

void rlog_resend(struct rlog *rlog, uint64_t next_seq)
{
    send_order(
        rlog,
        &(struct order){.kind = ORDER_RESEND, .a = next_seq, .b = atomic_load(&rlog->incarnation)});
}

void rlog_decide(struct rlog *rlog, uint64_t term, struct slice command)
{
    send_order(rlog, &(struct order){
                         .kind = ORDER_DECIDE, .a = term, .command = own_command_new(command)});
}

void rlog_decide_mark(struct rlog *rlog, uint64_t term, enum entry_kind kind)
{
    send_order(rlog, &(struct order){.kind = ORDER_MARK, .a = term, .b = (uint64_t)kind});
}

void rlog_publish_hash(struct rlog *rlog, uint64_t mark_index, uint64_t hash)
{
    send_order(rlog, &(struct order){.kind = ORDER_HASH, .a = mark_index, .b = hash});
}

void rlog_manifest_ready(struct rlog *rlog, uint64_t index, uint64_t hash, int status)
{
    send_order(rlog,
               &(struct order){.kind = ORDER_MANIFEST, .a = index, .b = hash, .status = status});
}

void rlog_copy_installed(struct rlog *rlog, uint64_t applied_index, int status)
{
    send_order(rlog, &(struct order){.kind = ORDER_COPY, .a = applied_index, .status = status});
}

void rlog_node_incarnation(struct rlog *rlog, uint32_t node_id, uint64_t incarnation)
{
    send_order(rlog, &(struct order){.kind = ORDER_NODE, .a = node_id, .b = incarnation});
}

void rlog_node_voted(struct rlog *rlog, uint32_t node_id, uint64_t raft_id)
{
    send_order(rlog, &(struct order){.kind = ORDER_VOTED, .a = node_id, .b = raft_id});
}

void rlog_extension_call(struct rlog *rlog, void (*call)(struct rlog *rlog, void *ctx), void *ctx)
{
    send_order(rlog, &(struct order){.kind = ORDER_CALL, .call = call, .ctx = ctx});
}

bool rlog_lease_held(struct rlog *rlog)
{
    return clock_boot_ms() < atomic_load(&rlog->lease_end_ms);
}

/* It never falls: a state thread that is behind the log does not take it back. */
void rlog_set_written(struct rlog *rlog, uint32_t version)
{
    uint_fast32_t written = atomic_load(&rlog->written_version);

    while (version > written &&
           !atomic_compare_exchange_weak(&rlog->written_version, &written, version)) {
    }
}

uint32_t rlog_written_version(struct rlog *rlog)
{
    return (uint32_t)atomic_load(&rlog->written_version);
}

uint64_t rlog_time_ms(struct rlog *rlog)
{
    return atomic_load(&rlog->time_ms);
}

static void begin_incarnation(struct rlog *rlog, uint64_t incarnation)
{
    size_t count = rlog->origin.count;
    size_t bytes = rlog->origin.bytes;

    rlog->has_left = false;
    origin_begin(&rlog->origin, incarnation);
    rlog_forget_counts(rlog, count, bytes);
    rlog_lease_ask(rlog);
}

/* Takes the command out of a submission; it was counted when it was sent. */
static void submit(struct rlog *rlog, struct order *order)
{
    if (rlog->origin.incarnation != 0) {
        origin_add_take(&rlog->origin, order->command);
        order->command = NULL;
    } else {
        atomic_fetch_sub(&rlog->outstanding_count, 1);
        atomic_fetch_sub(&rlog->outstanding_bytes, order->command->len);
    }
}

static void replace(struct rlog *rlog, const struct order *order)
{
    size_t count = rlog->origin.count;
    size_t bytes = rlog->origin.bytes;

    origin_replace(&rlog->origin, own_command_slice(order->command),
                   own_command_slice(order->substitute));
    rlog_forget_counts(rlog, count, bytes);
}

static void execute(struct rlog *rlog, struct order *order)
{
    switch (order->kind) {
    case ORDER_SUBMIT:
        submit(rlog, order);
        break;
    case ORDER_REPLACE:
        replace(rlog, order);
        break;
    case ORDER_START:
        origin_set_start_take(&rlog->origin, order->command);
        order->command = NULL;
        break;
    case ORDER_INCARNATION:
        begin_incarnation(rlog, order->a);
        break;
    case ORDER_LEAVE:
        rlog->has_left = true;
        atomic_store(&rlog->lease_end_ms, 0); /* a grant may have come before this order */
        rlog_lease_ask(rlog);
        break;
    case ORDER_RESEND:
        if (order->b == rlog->origin.incarnation) {
            origin_rewind_to(&rlog->origin, order->a);
        }
        break;
    case ORDER_DECIDE:
        rlog_decision(rlog, order->a, own_command_slice(order->command));
        break;
    case ORDER_MARK:
        rlog_decision_kind(rlog, order->a, (enum entry_kind)order->b);
        break;
    case ORDER_HASH:
        rlog_tell_hash(rlog, &(struct hash_report){.mark_index = order->a, .hash = order->b});
        break;
    case ORDER_MANIFEST:
        rlog_manifest_answer(rlog, order->a, order->b, order->status);
        break;
    case ORDER_COPY:
        rlog_copy_answer(rlog, order->a, order->status);
        break;
    case ORDER_NODE:
        if (order->a != rlog->config.node_id) { /* the book is about the others */
            lease_set_incarnation(&rlog->leases, (uint32_t)order->a, order->b);
        }
        break;
    case ORDER_VOTED:
        voters_note(&rlog->voters, (uint32_t)order->a, order->b);
        break;
    case ORDER_CALL:
        order->call(rlog, order->ctx);
        break;
    case ORDER_STOP:
        rlog_begin_stop(rlog, NULL);
        break;
    }
}

void rlog_execute_orders(struct rlog *rlog)
{
    struct mail *mail = mailbox_drain(&rlog->inbox);

    while (mail != NULL) {
        struct order *order = CONTAINER_OF(mail, struct order, mail);

        mail = mail->next;
        execute(rlog, order);
        free_order(&order);
    }
}

void rlog_drop_orders(struct rlog *rlog)
{
    struct mail *mail = mailbox_drain(&rlog->inbox);

    while (mail != NULL) {
        struct order *order = CONTAINER_OF(mail, struct order, mail);

        mail = mail->next;
        if (order->kind == ORDER_CALL) {
            order->call(NULL, order->ctx);
        }
        free_order(&order);
    }
}

void rlog_order_stop(struct rlog *rlog)
{
    send_order(rlog, &(struct order){.kind = ORDER_STOP});
}

static struct progress copy_progress(struct rlog *rlog)
{
    struct progress progress;

    (void)pthread_mutex_lock(&rlog->progress_mutex);
    progress = rlog->progress;
    (void)pthread_mutex_unlock(&rlog->progress_mutex);
    return progress;
}

/* Is there something to do here once the state thread has gone on? */
static bool awaits_progress(struct rlog *rlog)
{
    return rlog_is_full(rlog) || (rlog->role.is_leader && rlog->store_index < rlog->role_index) ||
           atomic_load(&rlog->outstanding_count) > RLOG_OUTSTANDING_COUNT_MAX / 2 ||
           atomic_load(&rlog->outstanding_bytes) > RLOG_OUTSTANDING_BYTES_MAX / 2;
}

void rlog_await_progress(struct rlog *rlog)
{
    bool awaits = awaits_progress(rlog);

    atomic_store(&rlog->awaits_progress, awaits);
    /* What came before the mark was set woke nobody. */
    if (awaits && copy_progress(rlog).applied_index > rlog->store_index) {
        waker_wake(&rlog->wake);
    }
}

void rlog_read_progress(struct rlog *rlog)
{
    struct progress progress = copy_progress(rlog);
    size_t count = rlog->origin.count;
    size_t bytes = rlog->origin.bytes;

    if (progress.applied_index > rlog->store_index) {
        rlog->store_index = progress.applied_index;
        rlog_unapplied_until(rlog, progress.applied_index);
    }
    shim_set_intake(rlog->shim, !rlog_is_full(rlog)); /* the store may have caught up */
    if (progress.incarnation == rlog->origin.incarnation) {
        origin_applied(&rlog->origin, progress.own_seq);
        rlog_forget_counts(rlog, count, bytes);
    }
}
