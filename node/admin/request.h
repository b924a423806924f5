/* request - one request on the control socket, from its line to its answer. A verb starts it and it
 * ends by exactly one of request_ok() and the request_fail functions. Admin thread, but for the
 * functions of jobs. */
#ifndef NODE_ADMIN_REQUEST_H
#define NODE_ADMIN_REQUEST_H

#include "node/admin/control.h"
#include "node/base/jid.h"

struct request {
    struct admin *admin;
    struct control *control;
    json_t *message; /* the whole line */
    json_t *args;    /* borrowed from message; an object */
    json_int_t id;

    struct core_job job; /* work elsewhere: on the state thread, the raft thread or a deriver */
    void (*read)(struct request *request, struct core *core);
    void (*then)(struct request *request);
    struct reload_call reload;                /* the same, for a reload */
    void (*granted)(struct request *request); /* goes on after a read that ended well */
    int rc;                                   /* of that work */
    char *fault;                              /* of that work; NULL: what rc says */
    json_t *result;                           /* of that work */
    size_t row; /* of the list in args that it failed for, from 1; 0: of none */
    /* What a command came to, for result. NULL: rc says it all. */
    void (*count)(struct request *request, const struct outcome *outcome);
    /* Of a command that was refused: a read() that gives rc words by request_deny(), or leaves it
     * to say what it says when the state has become another since. NULL: there are none. */
    void (*explain)(struct request *request, struct core *core);
    /* On the control thread, once the command was applied here. NULL: that is the answer. */
    void (*applied)(struct request *request);

    unsigned kind;     /* of verbs that share a read() */
    Pb__NodeMove move; /* granted, not yet in the log */
    struct request_plan {
        uint64_t mover; /* the incarnation that would drop sessions, and its node */
        uint32_t mover_node;
        uint64_t next_session; /* those before it are counted */
        bool is_counted;
    } plan;           /* what move would do */
    uint64_t raft_id; /* the member whose change is granted */
    struct derivation derivation;
    uint64_t cookie; /* of the command in the log */
    struct request *next_waiting;
};

/** Start what message asks for. Takes message; NULL: the line was no JSON. */
void request_start(struct admin *admin, struct control *control, json_t *message);

/** Takes result; NULL for an empty one. */
void request_ok(struct request *request, json_t *result);
/** code: enum err; the text is what the operator reads. */
void request_fail(struct request *request, int code, const char *text);
void request_fail_usage(struct request *request, const char *text);

/** Let read() fill result or rc on the state thread, then answer with it. */
void request_read_state(struct request *request,
                        void (*read)(struct request *request, struct core *core));
/** Let read() say on the state thread whether then() may go on, on the control thread: rc is 0. */
void request_read_then(struct request *request,
                       void (*read)(struct request *request, struct core *core),
                       void (*then)(struct request *request));
/** In a read() or an explain(): refuse with rc, in these words. */
__attribute__((format(printf, 3, 4))) void request_deny(struct request *request, int rc,
                                                        const char *format, ...);
/** The same as request_read_state() after a scrub of the store. */
void request_scrub(struct request *request,
                   void (*read)(struct request *request, struct core *core));
/** Submit command (its ref is set here) and answer when it was applied here; when it was refused,
 * in the words of request->explain. */
void request_submit(struct request *request, Pb__Command *command);
/** Let the derivers make keys for request->derivation, then go on with then(). */
void request_derive(struct request *request, void (*then)(struct request *request));
/** Have the configuration read again and answer how it went. */
void request_reload(struct request *request);
/** From a thread of one's own: come back to the control thread, and there go on with then(). */
void request_post(struct request *request, void (*then)(struct request *request));
/** What result and rc say is the answer. Admin thread. */
void request_conclude(struct request *request);
/** For rlog_done: answers by status, from the raft thread. ctx is the request. */
void request_on_log_done(void *ctx, int status);

/** The outcome of a command arrived. */
void request_on_outcome(struct admin *admin, uint64_t cookie, const struct outcome *outcome);
/** Work elsewhere is done. */
void request_on_job(struct core_job *job);
/** This node's incarnation is over: nobody knows what became of the commands in the log. */
void request_all_unknown(struct admin *admin);

/* ---- arguments */

/** A text argument; NULL when absent or no text. */
const char *request_text(const struct request *request, const char *name);
/** A number argument, or otherwise. */
json_int_t request_number(const struct request *request, const char *name, json_int_t otherwise);
/** The prepared bare address in a text argument; false: the request has failed already. */
bool request_user(struct request *request, struct jid *out);
/** The id in the argument "node"; false: the request has failed already. */
bool request_node(struct request *request, uint32_t *node_out);
/** The prepared domain in the argument "domain"; false: the request has failed already. */
bool request_domain(struct request *request, char out[JID_PART_BYTES_MAX + 1]);

#endif
