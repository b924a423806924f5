#include "node/core/outbox.h"

#include "node/base/mem.h"

#define uthash_malloc(size)     mem_alloc(size)
#define uthash_free(memory, sz) mem_release(memory)
#include <uthash.h>

struct skipped {
    uint64_t session;
    struct delivery signal; /* to the connection of the last that was left out */
    UT_hash_handle hh;
};

struct waiting_pull {
    struct waiting_pull *next;
    struct delivery_pull pull;
};

void outbox_init(struct outbox *outbox, struct mailbox *box)
{
    *outbox = (struct outbox){.box = box};
}

static void forget_skipped(struct outbox *outbox, struct skipped *skipped)
{
    HASH_DEL(outbox->skipped, skipped);
    mem_free(&skipped);
}

static void drop_pull(struct outbox *outbox)
{
    struct waiting_pull *first = outbox->first_pull;

    outbox->first_pull = first->next;
    if (outbox->first_pull == NULL) {
        outbox->last_pull = NULL;
    }
    mem_free(&first);
}

void outbox_deinit(struct outbox *outbox)
{
    struct skipped *skipped;
    struct skipped *next;

    HASH_ITER(hh, outbox->skipped, skipped, next)
    {
        forget_skipped(outbox, skipped);
    }
    while (outbox->first_pull != NULL) {
        drop_pull(outbox);
    }
}

static bool is_full(const struct outbox *outbox)
{
    return mailbox_bytes(outbox->box) >= OUTBOX_BYTES_MAX;
}

static bool has_room(const struct outbox *outbox)
{
    return mailbox_bytes(outbox->box) < OUTBOX_BYTES_MAX / 2;
}

static void send(struct outbox *outbox, const struct delivery *delivery)
{
    struct port_message *message = port_new(PORT_DELIVERY);

    message->delivery = *delivery;
    if (delivery->xml != NULL) {
        message->mail.bytes = sizeof(*message) + blob_slice(delivery->xml).len;
    }
    mailbox_push_take(outbox->box, &message->mail);
}

/* Once something was left out for a session, all that follows is, or there would be a gap. The
 * session may move meanwhile: it is the connection of the last one that has to know. */
static bool skip(struct outbox *outbox, const struct delivery *delivery)
{
    struct skipped *skipped;

    HASH_FIND(hh, outbox->skipped, &delivery->session, sizeof(delivery->session), skipped);
    if (skipped == NULL) {
        if (!is_full(outbox)) {
            return false;
        }
        skipped = mem_zalloc(sizeof(*skipped));
        skipped->session = delivery->session;
        HASH_ADD(hh, outbox->skipped, session, sizeof(skipped->session), skipped);
    }
    skipped->signal = (struct delivery){.kind = DELIVERY_SKIPPED,
                                        .owner = delivery->owner,
                                        .session = delivery->session,
                                        .epoch = delivery->epoch};
    return true;
}

void outbox_deliver(struct outbox *outbox, const struct delivery *delivery)
{
    bool comes_by_itself = delivery->xml != NULL && delivery->pull == 0;
    struct blob *xml = delivery->xml;

    if (comes_by_itself && skip(outbox, delivery)) {
        blob_unref(&xml);
    } else {
        send(outbox, delivery);
    }
}

bool outbox_take_pull(struct outbox *outbox, const struct delivery_pull *pull)
{
    struct waiting_pull *waiting;

    if (outbox->first_pull == NULL && !is_full(outbox)) {
        return true;
    }
    waiting = mem_zalloc(sizeof(*waiting));
    waiting->pull = *pull;
    if (outbox->last_pull == NULL) {
        outbox->first_pull = waiting;
    } else {
        outbox->last_pull->next = waiting;
    }
    outbox->last_pull = waiting;
    return false;
}

void outbox_settle(struct outbox *outbox)
{
    struct skipped *skipped;
    struct skipped *next;

    if (outbox->skipped == NULL || !has_room(outbox)) {
        return;
    }
    HASH_ITER(hh, outbox->skipped, skipped, next)
    {
        send(outbox, &skipped->signal);
        forget_skipped(outbox, skipped);
    }
}

bool outbox_next_pull(struct outbox *outbox, struct delivery_pull *pull_out)
{
    if (outbox->first_pull == NULL || !has_room(outbox)) {
        return false;
    }
    *pull_out = outbox->first_pull->pull;
    drop_pull(outbox);
    return true;
}
