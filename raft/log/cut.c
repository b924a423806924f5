/* cut - a cut of the log that a crash interrupted. To cut a segment raft_uv writes what is to stay
 * of it under a name of its own, and then removes the segment and those behind it; with both there
 * it refuses to load the log (defect 39). The segment has all that the shorter one has, and nothing
 * was written behind the cut before it was over: so it is undone, and the leader has it made again.
 */
#include "raft/log/internal.h"

#include "node/base/log.h"
#include "node/base/mem.h"

#include <dirent.h>
#include <unistd.h>

struct segments {
    struct segment {
        raft_index first;
        raft_index last;
        char name[48];
    } * items;
    size_t count;
};

static void add(struct segments *segments, const char *name)
{
    struct segment segment;

    if (strlen(name) >= sizeof(segment.name) ||
        !rlog_is_closed_segment(name, &segment.first, &segment.last)) {
        return;
    }
    memcpy(segment.name, name, strlen(name) + 1);
    segments->items =
        mem_realloc(segments->items, (segments->count + 1) * sizeof(*segments->items));
    segments->items[segments->count++] = segment;
}

/* Is there a longer one with the same begin? */
static bool is_begin_of_another(const struct segments *segments, const struct segment *segment)
{
    for (size_t i = 0; i < segments->count; i++) {
        if (segments->items[i].first == segment->first && segments->items[i].last > segment->last) {
            return true;
        }
    }
    return false;
}

void rlog_undo_cut(const struct rlog *rlog)
{
    struct segments segments = {.count = 0};
    DIR *dir = opendir(rlog->config.dir);
    const struct dirent *item;

    while (dir != NULL && (item = readdir(dir)) != NULL) {
        add(&segments, item->d_name);
    }
    for (size_t i = 0; i < segments.count; i++) {
        const struct segment *segment = &segments.items[i];

        if (is_begin_of_another(&segments, segment)) {
            log_warn("raft.cut_undone", LOG_STR("dir", rlog->config.dir),
                     LOG_STR("file", segment->name));
            (void)unlinkat(dirfd(dir), segment->name, 0); /* what stays libraft refuses */
            (void)fsync(dirfd(dir));
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    mem_free(&segments.items);
}
