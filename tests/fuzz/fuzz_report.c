/* Goal: no bytes of a peer crash the decoder of reports, and what it takes is within its limits.
 * Method: what is decoded from the version that we write must come out of the encoder as it went
 * in. */
#include "raft/log/report.h"

#include <string.h>

#define VERSION 1
#define FLAGS   3 /* those that mean something */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rlog_report report;
    struct buf again = BUF_EMPTY;

    if (report_decode(slice_make(data, size), &report) != 0) {
        return 0;
    }
    ASSERT(strlen(report.program) <= REPORT_PROGRAM_BYTES_MAX);
    report_encode(&report, &again);
    if (data[0] == VERSION) {
        ASSERT(buf_len(&again) == size);
        ASSERT(buf_slice(&again).data[1] == (data[1] & FLAGS));
        ASSERT(memcmp(buf_slice(&again).data + 2, data + 2, size - 2) == 0);
    }
    buf_deinit(&again);
    return 0;
}
