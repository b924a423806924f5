/* worker_private - what the files of node/worker share. */
#ifndef NODE_WORKER_WORKER_PRIVATE_H
#define NODE_WORKER_WORKER_PRIVATE_H

#include "node/base/helpers.h"
#include "node/base/waker.h"
#include "node/core/backlog.h"
#include "node/worker/door.h"
#include "node/worker/worker.h"

#include <pthread.h>
#include <stdatomic.h>

#define READ_BYTES_MAX (64 * 1024)

struct conn;

struct slot {
    struct conn *conn;   /* NULL: free */
    uint32_t generation; /* moves with each use, so that late mail finds nobody */
    uint32_t next_free;
};

struct worker {
    /* constant after the start */
    uint32_t index;
    struct core *core;
    struct tls_store *tls;
    char *door_addresses[2]; /* "host:port"; NULL: no such door */
    char *default_domain;
    uint32_t stop_ms;
    struct helpers *helpers; /* check passwords */
    struct failures *failures;

    pthread_t thread;
    uv_loop_t loop;
    struct waker wake;
    uv_prepare_t before_wait; /* both end a turn: timers run before the wait, */
    uv_check_t after_wait;    /* sockets and mail after it */
    uv_timer_t tick;
    struct mailbox inbox;
    struct mailbox derived; /* passwords that were checked; one at most for each connection */
    atomic_bool is_over;    /* nobody waits for what helpers still do */

    uint8_t decoy_secret[STATE_DECOY_SECRET_BYTES]; /* see sasl.h; streams borrow it */
    struct worker_settings settings;
    struct door doors[2]; /* STARTTLS, direct TLS */
    uint64_t incarnation; /* 0: not serving */
    bool doors_told;      /* what the core knows of our doors */
    bool may_read;        /* lease held and log not full, as of this turn */
    bool is_stopping;
    bool is_closed;
    uint64_t stop_by_ms;
    uint32_t tick_phase;
    uint32_t session_count; /* of the connections looked at in this second so far */

    struct blob *domains; /* names, each ends with NUL */
    struct blob *about;   /* what the server says of itself, or NULL */
    struct addresses *addresses;
    struct slot *slots;
    uint32_t slot_count;
    uint32_t first_free; /* SLOT_NONE: none */
    uint32_t conn_count;
    struct conn *dirty;
    struct conn *throttled; /* not read for want of tokens; looked at again at the next tick */
    struct backlog backlog;
    uint8_t read_bytes[READ_BYTES_MAX]; /* what is read is used up before the callback returns */
};

#define SLOT_NONE UINT32_MAX

/** Step conn at the end of this turn. */
void worker_touch(struct worker *worker, struct conn *conn);
/** Step conn again at the next tick. */
void worker_throttle(struct worker *worker, struct conn *conn);
/** Submit a command; never refused. */
void worker_submit(struct worker *worker, struct slice command);
/** As rlog_replace(), of a command given to worker_submit(). */
void worker_replace(struct worker *worker, struct slice command, struct slice substitute);
/** The connection that has the slot still, or NULL. */
struct conn *worker_find(struct worker *worker, uint32_t slot, uint32_t generation);
/** conn is over: forget it; its memory is freed by the caller. */
void worker_release(struct worker *worker, struct conn *conn);
bool worker_serves_domain(void *worker, const char *domain);
uint32_t worker_written_version(void *worker);
const struct blob *worker_about(void *worker);

#endif
