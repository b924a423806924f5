#include "raft/log/intake.h"

#include "node/base/mem.h"

struct intake_item {
    struct intake_item *next;
    enum entry_kind kind;
    uint64_t incarnation;
    uint64_t seq;
    size_t len;
    uint8_t bytes[];
};

static void append(struct intake *intake, struct intake_item *item)
{
    if (intake->first == NULL) {
        intake->first = item;
    } else {
        intake->last->next = item;
    }
    intake->last = item;
    intake->count++;
    intake->bytes += sizeof(*item) + item->len;
}

void intake_add_command(struct intake *intake, const struct entry_command *command)
{
    struct intake_item *item = mem_alloc(sizeof(*item) + command->bytes.len);

    *item = (struct intake_item){
        .kind = ENTRY_BATCH,
        .incarnation = command->incarnation,
        .seq = command->seq,
        .len = command->bytes.len,
    };
    if (command->bytes.len > 0) {
        memcpy(item->bytes, command->bytes.data, command->bytes.len);
    }
    append(intake, item);
}

void intake_add_kind(struct intake *intake, enum entry_kind kind)
{
    struct intake_item *item = mem_zalloc(sizeof(*item));

    ASSERT(kind != ENTRY_BATCH);
    item->kind = kind;
    append(intake, item);
}

static void drop_first(struct intake *intake)
{
    struct intake_item *gone = intake->first;

    intake->first = gone->next;
    intake->count--;
    intake->bytes -= sizeof(*gone) + gone->len;
    mem_free(&gone);
}

void intake_clear(struct intake *intake)
{
    while (intake->first != NULL) {
        drop_first(intake);
    }
}

void intake_take_entry(struct intake *intake, const struct entry_stamp *stamp, struct buf *out)
{
    enum entry_kind kind;
    struct entry_writer writer;
    size_t bytes = 0;
    size_t count = 0;

    ASSERT(intake->first != NULL);
    kind = intake->first->kind;
    entry_begin(&writer, out, kind, stamp);
    if (kind != ENTRY_BATCH) {
        drop_first(intake);
    }
    while (kind == ENTRY_BATCH && intake->first != NULL && intake->first->kind == ENTRY_BATCH &&
           count < ENTRY_BATCH_COUNT_MAX &&
           (count == 0 || bytes + intake->first->len <= ENTRY_BATCH_BYTES_SOFT)) {
        const struct intake_item *item = intake->first;

        entry_add(&writer, &(struct entry_command){.incarnation = item->incarnation,
                                                   .seq = item->seq,
                                                   .bytes = slice_make(item->bytes, item->len)});
        bytes += item->len;
        count++;
        drop_first(intake);
    }
    entry_finish(&writer);
}
