/* scratch - a folder or a file of a test's own, below $TMPDIR. tests/run gives each program its own
 * and removes it, so that a test which failed before its end leaves nothing on the machine. */
#ifndef TESTS_LIB_SCRATCH_H
#define TESTS_LIB_SCRATCH_H

#include "node/base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SCRATCH_BYTES 96 /* a path; a longer TMPDIR than it holds ends the test */

static inline void scratch_name(char path[SCRATCH_BYTES], const char *name)
{
    const char *folder = getenv("TMPDIR");
    int len = snprintf(path, SCRATCH_BYTES, "%s/muster-%s-XXXXXX", folder == NULL ? "/tmp" : folder,
                       name);

    ASSERT(len < SCRATCH_BYTES);
}

/** Make an empty folder; path says where. */
static inline void scratch_folder(char path[SCRATCH_BYTES], const char *name)
{
    const char *made;

    scratch_name(path, name);
    made = mkdtemp(path);
    ASSERT(made != NULL);
}

/** Make an empty file; path says where. */
static inline void scratch_file(char path[SCRATCH_BYTES], const char *name)
{
    int file;

    scratch_name(path, name);
    file = mkstemp(path);
    ASSERT(file >= 0);
    (void)close(file);
}

#endif
