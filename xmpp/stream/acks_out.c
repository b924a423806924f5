/* Outbound accounting: see acks_out.h. Comparisons go by distance, so that they hold across the
 * wrap of the counter; distances stay far below 2^31 because pending lists are bounded. */
#include "xmpp/stream/acks_out.h"

struct waiting {
    uint32_t number;
    bool pending;
    uint64_t position;
    struct blob *xml;
};

/* A written stanza, or a group of volatile ones of which the last is named. */
struct unacked {
    uint32_t number;
    bool pending;
    uint64_t position;
    size_t bytes; /* of a pending one */
};

void acks_out_init(struct acks_out *acks)
{
    *acks = (struct acks_out){.waiting = RING_OF(struct waiting),
                              .unacked = RING_OF(struct unacked),
                              .runs = RING_OF(struct acks_out_run)};
}

void acks_out_deinit(struct acks_out *acks)
{
    for (size_t i = 0; i < acks->waiting.count; i++) {
        struct waiting *waiting = ring_at(&acks->waiting, i);

        blob_unref(&waiting->xml);
    }
    ring_deinit(&acks->waiting);
    ring_deinit(&acks->unacked);
    ring_deinit(&acks->runs);
}

void acks_out_start(struct acks_out *acks, uint32_t number)
{
    uint64_t done_position = acks->done_position;
    uint64_t presence_position = acks->presence_position;

    acks_out_deinit(acks);
    acks_out_init(acks);
    acks->acked = number;
    acks->written = number;
    acks->assigned = number;
    acks->recorded = number;
    acks->done_position = done_position;
    acks->presence_position = presence_position;
}

/* Is number at or before limit? */
static bool is_within(uint32_t number, uint32_t limit)
{
    return (int32_t)(limit - number) >= 0;
}

/* The session's list hands out its entries one after the other, so the next number given to a
 * pending stanza continues the run unless a volatile one came between. */
static void extend_runs(struct acks_out *acks, uint32_t number, uint64_t position)
{
    struct acks_out_run *run;

    if (acks->runs.count > 0) {
        run = ring_at(&acks->runs, acks->runs.count - 1);
        if (run->first_number + run->count == number && run->count < ACKS_OUT_RUN_MAX) {
            run->count++;
            return;
        }
    }
    run = ring_push(&acks->runs);
    *run = (struct acks_out_run){.first_number = number, .count = 1, .first_position = position};
}

void acks_out_add_take(struct acks_out *acks, bool pending, uint64_t position, struct blob *xml)
{
    struct waiting *waiting = ring_push(&acks->waiting);

    acks->assigned++;
    *waiting = (struct waiting){
        .number = acks->assigned, .pending = pending, .position = position, .xml = xml};
    acks->waiting_bytes += blob_slice(xml).len;
    if (pending) {
        extend_runs(acks, acks->assigned, position);
    }
}

bool acks_out_take_run(struct acks_out *acks, struct acks_out_run *run_out)
{
    if (acks->runs.count == 0) {
        return false;
    }
    *run_out = *(struct acks_out_run *)ring_at(&acks->runs, 0);
    ring_drop(&acks->runs);
    return true;
}

void acks_out_on_recorded(struct acks_out *acks, uint32_t number)
{
    if (is_within(acks->recorded, number) && is_within(number, acks->assigned)) {
        acks->recorded = number;
    }
}

/* When many are unacked, volatile stanzas in a row share one entry up to the next multiple of the
 * group size: a login with thousands of contacts must not keep thousands of entries. */
static void note_written(struct acks_out *acks, const struct waiting *waiting)
{
    struct unacked *last = NULL;

    if (acks->unacked.count > ACKS_OUT_GROUP) {
        last = ring_at(&acks->unacked, acks->unacked.count - 1);
    }
    if (last == NULL || last->pending || waiting->pending || last->number % ACKS_OUT_GROUP == 0) {
        last = ring_push(&acks->unacked);
    }
    last->number = waiting->number;
    last->pending = waiting->pending;
    if (waiting->position != 0) {
        last->position = waiting->position;
    }
    if (waiting->pending) {
        last->bytes = blob_slice(waiting->xml).len;
        acks->written_bytes += last->bytes;
    }
}

struct blob *acks_out_next(struct acks_out *acks)
{
    const struct waiting *waiting;
    struct blob *xml;

    if (acks->waiting.count == 0) {
        return NULL;
    }
    waiting = ring_at(&acks->waiting, 0);
    if (waiting->pending && !is_within(waiting->number, acks->recorded)) {
        return NULL;
    }
    note_written(acks, waiting);
    acks->written = waiting->number;
    xml = waiting->xml;
    acks->waiting_bytes -= blob_slice(xml).len;
    ring_drop(&acks->waiting);
    return xml;
}

/* Stanzas come in the order of positions: with one of the list all presence before it has come. */
static void settle(struct acks_out *acks, const struct unacked *unacked)
{
    if (unacked->pending) {
        acks->done_count++;
        acks->done_bytes += unacked->bytes;
    }
    if (unacked->pending && unacked->position > acks->done_position) {
        acks->done_position = unacked->position;
    }
    if (unacked->position > acks->presence_position) {
        acks->presence_position = unacked->position;
    }
}

int acks_out_on_ack(struct acks_out *acks, uint32_t h)
{
    if (is_within(h, acks->acked)) {
        return 0;
    }
    if (!is_within(h, acks->written)) {
        return ERR_INVALID;
    }
    acks->acked = h;
    while (acks->unacked.count > 0) {
        const struct unacked *unacked = ring_at(&acks->unacked, 0);

        if (!is_within(unacked->number, h)) {
            break;
        }
        settle(acks, unacked);
        ring_drop(&acks->unacked);
    }
    return 0;
}

uint32_t acks_out_unacked(const struct acks_out *acks)
{
    return acks->written - acks->acked;
}
