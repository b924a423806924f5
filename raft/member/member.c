#include "raft/member/member.h"

#include "node/base/log.h"
#include "node/base/mem.h"
#include "raft/member/codec.h"

/*   QUEUED --leader is another node--> ASKED --answer--> (done)
 *     ^  \                               |
 *     |   --this node leads--> RUNNING   | leader changed
 *     |                          |   \---|--> (done)
 *     +---- leadership lost -----+-------+                      */
enum job_state { JOB_QUEUED, JOB_ASKED, JOB_RUNNING };

struct job {
    struct job *next;
    enum job_state state;
    struct member_request request;
    uint64_t number;
    uint64_t ends_ms;
    uint64_t unsafe_ms;  /* since when it is refused for want of a majority; 0: it is not */
    uint32_t asked_node; /* ASKED: whom */
    uint32_t for_node;   /* the node that asked; 0: this one */
    uint64_t for_number;
    member_done done;
    void *ctx;
};

/* What a begin_ function says when libraft is at it; 0 or an error: done. */
enum begun { BEGUN_CHANGE = 1, BEGUN_TRANSFER = 2 };

/* A job that libraft is at. */
struct run {
    struct job *job; /* NULL: none */
    bool finished;   /* libraft called back: tell at the next turn (defect 16) */
    int outcome;     /* of a transfer, 0: this node leads no more */
};

struct member_changer {
    struct member_config config;
    struct job *jobs; /* oldest first */
    size_t job_count;
    uint64_t last_number;
    /* libraft keeps pointers to these, and to the send request inside a transfer even after its end
     * (defect 10): they live as long as the changer and are used one at a time. */
    struct raft_change change;
    struct raft_transfer transfer;
    struct run changing;
    struct run handing_on; /* a job that is a transfer, or begins with one */
    bool transfer_begun;
    uint64_t hold_ends_ms;
};

static int from_raft(int rv)
{
    switch (rv) {
    case 0:
        return 0;
    case RAFT_NOTLEADER:
    case RAFT_LEADERSHIPLOST:
        return ERR_NOT_LEADER;
    case RAFT_DUPLICATEID:
    case RAFT_DUPLICATEADDRESS:
        return ERR_EXISTS;
    case RAFT_BADID:
    case RAFT_NOTFOUND:
        return ERR_NOT_FOUND;
    case RAFT_BADROLE:
        return ERR_INVALID;
    case RAFT_CANTCHANGE:
    case RAFT_BUSY:
        return ERR_BUSY;
    case RAFT_NOCONNECTION:
        return ERR_TIMEOUT;
    case RAFT_SHUTDOWN:
    case RAFT_CANCELED:
        return ERR_CLOSED;
    default:
        return ERR_IO;
    }
}

struct member_changer *member_new(const struct member_config *config)
{
    struct member_changer *members = mem_zalloc(sizeof(*members));

    members->config = *config;
    return members;
}

static void unlink_job(struct member_changer *members, struct job *job)
{
    struct job **at = &members->jobs;

    while (*at != job) {
        at = &(*at)->next;
    }
    *at = job->next;
    members->job_count--;
}

static void send_answer(struct member_changer *members, uint32_t node_id, uint64_t number,
                        int status)
{
    const struct member_answer answer = {.number = number, .status = status};
    struct buf bytes = BUF_EMPTY;

    member_answer_encode(&answer, &bytes);
    /* Lost with the link: the asker's time runs out, or it asks the next leader. */
    (void)members->config.send(members->config.ctx, node_id, false, buf_slice(&bytes));
    buf_deinit(&bytes);
}

static void finish(struct member_changer *members, struct job *job, int status)
{
    unlink_job(members, job);
    log_info("raft.member_change", LOG_UINT("kind", job->request.kind),
             LOG_UINT("raft_id", job->request.id), LOG_STR("status", err_text(status)));
    if (job->for_node != 0) {
        send_answer(members, job->for_node, job->for_number, status);
    } else {
        job->done(job->ctx, status);
    }
    mem_free(&job);
}

void member_free(struct member_changer **members)
{
    while ((*members)->jobs != NULL) {
        struct job *job = (*members)->jobs;

        unlink_job(*members, job);
        if (job->for_node == 0) {
            job->done(job->ctx, ERR_CLOSED);
        }
        mem_free(&job);
    }
    mem_free(members);
}

static struct job *add_job(struct member_changer *members, const struct member_request *request,
                           uint64_t now_ms)
{
    struct job *job = mem_zalloc(sizeof(*job));
    struct job **at = &members->jobs;

    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = job;
    members->job_count++;
    job->request = *request;
    job->number = ++members->last_number;
    job->ends_ms = now_ms + MEMBER_TIME_MS;
    return job;
}

void member_change(struct member_changer *members, const struct member_request *request,
                   member_done done, void *ctx, uint64_t now_ms)
{
    struct job *job;

    if (members->job_count >= MEMBER_REQUESTS_MAX) {
        done(ctx, ERR_BUSY);
        return;
    }
    job = add_job(members, request, now_ms);
    job->done = done;
    job->ctx = ctx;
}

static struct job *find_asked(struct member_changer *members, uint64_t number)
{
    struct job *job = members->jobs;

    while (job != NULL && (job->number != number || job->state != JOB_ASKED)) {
        job = job->next;
    }
    return job;
}

static int on_ask(struct member_changer *members, uint32_t node_id, struct slice bytes)
{
    struct member_ask ask;
    struct job *job;
    int rc = member_ask_decode(bytes, &ask);

    if (rc != 0) {
        return rc;
    }
    if (!shim_leads(members->config.shim)) {
        send_answer(members, node_id, ask.number, ERR_NOT_LEADER);
    } else if (members->job_count >= MEMBER_REQUESTS_MAX) {
        send_answer(members, node_id, ask.number, ERR_BUSY);
    } else {
        job = add_job(members, &ask.request, 0);
        job->for_node = node_id;
        job->for_number = ask.number;
        job->ends_ms = UINT64_MAX; /* the asker watches the time */
    }
    return 0;
}

static int on_answer(struct member_changer *members, struct slice bytes)
{
    struct member_answer answer;
    struct job *job;
    int rc = member_answer_decode(bytes, &answer);

    if (rc != 0) {
        return rc;
    }
    job = find_asked(members, answer.number);
    if (job == NULL) {
        return 0;
    }
    if (answer.status == ERR_NOT_LEADER) {
        job->state = JOB_QUEUED;
    } else {
        finish(members, job, answer.status);
    }
    return 0;
}

int member_on_frame(struct member_changer *members, uint32_t node_id, bool is_ask,
                    struct slice bytes)
{
    return is_ask ? on_ask(members, node_id, bytes) : on_answer(members, bytes);
}

static void on_changed(struct raft_change *change, int status)
{
    struct member_changer *members = CONTAINER_OF(change, struct member_changer, change);

    members->changing.finished = true;
    members->changing.outcome = from_raft(status);
}

static void on_transferred(struct raft_transfer *transfer)
{
    struct member_changer *members = CONTAINER_OF(transfer, struct member_changer, transfer);

    members->handing_on.finished = true;
    members->handing_on.outcome = members->config.raft->state == RAFT_LEADER ? ERR_TIMEOUT : 0;
}

static const struct raft_server *find_member(const struct member_changer *members, raft_id id)
{
    int i = shim_member_index(members->config.raft, id);

    return i < 0 ? NULL : &members->config.raft->configuration.servers[i];
}

static unsigned voter_count(const struct raft *raft)
{
    unsigned count = 0;

    for (unsigned i = 0; i < raft->configuration.n; i++) {
        count += raft->configuration.servers[i].role == RAFT_VOTER ? 1 : 0;
    }
    return count;
}

/* Would a majority of the voters, once a member has this role, answer? A spare that becomes one has
 * to catch up first: then it does. */
static bool leaves_majority(const struct member_changer *members, raft_id id, int role)
{
    const struct raft *raft = members->config.raft;
    unsigned voters = 0;
    unsigned answering = 0;

    for (unsigned i = 0; i < raft->configuration.n; i++) {
        const struct raft_server *server = &raft->configuration.servers[i];

        if ((server->id == id ? role : server->role) == RAFT_VOTER) {
            voters++;
            answering += server->id == raft->id || server->role == RAFT_SPARE ||
                         members->config.answers(members->config.ctx, server->id);
        }
    }
    return answering > voters / 2;
}

/* May a member have this role from now on? Losing it altogether counts as RAFT_SPARE. */
static int check_role(const struct member_changer *members, const struct raft_server *there,
                      int role)
{
    unsigned voters = voter_count(members->config.raft);

    if (role == RAFT_VOTER && voters >= MEMBER_VOTERS_MAX) {
        return ERR_LIMIT;
    }
    if (role != RAFT_VOTER && there->role != RAFT_VOTER) {
        return 0;
    }
    if (role != RAFT_VOTER && voters == 1) {
        return ERR_NOT_ALLOWED;
    }
    return leaves_majority(members, there->id, role) ? 0 : ERR_NO_MAJORITY;
}

/* A voter that has all we have, the wanted one or any that answers. 0: none (yet). */
static raft_id find_transferee(const struct member_changer *members, raft_id wanted)
{
    struct raft *raft = members->config.raft;

    for (unsigned i = 0; i < raft->configuration.n; i++) {
        const struct raft_server *server = &raft->configuration.servers[i];

        if (server->role == RAFT_VOTER && server->id != raft->id &&
            (wanted == 0 ? members->config.answers(members->config.ctx, server->id)
                         : server->id == wanted) &&
            raft->leader_state.progress[i].match_index == raft_last_index(raft)) {
            return server->id;
        }
    }
    return 0;
}

static int begin_transfer(struct member_changer *members, raft_id target)
{
    struct raft *raft = members->config.raft;
    const struct raft_server *there = find_member(members, target);

    if (target == raft->id) {
        return 0;
    }
    if ((target != 0 && (there == NULL || there->role != RAFT_VOTER)) || voter_count(raft) == 1) {
        return ERR_NOT_FOUND;
    }
    return BEGUN_TRANSFER;
}

static int begin_add(struct member_changer *members, const struct member_request *request)
{
    struct raft *raft = members->config.raft;
    const struct raft_server *there = find_member(members, request->id);
    int rv;

    if (there != NULL) {
        return strcmp(there->address, request->address) == 0 ? 0 : ERR_EXISTS;
    }
    for (unsigned i = 0; i < raft->configuration.n; i++) {
        if (shim_node_of(raft->configuration.servers[i].id) == shim_node_of(request->id)) {
            return ERR_EXISTS; /* one membership of a node at a time: remove the old one first */
        }
    }
    if (raft->configuration.n >= MEMBER_COUNT_MAX) {
        return ERR_LIMIT;
    }
    rv = raft_add(raft, &members->change, request->id, request->address, on_changed);
    return rv == 0 ? BEGUN_CHANGE : from_raft(rv);
}

static int begin_assign(struct member_changer *members, const struct member_request *request)
{
    struct raft *raft = members->config.raft;
    const struct raft_server *there = find_member(members, request->id);
    int rv;

    if (there == NULL) {
        return ERR_NOT_FOUND;
    }
    if (there->role == request->role) {
        return 0;
    }
    rv = check_role(members, there, request->role);
    if (rv != 0) {
        return rv;
    }
    if (there->id == raft->id) {
        return begin_transfer(members, 0); /* then the next leader demotes this one */
    }
    rv = raft_assign(raft, &members->change, request->id, request->role, on_changed);
    return rv == 0 ? BEGUN_CHANGE : from_raft(rv);
}

static int begin_remove(struct member_changer *members, const struct member_request *request)
{
    const struct raft_server *there = find_member(members, request->id);
    int rv;

    if (there == NULL) {
        return 0;
    }
    rv = check_role(members, there, RAFT_SPARE);
    if (rv != 0) {
        return rv;
    }
    if (there->id == members->config.raft->id) {
        return begin_transfer(members, 0); /* then the next leader removes this one */
    }
    rv = raft_remove(members->config.raft, &members->change, request->id, on_changed);
    return rv == 0 ? BEGUN_CHANGE : from_raft(rv);
}

static int begin(struct member_changer *members, const struct job *job)
{
    switch (job->request.kind) {
    case MEMBER_ADD:
        return begin_add(members, &job->request);
    case MEMBER_ASSIGN:
        return begin_assign(members, &job->request);
    case MEMBER_REMOVE:
        return begin_remove(members, &job->request);
    case MEMBER_TRANSFER:
        return begin_transfer(members, job->request.id);
    }
    return ERR_INVALID;
}

/* A new leader has to hear from the others first: a refusal for want of them takes two leases. */
static bool is_too_early(const struct member_changer *members, struct job *job, int rc,
                         uint64_t now_ms)
{
    if (rc != ERR_NO_MAJORITY) {
        job->unsafe_ms = 0;
    } else if (job->unsafe_ms == 0) {
        job->unsafe_ms = now_ms;
    }
    return rc == ERR_NO_MAJORITY && now_ms - job->unsafe_ms < 2 * members->config.lease_ms;
}

/* One at a time. But while a member catches up before it gets a vote, for a minute if its disk
 * hangs, nothing of that is in the log yet, and leadership can be handed on: libraft gives the
 * promotion up with its leadership, and the next leader decides about it. */
static bool may_run(const struct member_changer *members, const struct job *job)
{
    bool catches_up = members->config.raft->leader_state.promotee_id != 0;

    return members->handing_on.job == NULL &&
           (members->changing.job == NULL || (job->request.kind == MEMBER_TRANSFER && catches_up));
}

static void run(struct member_changer *members, struct job *job, uint64_t now_ms)
{
    int rc = begin(members, job);

    if (is_too_early(members, job, rc, now_ms)) {
        return;
    }
    if (rc == BEGUN_CHANGE) {
        job->state = JOB_RUNNING;
        members->changing.job = job;
    } else if (rc == BEGUN_TRANSFER) {
        job->state = JOB_RUNNING;
        members->handing_on.job = job;
        members->transfer_begun = false;
        members->hold_ends_ms = now_ms + MEMBER_TRANSFER_MS;
    } else if (rc != ERR_BUSY && rc != ERR_NOT_LEADER) { /* those wait for their time */
        finish(members, job, rc);
    }
}

/* Proposals are held: once a target has everything, ask it to take over (defect 11: it must have no
 * unwritten entries then). */
static void continue_transfer(struct member_changer *members, uint64_t now_ms)
{
    struct raft *raft = members->config.raft;
    struct run *run = &members->handing_on;
    const struct member_request *request = &run->job->request;
    raft_id target;
    int rv;

    if (members->transfer_begun || run->finished) {
        return;
    }
    if (raft->state != RAFT_LEADER) {
        run->finished = true;
        run->outcome = 0;
        return;
    }
    target = find_transferee(members, request->kind == MEMBER_TRANSFER ? request->id : 0);
    if (target == 0) {
        run->finished = now_ms >= members->hold_ends_ms;
        run->outcome = ERR_TIMEOUT;
        return;
    }
    rv = raft_transfer(raft, &members->transfer, target, on_transferred);
    members->transfer_begun = rv == 0;
    run->finished = run->finished || rv != 0;
    if (rv != 0) {
        run->outcome = from_raft(rv);
    }
}

static void end_run(struct member_changer *members, struct run *run, int outcome)
{
    struct job *job = run->job;

    *run = (struct run){.job = NULL};
    if (outcome == ERR_NOT_LEADER && job->for_node == 0 && job->request.term == 0) {
        job->state = JOB_QUEUED; /* unknown, not failed: the next leader decides */
    } else {
        finish(members, job, outcome);
    }
}

/* What it means for a job that this node leads no more: 0, an error, or 1: not known yet. */
static int judge_loss(const struct member_changer *members, const struct job *job, uint64_t now_ms)
{
    const char *address;
    raft_id leader;

    if (job->request.kind != MEMBER_TRANSFER) {
        return ERR_NOT_LEADER; /* the next one does what was asked for */
    }
    raft_leader(members->config.raft, &leader, &address);
    if (job->request.id == 0 || leader == job->request.id) {
        return 0;
    }
    return leader == 0 && now_ms < job->ends_ms ? 1 : ERR_NOT_LEADER;
}

static void step_handing_on(struct member_changer *members, uint64_t now_ms)
{
    struct run *run = &members->handing_on;
    int outcome;

    continue_transfer(members, now_ms);
    if (!run->finished) {
        return;
    }
    outcome = run->outcome == 0 ? judge_loss(members, run->job, now_ms) : run->outcome;
    if (outcome != 1) {
        end_run(members, run, outcome);
    }
}

static void step_running(struct member_changer *members, uint64_t now_ms)
{
    if (members->handing_on.job != NULL) {
        step_handing_on(members, now_ms);
    }
    if (members->changing.job != NULL && members->changing.finished) {
        end_run(members, &members->changing, members->changing.outcome);
    }
}

static void ask_leader(struct member_changer *members, struct job *job, uint32_t leader_node)
{
    const struct member_ask ask = {.number = job->number, .request = job->request};
    struct buf bytes = BUF_EMPTY;

    member_ask_encode(&ask, &bytes);
    if (members->config.send(members->config.ctx, leader_node, true, buf_slice(&bytes))) {
        job->state = JOB_ASKED;
        job->asked_node = leader_node;
    }
    buf_deinit(&bytes);
}

/* What a leader decided itself is never carried out by another one (DESIGN 3). */
static bool is_void(const struct member_changer *members, const struct job *job)
{
    return job->request.term != 0 && (!shim_leads(members->config.shim) ||
                                      members->config.raft->current_term != job->request.term);
}

static void step_waiting(struct member_changer *members, struct job *job, uint32_t leader_node,
                         uint64_t now_ms)
{
    bool leads = shim_leads(members->config.shim);

    if (now_ms >= job->ends_ms || is_void(members, job)) {
        finish(members, job, is_void(members, job) ? ERR_NOT_LEADER : ERR_TIMEOUT);
        return;
    }
    if (job->state == JOB_ASKED && job->asked_node != leader_node) {
        job->state = JOB_QUEUED;
    }
    if (job->state != JOB_QUEUED) {
        return;
    }
    if (leads && may_run(members, job)) {
        run(members, job, now_ms);
    } else if (!leads && job->for_node != 0) {
        finish(members, job, ERR_NOT_LEADER);
    } else if (!leads && leader_node != 0 &&
               leader_node != shim_node_of(members->config.raft->id)) {
        ask_leader(members, job, leader_node);
    }
}

void member_turn(struct member_changer *members, uint32_t leader_node, uint64_t now_ms)
{
    struct job *next;

    step_running(members, now_ms);
    for (struct job *job = members->jobs; job != NULL; job = next) {
        next = job->next;
        if (job->state != JOB_RUNNING) {
            step_waiting(members, job, leader_node, now_ms);
        }
    }
}

bool member_holds_proposals(const struct member_changer *members)
{
    return members->handing_on.job != NULL;
}
