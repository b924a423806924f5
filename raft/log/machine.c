/* machine - libraft's state machine: entries on to the state thread, snapshots as manifests. A
 * manifest says {index, hash} of a mark that the store holds durably; the data stays in the store.
 */
#include "raft/log/internal.h"

#include "node/base/clock.h"
#include "node/base/log.h"
#include "node/base/mem.h"

#define MANIFEST_VERSION 1

#define SNAPSHOT_LOG_BYTES   (64 * 1024 * 1024)
#define SNAPSHOT_ENTRIES_MIN 1024
#define SNAPSHOT_ENTRIES_MAX 65536 /* each entry costs libraft memory besides its bytes */

static void remember_unapplied(struct unapplied_queue *queue, uint64_t index, size_t bytes)
{
    if (queue->count == queue->capacity) {
        size_t capacity = queue->capacity == 0 ? 256 : queue->capacity * 2;
        struct unapplied *ring = mem_alloc(capacity * sizeof(*ring));

        for (size_t i = 0; i < queue->count; i++) {
            ring[i] = queue->ring[(queue->first + i) % queue->capacity];
        }
        mem_release(queue->ring);
        queue->ring = ring;
        queue->capacity = capacity;
        queue->first = 0;
    }
    queue->ring[(queue->first + queue->count) % queue->capacity] =
        (struct unapplied){.index = index, .bytes = bytes};
    queue->count++;
    queue->bytes += bytes;
}

bool rlog_is_full(struct rlog *rlog)
{
    return rlog->unapplied.bytes > UNAPPLIED_BYTES_MAX || atomic_load(&rlog->store_is_full) ||
           rlog->stall.is_stalled;
}

void rlog_unapplied_until(struct rlog *rlog, raft_index applied)
{
    struct unapplied_queue *queue = &rlog->unapplied;

    while (queue->count > 0 && queue->ring[queue->first].index <= applied) {
        queue->bytes -= queue->ring[queue->first].bytes;
        queue->first = (queue->first + 1) % queue->capacity;
        queue->count--;
    }
    shim_set_intake(rlog->shim, !rlog_is_full(rlog));
}

static void deliver(struct rlog *rlog, raft_index index, struct blob *entry)
{
    rlog->delivered = index;
    rlog->events.on_entry_take(rlog->events.ctx, index, shim_term_of(&rlog->raft, index), entry);
}

/* Configurations and no-ops do not come by apply(). */
static void deliver_gaps_until(struct rlog *rlog, raft_index last)
{
    while (rlog->delivered < last) {
        deliver(rlog, rlog->delivered + 1, NULL);
    }
}

void rlog_deliver_gaps(struct rlog *rlog)
{
    deliver_gaps_until(rlog, rlog->raft.last_applied);
}

static void note_stamp(struct rlog *rlog, raft_index index, struct slice bytes)
{
    struct entry_reader reader;

    /* What can not be read the state refuses, and stops the node. */
    if (entry_open(bytes, &reader) != 0) {
        return;
    }
    stamp_seen(&rlog->clock, reader.stamp.time_ms);
    atomic_store(&rlog->time_ms, rlog->clock.last_ms);
    rlog_set_written(rlog, reader.stamp.version);
    rlog->mark_index = reader.kind == ENTRY_MARK ? index : 0;
}

/* The mean size follows the last tens of thousands of entries. */
static void count_entry(struct rlog *rlog, size_t bytes)
{
    rlog->entries_seen++;
    rlog->entry_bytes_seen += bytes;
    if (rlog->entries_seen >= SNAPSHOT_ENTRIES_MAX) {
        rlog->entries_seen /= 2;
        rlog->entry_bytes_seen /= 2;
    }
}

static int machine_apply(struct raft_fsm *machine, const struct raft_buffer *entry, void **result)
{
    struct rlog *rlog = machine->data;
    raft_index index = rlog->raft.last_applied + 1; /* 0.15 does not say it */
    struct slice bytes = slice_make(entry->base, entry->len);

    *result = NULL;
    count_entry(rlog, entry->len);
    note_stamp(rlog, index, bytes);
    if (index > rlog->delivered) {
        deliver_gaps_until(rlog, index - 1);
        remember_unapplied(&rlog->unapplied, index, entry->len);
        deliver(rlog, index, blob_new(bytes));
        shim_set_intake(rlog->shim, !rlog_is_full(rlog));
    }
    return 0; /* an error would make libraft apply it again later (defect 18) */
}

void rlog_manifest_write(uint8_t *out, uint64_t index, uint64_t hash)
{
    struct buf buf = BUF_EMPTY;
    struct slice bytes;

    buf_append_u32(&buf, MANIFEST_VERSION);
    buf_append_u32(&buf, 0);
    buf_append_u64(&buf, index);
    buf_append_u64(&buf, hash);
    bytes = buf_slice(&buf);
    ASSERT(bytes.data != NULL);
    ASSERT(bytes.len == MANIFEST_BYTES);
    memcpy(out, bytes.data, bytes.len);
    buf_deinit(&buf);
}

static int machine_snapshot(struct raft_fsm *machine, struct raft_buffer *bufs[], unsigned *count)
{
    struct rlog *rlog = machine->data;

    if (rlog->mark_index != rlog->raft.last_applied || rlog->life != LIFE_RUNS ||
        rlog_keeps_log_for_copy(rlog) || !shim_snapshot_allowed(rlog->shim)) {
        return RAFT_BUSY; /* asked again after the next entries */
    }
    *bufs = raft_calloc(1, sizeof(**bufs));
    ASSERT(*bufs != NULL);
    (*bufs)[0].base = raft_calloc(1, MANIFEST_BYTES);
    (*bufs)[0].len = MANIFEST_BYTES;
    ASSERT((*bufs)[0].base != NULL);
    *count = 1;
    rlog->manifest_index = rlog->mark_index;
    rlog->manifest_asked_ms = clock_mono_ms();
    rlog->events.on_manifest_wanted(rlog->events.ctx, rlog->mark_index);
    return 0;
}

/* Runs once the window of the mark is durable (shim_snapshot_ready). */
static int machine_snapshot_async(struct raft_fsm *machine, struct raft_buffer *bufs[],
                                  unsigned *count)
{
    struct rlog *rlog = machine->data;

    (void)count;
    rlog_manifest_write((*bufs)[0].base, rlog->manifest_index, rlog->manifest_hash);
    return 0;
}

static int machine_snapshot_finalize(struct raft_fsm *machine, struct raft_buffer *bufs[],
                                     unsigned *count)
{
    (void)machine;
    if (*bufs != NULL) {
        raft_free((*bufs)[0].base);
        raft_free(*bufs);
        *bufs = NULL;
        *count = 0;
    }
    return 0;
}

/* The store must already hold what the manifest stands for; nothing is loaded from it. */
static int machine_restore(struct raft_fsm *machine, struct raft_buffer *buf)
{
    struct rlog *rlog = machine->data;
    const uint8_t *manifest = buf->base;
    uint64_t index;

    if (buf->len != MANIFEST_BYTES || get_u32(manifest) != MANIFEST_VERSION) {
        log_error("raft.manifest_unknown", LOG_UINT("bytes", buf->len));
        return RAFT_CORRUPT;
    }
    index = get_u64(manifest + 8);
    if (rlog->store_index < index) {
        log_error("raft.store_behind_log", LOG_UINT("store", rlog->store_index),
                  LOG_UINT("manifest", index));
        return RAFT_CORRUPT;
    }
    raft_free(buf->base);
    return 0;
}

void rlog_machine_init(struct rlog *rlog)
{
    rlog->machine = (struct raft_fsm){
        .version = 3,
        .data = rlog,
        .apply = machine_apply,
        .snapshot = machine_snapshot,
        .restore = machine_restore,
        .snapshot_finalize = machine_snapshot_finalize,
        .snapshot_async = machine_snapshot_async,
    };
}

void rlog_manifest_answer(struct rlog *rlog, uint64_t index, uint64_t hash, int status)
{
    if (index != rlog->manifest_index) {
        return; /* its time was up */
    }
    rlog->manifest_hash = hash;
    if (status == 0 && index > rlog->durable_index) {
        rlog->durable_index = index;
    }
    shim_snapshot_ready(rlog->shim, status == 0 ? 0 : RAFT_BUSY);
}

/* libraft bounds its log by count; we mean bytes (DESIGN 4). */
void rlog_bound_log(struct rlog *rlog)
{
    uint64_t entries = rlog->config.snapshot_entries;
    uint64_t mean = rlog->entries_seen == 0 ? 1 : rlog->entry_bytes_seen / rlog->entries_seen + 1;

    if (entries == 0) {
        entries = SNAPSHOT_LOG_BYTES / mean;
        entries = entries < SNAPSHOT_ENTRIES_MIN ? SNAPSHOT_ENTRIES_MIN : entries;
        entries = entries > SNAPSHOT_ENTRIES_MAX ? SNAPSHOT_ENTRIES_MAX : entries;
    }
    raft_set_snapshot_threshold(&rlog->raft, (unsigned)entries);
    /* Twice as much stays for followers that are only a little behind. */
    raft_set_snapshot_trailing(&rlog->raft, (unsigned)entries * 2);
    if (shim_snapshot_waits(rlog->shim) &&
        clock_mono_ms() - rlog->manifest_asked_ms > RLOG_MANIFEST_MS) {
        rlog->manifest_index = 0;
        shim_snapshot_ready(rlog->shim, RAFT_BUSY);
    }
}
