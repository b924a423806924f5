/* replaced - the segments that a copied snapshot stands for. raft_uv stores the snapshot first and
 * removes them afterwards: a crash in between leaves a log that ends before its snapshot, which
 * raft_uv refuses to load, or entries behind it that no leader has (defect 38). What it was about
 * to remove is removed at the next start. Only while a copy is marked (tail.c): without one such a
 * log has lost entries. */
#include "raft/log/internal.h"

#include "node/base/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
    int fd;
    DIR *dir;
    raft_term snapshot_term; /* the newest one */
    raft_index snapshot_index;
    raft_index closed_end; /* where the last closed segment ends; 0: there is none */
    raft_term closed_term; /* of the entry at snapshot_index in a closed segment; 0: in none */
    bool is_open_used;     /* an open segment has entries */
};

/* Of a snapshot raft_uv counts those with both files, and that of the highest term and index. */
static void see_snapshot(struct folder *folder, const char *name)
{
    unsigned long long time;
    struct stat status;
    raft_index index;
    raft_term term;
    char data[64];
    int len = 0;

    if (sscanf(name, "snapshot-%llu-%llu-%llu.meta%n", &term, &index, &time, &len) != 3 ||
        len == 0 || name[len] != '\0') {
        return;
    }
    (void)snprintf(data, sizeof(data), "snapshot-%llu-%llu-%llu", term, index, time);
    if (fstatat(folder->fd, data, &status, 0) != 0 || status.st_size == 0) {
        return;
    }
    if (term > folder->snapshot_term ||
        (term == folder->snapshot_term && index > folder->snapshot_index)) {
        folder->snapshot_term = term;
        folder->snapshot_index = index;
    }
}

static void see_segment(struct folder *folder, const char *name)
{
    raft_index first;
    raft_index last;
    int fd;

    if (rlog_is_closed_segment(name, &first, &last)) {
        folder->closed_end = last > folder->closed_end ? last : folder->closed_end;
    } else if (strncmp(name, "open-", 5) == 0) {
        fd = openat(folder->fd, name, O_RDONLY | O_CLOEXEC);
        folder->is_open_used = folder->is_open_used || fd < 0 || rlog_segment_is_used(fd);
        if (fd >= 0) {
            (void)close(fd);
        }
    }
}

static void see_term(struct folder *folder, const char *name)
{
    raft_index first;
    raft_index last;
    int fd;

    if (!rlog_is_closed_segment(name, &first, &last) || folder->snapshot_index < first ||
        folder->snapshot_index > last) {
        return;
    }
    fd = openat(folder->fd, name, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        folder->closed_term = rlog_segment_term(fd, folder->snapshot_index - first);
        (void)close(fd);
    }
}

static void each_file(struct folder *folder, void (*see)(struct folder *folder, const char *name))
{
    const struct dirent *item;

    rewinddir(folder->dir);
    while ((item = readdir(folder->dir)) != NULL) {
        see(folder, item->d_name);
    }
}

static void remove_closed(struct folder *folder, const char *name)
{
    raft_index first;
    raft_index last;

    if (rlog_is_closed_segment(name, &first, &last)) {
        (void)unlinkat(folder->fd, name, 0); /* what stays raft_uv refuses */
    }
}

/* All that is in segments was stored before raft_uv began with the snapshot. */
static bool is_replaced(const struct folder *folder)
{
    if (folder->snapshot_index == 0 || folder->closed_end == 0 || folder->is_open_used) {
        return false;
    }
    return folder->closed_end < folder->snapshot_index ||
           (folder->closed_term != 0 && folder->closed_term < folder->snapshot_term);
}

void rlog_remove_replaced(const struct rlog *rlog)
{
    struct folder folder = {.dir = opendir(rlog->config.dir)};

    if (folder.dir == NULL) {
        return; /* libraft says so */
    }
    folder.fd = dirfd(folder.dir);
    if (faccessat(folder.fd, RLOG_COPIED_FILE, F_OK, 0) == 0) {
        each_file(&folder, see_snapshot);
        each_file(&folder, see_segment);
        each_file(&folder, see_term);
        if (is_replaced(&folder)) {
            log_warn("raft.segments_replaced", LOG_STR("dir", rlog->config.dir),
                     LOG_UINT("last", folder.closed_end),
                     LOG_UINT("snapshot", folder.snapshot_index));
            each_file(&folder, remove_closed);
            (void)fsync(folder.fd);
        }
    }
    (void)closedir(folder.dir);
}
