/* Goal: no bytes crash the preparation of addresses, and what it made it leaves alone: otherwise
 * one account could be reached under two names. Method: parse, format, parse again. */
#include "node/base/jid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text = BUF_EMPTY;
    struct jid jid;
    struct jid again;
    int rc;

    if (jid_saslprep(slice_make(data, size), &text) != 0) {
        ASSERT(buf_len(&text) == 0);
    }
    buf_clear(&text);
    if (jid_parse(slice_make(data, size), &jid) == 0) {
        jid_format(&jid, &text);
        rc = jid_parse(buf_slice(&text), &again);
        ASSERT(rc == 0);
        ASSERT(strcmp(jid.local, again.local) == 0);
        ASSERT(strcmp(jid.domain, again.domain) == 0);
        ASSERT(strcmp(jid.resource, again.resource) == 0);
    }
    buf_deinit(&text);
    return 0;
}
