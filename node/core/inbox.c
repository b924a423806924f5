#include "node/core/inbox.h"

#include "node/base/mem.h"

struct note *note_new(enum note_kind kind)
{
    struct note *note = mem_zalloc(sizeof(*note));

    note->kind = kind;
    return note;
}

void note_free(struct note **note)
{
    blob_unref(&(*note)->entry);
    blob_unref(&(*note)->bytes);
    mem_free(&(*note)->user);
    mem_free(note);
}

void inbox_post_take(struct inbox *inbox, struct note *note)
{
    mailbox_push_take(&inbox->box, &note->mail);
}

/* ---- raft thread */

static void on_entry_take(void *ctx, uint64_t index, uint64_t term, struct blob *entry)
{
    struct note *note = note_new(NOTE_ENTRY);

    note->index = index;
    note->term = term;
    note->entry = entry;
    inbox_post_take(ctx, note);
}

static void on_role(void *ctx, bool is_leader, uint32_t leader_node, uint64_t term)
{
    struct note *note = note_new(NOTE_ROLE);

    note->is_leader = is_leader;
    note->node = leader_node;
    note->term = term;
    inbox_post_take(ctx, note);
}

static void on_silent(void *ctx, uint32_t node_id, uint64_t incarnation)
{
    struct note *note = note_new(NOTE_SILENT);

    note->node = node_id;
    note->incarnation = incarnation;
    inbox_post_take(ctx, note);
}

static void on_hash(void *ctx, uint32_t node_id, uint64_t mark_index, uint64_t hash)
{
    struct note *note = note_new(NOTE_OTHER_HASH);

    note->node = node_id;
    note->index = mark_index;
    note->hash = hash;
    inbox_post_take(ctx, note);
}

static void on_manifest_wanted(void *ctx, uint64_t index)
{
    struct note *note = note_new(NOTE_MANIFEST);

    note->index = index;
    inbox_post_take(ctx, note);
}

static void on_copy_wanted(void *ctx, uint32_t from_node, uint64_t index_min)
{
    struct note *note = note_new(NOTE_COPY);

    note->node = from_node;
    note->index = index_min;
    inbox_post_take(ctx, note);
}

struct rlog_events inbox_log_events(struct inbox *inbox)
{
    return (struct rlog_events){.ctx = inbox,
                                .on_entry_take = on_entry_take,
                                .on_role = on_role,
                                .on_silent = on_silent,
                                .on_hash = on_hash,
                                .on_manifest_wanted = on_manifest_wanted,
                                .on_copy_wanted = on_copy_wanted};
}

/* ---- checkpoint thread */

void inbox_on_durable(void *ctx, uint64_t mark_index, uint64_t hash, int status)
{
    struct note *note = note_new(NOTE_DURABLE);

    note->index = mark_index;
    note->hash = hash;
    note->status = status;
    inbox_post_take(ctx, note);
}
