#include "raft/log/keep.h"

void keep_init(struct keep *keep, uint64_t bytes_min, uint64_t bytes_max)
{
    *keep = (struct keep){.bytes_min = bytes_min,
                          .bytes_max = bytes_max < bytes_min ? bytes_min : bytes_max,
                          .bytes = bytes_min};
}

bool keep_log(struct keep *keep, uint64_t index, uint64_t log_bytes)
{
    if (index == 0) {
        keep->bytes = keep->bytes_min;
        keep->outrun = 0;
        return false;
    }
    if (keep->outrun == index) {
        return false; /* cut once, it is not worth keeping the rest */
    }
    if (keep->outrun != 0) {
        keep->outrun = 0;
        keep->bytes = keep->bytes > keep->bytes_max / 2 ? keep->bytes_max : keep->bytes * 2;
    }
    if (log_bytes >= keep->bytes) {
        keep->outrun = index;
    }
    return keep->outrun == 0;
}
