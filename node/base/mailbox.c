#include "node/base/mailbox.h"

#include "node/base/assert.h"

#include <stdbool.h>

void mailbox_init(struct mailbox *box, void (*wake)(void *ctx), void *wake_ctx)
{
    *box = (struct mailbox){.wake = wake, .wake_ctx = wake_ctx};
    (void)pthread_mutex_init(&box->mutex, NULL);
}

void mailbox_deinit(struct mailbox *box)
{
    ASSERT(box->first == NULL);
    (void)pthread_mutex_destroy(&box->mutex);
}

void mailbox_push_take(struct mailbox *box, struct mail *mail)
{
    bool was_empty;

    (void)pthread_mutex_lock(&box->mutex);
    mail->next = NULL;
    was_empty = box->first == NULL;
    if (was_empty) {
        box->first = mail;
    } else {
        box->last->next = mail;
    }
    box->last = mail;
    box->bytes += mail->bytes;
    (void)pthread_mutex_unlock(&box->mutex);

    if (was_empty) {
        box->wake(box->wake_ctx);
    }
}

size_t mailbox_bytes(struct mailbox *box)
{
    size_t bytes;

    (void)pthread_mutex_lock(&box->mutex);
    bytes = box->bytes;
    (void)pthread_mutex_unlock(&box->mutex);
    return bytes;
}

struct mail *mailbox_drain(struct mailbox *box)
{
    struct mail *all;

    (void)pthread_mutex_lock(&box->mutex);
    all = box->first;
    box->first = NULL;
    box->last = NULL;
    box->bytes = 0;
    (void)pthread_mutex_unlock(&box->mutex);
    return all;
}
