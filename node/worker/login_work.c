#include "node/worker/login_work.h"

#include "node/base/clock.h"
#include "node/base/mem.h"
#include "node/worker/conn.h"

struct login_work {
    struct helper_job job;
    struct mail mail;
    struct worker *worker;
    uint32_t slot;
    uint32_t generation;
    struct address_key address;
    struct sasl_derivation *derivation;
};

/* Helper thread. The worker's memory outlives the helpers, its loop need not. */
static void run(struct helper_job *job)
{
    struct login_work *work = CONTAINER_OF(job, struct login_work, job);

    if (!atomic_load(&work->worker->is_over)) {
        sasl_derivation_run(work->derivation);
    }
    mailbox_push_take(&work->worker->derived, &work->mail);
}

void login_work_begin_take(const struct conn *conn, struct sasl_derivation *derivation)
{
    struct login_work *work = mem_zalloc(sizeof(*work));

    work->job.run = run;
    work->worker = conn->worker;
    work->slot = conn->slot;
    work->generation = conn->generation;
    work->address = conn->address;
    work->derivation = derivation;
    helpers_give(conn->worker->helpers, &work->job);
}

static struct login_work *take(struct mail **mail)
{
    struct login_work *work = CONTAINER_OF(*mail, struct login_work, mail);

    *mail = (*mail)->next;
    return work;
}

void login_work_collect(struct worker *worker)
{
    struct mail *mail = mailbox_drain(&worker->derived);

    while (mail != NULL) {
        struct login_work *work = take(&mail);
        struct conn *conn = worker_find(worker, work->slot, work->generation);

        if (conn == NULL) { /* who does not wait for the answer has cost as much as who fails */
            failures_add(worker->failures, &work->address, clock_mono_ms());
            sasl_derivation_free(&work->derivation);
        } else {
            conn_on_derived_take(conn, work->derivation);
        }
        mem_free(&work);
    }
}

void login_work_discard(struct worker *worker)
{
    struct mail *mail = mailbox_drain(&worker->derived);

    while (mail != NULL) {
        struct login_work *work = take(&mail);

        sasl_derivation_free(&work->derivation);
        mem_free(&work);
    }
}
