#include "node/admin/deriver.h"

#include "node/base/mem.h"
#include "xmpp/sasl/sasl.h"

#include <string.h>

const enum hash_kind derived_kinds[DERIVER_KINDS] = {HASH_SHA1, HASH_SHA256};
const char *const derived_names[DERIVER_KINDS] = {"SCRAM-SHA-1", "SCRAM-SHA-256"};

static void wipe(struct derived *item)
{
    if (item->password != NULL) {
        explicit_bzero(item->password, strlen(item->password));
        mem_free(&item->password);
    }
}

static void derive(struct derived *item, uint32_t iterations)
{
    struct slice password = slice_str(item->password);

    item->rc = 0;
    for (size_t i = 0; item->rc == 0 && i < DERIVER_KINDS; i++) {
        struct derived_key *key = &item->keys[i];

        random_fill(key->salt, sizeof(key->salt));
        item->rc =
            scram_derive(derived_kinds[i], password, slice_make(key->salt, sizeof(key->salt)),
                         iterations, key->stored_key, key->server_key);
    }
    wipe(item);
}

static void run(struct helper_job *job)
{
    struct derivation *work = CONTAINER_OF(job, struct derivation, helper_job);

    for (size_t i = 0; i < work->count; i++) {
        if (atomic_load(work->is_over)) {
            work->items[i].rc = ERR_CLOSED;
        } else if (work->items[i].password != NULL) {
            derive(&work->items[i], work->iterations);
        }
    }
    work->done(work);
}

void deriver_give(struct helpers *helpers, struct derivation *derivation)
{
    derivation->helper_job.run = run;
    helpers_give(helpers, &derivation->helper_job);
}

void derivation_clear(struct derivation *derivation)
{
    for (size_t i = 0; i < derivation->count; i++) {
        wipe(&derivation->items[i]);
    }
    derivation->count = 0;
    mem_free(&derivation->items);
}
