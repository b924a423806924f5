/* space - is there room for the log? libraft 0.15 survives no failed allocation of a segment. */
#include "raft/log/internal.h"

#include "node/base/log.h"

#include <sys/statvfs.h>

int rlog_check_space(struct rlog *rlog)
{
    struct statvfs status;
    uint64_t free_bytes;

    if (statvfs(rlog->config.dir, &status) != 0) {
        log_error("raft.statvfs_failed", LOG_STR("dir", rlog->config.dir));
        return ERR_NO_SPACE;
    }
    free_bytes = (uint64_t)status.f_bavail * status.f_frsize;
    rlog->disk_free_bytes = free_bytes;
    if (free_bytes < rlog->config.disk_free_bytes_min) {
        log_error("raft.no_space", LOG_STR("dir", rlog->config.dir), LOG_UINT("free", free_bytes),
                  LOG_UINT("needed", rlog->config.disk_free_bytes_min));
        return ERR_NO_SPACE;
    }
    return 0;
}
