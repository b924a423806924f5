/* inbox - everything the state thread is told, as mail from other threads. It never refuses:
 * committed entries are references into the log, and the shim takes no more of them while too much
 * is not applied (DESIGN 3, back-pressure); of each connection one look-up and one pull can be in
 * it; a job waits for its answer; the rest are few. */
#ifndef NODE_CORE_INBOX_H
#define NODE_CORE_INBOX_H

#include "node/base/blob.h"
#include "node/base/mailbox.h"
#include "node/core/core.h"

enum note_kind {
    NOTE_ENTRY,
    NOTE_ROLE,
    NOTE_SILENT,
    NOTE_OTHER_HASH,
    NOTE_MANIFEST,
    NOTE_COPY,
    NOTE_FETCHED,
    NOTE_ROLE_CHANGED,
    NOTE_HANDED_ON,
    NOTE_DURABLE,
    NOTE_SCRUB,    /* job: wants one now */
    NOTE_SCRUBBED, /* index, status; hash: what the rows have more than the sum says; job or NULL */
    NOTE_ABOUT,    /* bytes */
    NOTE_CREDENTIALS,
    NOTE_PULL,
    NOTE_JOB,
    NOTE_FAREWELL,
    NOTE_STOP
};

struct note {
    struct mail mail;
    enum note_kind kind;
    uint64_t index;
    uint64_t term;
    uint64_t hash;
    uint64_t incarnation;
    uint32_t node;
    bool is_leader;
    int status;
    struct blob *entry;
    struct blob *bytes;
    struct effect_ref ref;
    char *user;
    struct delivery_pull pull;
    struct core_job *job;
};

struct inbox {
    struct mailbox box;
};

/** A zeroed note of kind. */
struct note *note_new(enum note_kind kind);
void note_free(struct note **note);
void inbox_post_take(struct inbox *inbox, struct note *note);

/** Callbacks that post what the raft thread and the checkpoint thread tell. */
struct rlog_events inbox_log_events(struct inbox *inbox);
void inbox_on_durable(void *ctx, uint64_t mark_index, uint64_t hash, int status);

#endif
