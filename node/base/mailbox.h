/* mailbox - queue into one thread, from any number of others. The sender wakes the receiver only
 * when the queue was empty; the receiver takes the whole list at once. It refuses nothing: where
 * one is made stands what bounds it. */
#ifndef NODE_BASE_MAILBOX_H
#define NODE_BASE_MAILBOX_H

#include <pthread.h>
#include <stddef.h>

/** Embed as a member of a message; find the message again with CONTAINER_OF. */
struct mail {
    struct mail *next;
    size_t bytes; /* that wait with it, as the sender counts them */
};

struct mailbox {
    pthread_mutex_t mutex;
    struct mail *first;
    struct mail *last;
    size_t bytes;
    void (*wake)(void *ctx); /* called by the sender; must be thread-safe (waker_wake) */
    void *wake_ctx;
};

void mailbox_init(struct mailbox *box, void (*wake)(void *ctx), void *wake_ctx);
/** The queue must be empty. */
void mailbox_deinit(struct mailbox *box);
/** Takes mail. */
void mailbox_push_take(struct mailbox *box, struct mail *mail);
/** What waits now: a sender that would make it too much keeps its mail back. */
size_t mailbox_bytes(struct mailbox *box);
/** All mail in order of arrival, linked by next; NULL when empty. The caller owns it. */
struct mail *mailbox_drain(struct mailbox *box);

#endif
