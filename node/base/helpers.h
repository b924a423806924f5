/* helpers - threads for work that costs milliseconds of processor time, which no loop may spend:
 * one a core, at low priority, so that the loops go first. Not uv's pool: the raft log is written
 * there, too. Jobs are begun in the order in which they are given. */
#ifndef NODE_BASE_HELPERS_H
#define NODE_BASE_HELPERS_H

/** Embed as a member of what is to be done; find it again with CONTAINER_OF. */
struct helper_job {
    struct helper_job *next;
    void (*run)(struct helper_job *job); /* on a helper thread; the job is its own again */
};

struct helpers;

/** name: of the threads, for debuggers; a literal of at most 15 bytes. */
struct helpers *helpers_start(const char *name);
/** Ends when what was given is done. */
void helpers_stop(struct helpers **helpers);
/** Any thread. */
void helpers_give(struct helpers *helpers, struct helper_job *job);

#endif
