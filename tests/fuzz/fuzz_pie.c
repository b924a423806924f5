/* Goal: no bytes of a file of XEP-0227 crash its reader; what it takes is JSON that a node can be
 * sent, and can be written as XEP-0227 again.
 * Method: the input is a file; each user that is read is written. Files that it includes are not
 * there. */
#include "node/base/buf.h"
#include "tools/ctl/pie.h"
#include "tools/ctl/pie_write.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int take_user(void *ctx, json_t *user)
{
    const char *address = json_string_value(json_object_get(user, "user"));
    struct buf out = BUF_EMPTY;

    (void)ctx;
    ASSERT(address != NULL);
    ASSERT(json_dumpb(user, NULL, 0, JSON_COMPACT) > 0);
    pie_write_user(user, address, &out);
    buf_deinit(&out);
    json_decref(user);
    return 0;
}

static void refuse(void *ctx, const char *user, const char *fault)
{
    (void)ctx;
    ASSERT(strchr(user, '@') != NULL && fault[0] != '\0');
}

static void say_nothing(void *ctx, const char *path, uint64_t line, const char *fault)
{
    (void)ctx;
    (void)path;
    (void)line;
    ASSERT(fault[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct pie_sink sink = {.user = take_user, .refuse = refuse, .say = say_nothing};
    size_t skipped[PIE_KIND_COUNT] = {0};
    FILE *stream = size == 0 ? NULL : fmemopen((void *)(uintptr_t)data, size, "r");

    if (stream != NULL) {
        if (pie_read_stream(stream, "/nowhere/x", &sink, skipped) != 0) {
            (void)skipped; /* it was said */
        }
        (void)fclose(stream);
    }
    return 0;
}
