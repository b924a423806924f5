#include "node/base/mailbox.h"

#include "node/base/assert.h"

#include <stdbool.h>

void mailbox_init(struct mailbox *box, size_t count_max, void (*wake)(void *ctx), void *wake_ctx)
{
    *box = (struct mailbox){.count_max = count_max, .wake = wake, .wake_ctx = wake_ctx};
    (void)pthread_mutex_init(&box->mutex, NULL);
}

void mailbox_deinit(struct mailbox *box)
{
    ASSERT(box->first == NULL);
    (void)pthread_mutex_destroy(&box->mutex);
}

static int append(struct mailbox *box, struct mail *mail, size_t count_max)
{
    bool was_empty;

    (void)pthread_mutex_lock(&box->mutex);
    if (count_max != 0 && box->count >= count_max) {
        (void)pthread_mutex_unlock(&box->mutex);
        return ERR_BUSY;
    }
    mail->next = NULL;
    was_empty = box->first == NULL;
    if (was_empty) {
        box->first = mail;
    } else {
        box->last->next = mail;
    }
    box->last = mail;
    box->count++;
    box->bytes += mail->bytes;
    (void)pthread_mutex_unlock(&box->mutex);

    if (was_empty) {
        box->wake(box->wake_ctx);
    }
    return 0;
}

int mailbox_send_take(struct mailbox *box, struct mail *mail)
{
    return append(box, mail, box->count_max);
}

void mailbox_push_take(struct mailbox *box, struct mail *mail)
{
    int rc = append(box, mail, 0);

    ASSERT(rc == 0);
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
    box->count = 0;
    box->bytes = 0;
    (void)pthread_mutex_unlock(&box->mutex);
    return all;
}
