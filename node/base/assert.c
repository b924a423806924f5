#include "node/base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void assert_failed(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "ASSERT %s failed at %s:%d\n", condition, file, line);
    abort();
}

_Noreturn void fail_stop(void)
{
    abort();
}
