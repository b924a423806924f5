#include "node/base/assert.h"

#include "node/base/log_writer.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void assert_failed(const char *condition, const char *file, int line)
{
    char text[400];

    (void)snprintf(text, sizeof(text), "ASSERT %s failed at %s:%d\n", condition, file, line);
    log_writer_put(slice_str(text));
    fail_stop();
}

_Noreturn void fail_stop(void)
{
    log_writer_flush();
    abort();
}
