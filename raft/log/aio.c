/* aio - does the kernel give this process what raft_uv needs to write? Each segment under way has
 * an asynchronous context of its own; fs.aio-max-nr bounds those of all programs together (defect
 * 20).
 */
#include "raft/log/internal.h"

#include "node/base/log.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <sys/syscall.h>

/* One segment is written, two are kept ready, and one more while the log is loaded. */
#define CONTEXTS_NEEDED 4

static uint64_t read_number(const char *path)
{
    FILE *file = fopen(path, "r");
    unsigned long long number = 0;

    if (file != NULL) {
        if (fscanf(file, "%llu", &number) != 1) {
            number = 0;
        }
        (void)fclose(file);
    }
    return number;
}

int rlog_check_aio(void)
{
    aio_context_t contexts[CONTEXTS_NEEDED] = {0};
    size_t count = 0;
    int error = 0;

    while (count < CONTEXTS_NEEDED && error == 0) {
        if (syscall(SYS_io_setup, 1L, &contexts[count]) == 0) {
            count++;
        } else {
            error = errno;
        }
    }
    while (count > 0) {
        (void)syscall(SYS_io_destroy, contexts[--count], NULL);
    }
    if (error == EAGAIN) {
        log_error("raft.aio_exhausted", LOG_STR("raise", "sysctl fs.aio-max-nr"),
                  LOG_UINT("used", read_number("/proc/sys/fs/aio-nr")),
                  LOG_UINT("limit", read_number("/proc/sys/fs/aio-max-nr")));
        return ERR_LIMIT;
    }
    if (error != 0) {
        log_error("raft.aio_refused", LOG_STR("call", "io_setup"),
                  LOG_STR("cause", strerror(error)));
        return ERR_IO;
    }
    return 0;
}
