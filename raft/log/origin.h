/* origin - the commands of this node that are not known to be applied yet: numbered {incarnation,
 * seq}, kept, and sent in order to each new leader (DESIGN 3). Raft thread only. */
#ifndef RAFT_LOG_ORIGIN_H
#define RAFT_LOG_ORIGIN_H

#include "node/base/slice.h"

#include <stdbool.h>

/* One command: made by the submitting thread, numbered when the origin takes it. */
struct own_command {
    struct own_command *next;
    uint64_t seq;
    size_t len;
    uint8_t bytes[];
};

struct origin {
    uint64_t incarnation; /* 0: not started, nothing may be added */
    uint64_t last_seq;
    struct own_command *first;
    struct own_command *last;
    struct own_command *unsent; /* next to send to the current leader; NULL: all are sent */
    struct own_command *start;  /* START, until the incarnation is known */
    bool start_sent;
    size_t count;
    size_t bytes;
};

struct own_command *own_command_new(struct slice bytes);
static inline struct slice own_command_slice(const struct own_command *command)
{
    return slice_make(command->bytes, command->len);
}

void origin_deinit(struct origin *origin);
/** START goes before anything else, with incarnation and seq 0. */
void origin_set_start_take(struct origin *origin, struct own_command *start);
/** Begin an incarnation: forget START and all commands of the last one. */
void origin_begin(struct origin *origin, uint64_t incarnation);
/** Number a command and keep it. Only with an incarnation. */
void origin_add_take(struct origin *origin, struct own_command *command);
/** substitute stands for the command that has exactly these bytes, with its seq, wherever that is
 * sent from now on; nothing happens when none has, for it is applied. A leader may have got it
 * before: then both are on their way, and the first that is committed is the one that every node
 * applies; the other has a seq that is known. So who replaces a command must be content with
 * either. */
void origin_replace(struct origin *origin, struct slice bytes, struct slice substitute);
/** Everything up to seq is applied. */
void origin_applied(struct origin *origin, uint64_t seq);
/** The leader is new: send all again. */
void origin_rewind(struct origin *origin);
/** Send again from seq on. */
void origin_rewind_to(struct origin *origin, uint64_t seq);
/** What goes to the leader next, without its incarnation: NULL when all is sent. */
const struct own_command *origin_next(const struct origin *origin);
/** The incarnation to send origin_next() with: 0 for START. */
uint64_t origin_next_incarnation(const struct origin *origin);
void origin_sent(struct origin *origin);

#endif
