/* tail - does the log reach as far as it must? What is applied was on our own disk before: a log
 * that ends before what the store holds has lost entries that this node acknowledged, as raft_uv
 * ends it without a word at the first batch that is damaged. A voter that goes on so elects leaders
 * that lack what was accepted. Only a copy of another node's store is honestly ahead of our log:
 * until the log has come up to it, a mark in the log's folder says from where it may end. */
#include "raft/log/internal.h"

#include "node/base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MARK_BYTES 24

static struct buf mark_path(const struct rlog *rlog)
{
    struct buf path = BUF_EMPTY;

    buf_printf(&path, "%s/%s", rlog->config.dir, RLOG_COPIED_FILE);
    return path;
}

static int sync_and_close(int fd, int rc)
{
    if (fd < 0) {
        return ERR_IO;
    }
    if (fsync(fd) != 0) {
        rc = ERR_IO;
    }
    (void)close(fd);
    return rc;
}

/* In place: what a crash leaves of it is read as a lower index, which only allows more. Waits for
 * the disk on the raft thread, like a vote: this node is far behind and leads nobody. */
static int write_mark(const struct rlog *rlog, raft_index index)
{
    struct buf path = mark_path(rlog);
    char text[MARK_BYTES];
    int len = snprintf(text, sizeof(text), "%llu\n", index);
    int file = open(buf_text(&path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int rc = file >= 0 && write(file, text, (size_t)len) == len ? 0 : ERR_IO;

    rc = sync_and_close(file, rc);
    rc = sync_and_close(open(rlog->config.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc);
    if (rc != 0) {
        log_error("raft.mark_failed", LOG_STR("file", buf_text(&path)));
    }
    buf_deinit(&path);
    return rc;
}

static void read_mark(struct rlog *rlog)
{
    struct buf path = mark_path(rlog);
    FILE *file = fopen(buf_text(&path), "re");
    char text[MARK_BYTES];

    if (file != NULL) {
        rlog->tail.is_marked = true;
        if (fgets(text, sizeof(text), file) != NULL) {
            rlog->tail.index_min = strtoull(text, NULL, 10);
        }
        (void)fclose(file);
    }
    buf_deinit(&path);
}

int rlog_check_tail(struct rlog *rlog)
{
    raft_index last = raft_last_index(&rlog->raft);
    raft_index needed = rlog->store_index;

    read_mark(rlog);
    if (rlog->tail.is_marked && rlog->tail.index_min < needed) {
        needed = rlog->tail.index_min;
    }
    if (last >= needed) {
        return 0;
    }
    log_error("raft.tail_lost", LOG_STR("dir", rlog->config.dir), LOG_UINT("last", last),
              LOG_UINT("store", needed),
              LOG_STR("hint", "the log lacks entries that this node acknowledged; join again under "
                              "a new raft id: musterctl node replace"));
    return ERR_CORRUPT;
}

int rlog_allow_shorter_log(struct rlog *rlog, raft_index offered)
{
    raft_index index = rlog->store_index < offered ? rlog->store_index : offered;
    int rc;

    if (rlog->tail.is_marked && rlog->tail.index_min <= index) {
        return 0;
    }
    rc = write_mark(rlog, index);
    if (rc == 0) {
        rlog->tail = (struct tail){.is_marked = true, .index_min = index};
    }
    return rc;
}

void rlog_tail_beat(struct rlog *rlog)
{
    struct buf path;

    if (!rlog->tail.is_marked || rlog->offer.is_asked || rlog->offer.retry_ms != 0 ||
        rlog->raft.last_applied < rlog->store_index) {
        return;
    }
    path = mark_path(rlog);
    (void)unlink(buf_text(&path)); /* a crash may bring it back: it is removed again then */
    rlog->tail.is_marked = false;
    buf_deinit(&path);
}
