/* backlog - commands that the log had no room for, in order. While there are any, nothing is read
 * from clients, so it stays as short as what was already read. */
#ifndef NODE_CORE_BACKLOG_H
#define NODE_CORE_BACKLOG_H

#include "node/base/slice.h"
#include "raft/log/rlog.h"

#include <stdbool.h>

struct backlog_item;

struct backlog {
    struct backlog_item *first;
    struct backlog_item *last;
};

/** Submit now if nothing waits and there is room, else keep for later. */
void backlog_submit(struct backlog *backlog, struct rlog *log, struct slice command);
/** Submit what waits, as far as there is room. */
void backlog_retry(struct backlog *backlog, struct rlog *log);
/** As rlog_replace(), of a command given to backlog_submit(). */
void backlog_replace(struct backlog *backlog, struct rlog *log, struct slice command,
                     struct slice substitute);
void backlog_clear(struct backlog *backlog);

static inline bool backlog_is_empty(const struct backlog *backlog)
{
    return backlog->first == NULL;
}

#endif
