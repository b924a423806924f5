#include "node/core/backlog.h"

#include "node/base/log.h"
#include "node/base/mem.h"

struct backlog_item {
    struct backlog_item *next;
    struct blob *command;
};

/* True when the command is off our hands. One that the log can never take is our bug, or a limit
 * set wrong: its client hangs until it is probed, the others go on. */
static bool try_submit(struct rlog *log, struct slice command)
{
    int rc = rlog_submit(log, command);

    if (rc != 0 && rc != ERR_BUSY) {
        log_error("core.submit_failed", LOG_UINT("bytes", command.len),
                  LOG_STR("cause", err_text(rc)));
    }
    return rc != ERR_BUSY;
}

void backlog_submit(struct backlog *backlog, struct rlog *log, struct slice command)
{
    struct backlog_item *item;

    if (backlog->first == NULL && try_submit(log, command)) {
        return;
    }
    item = mem_zalloc(sizeof(*item));
    item->command = blob_new(command);
    if (backlog->last == NULL) {
        backlog->first = item;
    } else {
        backlog->last->next = item;
    }
    backlog->last = item;
}

static void drop_first(struct backlog *backlog)
{
    struct backlog_item *item = backlog->first;

    backlog->first = item->next;
    if (backlog->first == NULL) {
        backlog->last = NULL;
    }
    blob_unref(&item->command);
    mem_free(&item);
}

void backlog_retry(struct backlog *backlog, struct rlog *log)
{
    while (backlog->first != NULL && try_submit(log, blob_slice(backlog->first->command))) {
        drop_first(backlog);
    }
}

void backlog_replace(struct backlog *backlog, struct rlog *log, struct slice command,
                     struct slice substitute)
{
    for (struct backlog_item *item = backlog->first; item != NULL; item = item->next) {
        if (slice_eq(blob_slice(item->command), command)) {
            blob_unref(&item->command);
            item->command = blob_new(substitute);
            return;
        }
    }
    rlog_replace(log, command, substitute);
}

void backlog_clear(struct backlog *backlog)
{
    while (backlog->first != NULL) {
        drop_first(backlog);
    }
}
