/* intake - what a leader is going to put into the log, in order: commands of all nodes, its own
 * decisions, marks and stamps. Builds the next entry of what waits (group commit). Raft thread
 * only. */
#ifndef RAFT_LOG_INTAKE_H
#define RAFT_LOG_INTAKE_H

#include "storage/state/entry.h"

struct intake_item;

struct intake {
    struct intake_item *first;
    struct intake_item *last;
    size_t count;
    size_t bytes; /* with what holds each, so that many small ones are bounded too */
};

/** Copies the command. */
void intake_add_command(struct intake *intake, const struct entry_command *command);
/** A mark or a stamp: an entry of its own. */
void intake_add_kind(struct intake *intake, enum entry_kind kind);
void intake_clear(struct intake *intake);
/** Append the next entry to out: a mark or stamp, or a batch of at most ENTRY_BATCH_BYTES_SOFT
 * bytes (one larger command goes alone) and ENTRY_BATCH_COUNT_MAX commands. Not when empty. */
void intake_take_entry(struct intake *intake, const struct entry_stamp *stamp, struct buf *out);

#endif
