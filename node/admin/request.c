#include "node/admin/request.h"

#include "node/admin/verbs.h"
#include "node/base/jid.h"
#include "node/base/mem.h"
#include "node/base/utf8.h"
#include "storage/state/command.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REFUSAL_BYTES_MAX 1000
#define RETRY_MS          20

/* ---- answers */

/* ERR_NOT_FOUND -> "not_found" */
static const char *error_name(int code, char name[32])
{
    static const struct {
        int code;
        const char *name;
    } names[] = {
#define ERR_NAME(symbol, value, text) {(value), #symbol},
        ERR_MAP(ERR_NAME)
#undef ERR_NAME
    };
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (names[i].code == code) {
            for (const char *c = names[i].name + strlen("ERR_"); *c != '\0'; c++) {
                name[len++] = (char)tolower((unsigned char)*c);
            }
        }
    }
    name[len] = '\0';
    return len == 0 ? "failed" : name;
}

static void end(struct request *request, json_t *answer)
{
    (void)json_object_set_new(answer, "id", json_integer(request->id));
    control_send(request->control, answer);
    json_decref(answer);
    json_decref(request->message);
    json_decref(request->result);
    derivation_clear(&request->derivation);
    mem_free(&request->fault);
    control_unref(&request->control);
    mem_free(&request);
}

/* Does what is read here hold for the cluster, or is it what this node knew last? A witness serves
 * nobody, and knows what the cluster does. */
static bool is_current(const struct admin *admin)
{
    return admin->is_witness ? rlog_lease_held(core_log(admin->core)) : core_may_serve(admin->core);
}

void request_ok(struct request *request, json_t *result)
{
    end(request, json_pack("{s:b,s:b,s:o}", "ok", 1, "current", (int)is_current(request->admin),
                           "result", result != NULL ? result : json_object()));
}

/* JSON is UTF-8; a text may be cut within a character, or have the bytes of a file's name in it. */
static void make_valid(char *text)
{
    while (*text != '\0') {
        size_t len = utf8_sequence_len(slice_str(text));

        if (len == 0) {
            *text = '?';
            len = 1;
        }
        text += len;
    }
}

static void fail_named(struct request *request, const char *name, const char *text)
{
    char *valid = mem_strdup(text);
    json_t *answer;

    make_valid(valid);
    answer = json_pack("{s:b,s:s,s:s}", "ok", 0, "error", name, "text", valid);
    mem_free(&valid);
    if (request->row != 0) {
        (void)json_object_set_new(answer, "row", json_integer((json_int_t)request->row));
    }
    end(request, answer);
}

void request_fail(struct request *request, int code, const char *text)
{
    char name[32];

    fail_named(request, error_name(code, name), text != NULL ? text : err_text(code));
}

void request_fail_usage(struct request *request, const char *text)
{
    fail_named(request, "usage", text);
}

/* ---- start */

void request_start(struct admin *admin, struct control *control, json_t *message)
{
    struct request *request = mem_zalloc(sizeof(*request));
    const struct verb *verb;
    const char *name;

    request->admin = admin;
    request->control = control;
    control_ref(control);
    request->message = message;
    if (!json_is_object(request->message)) {
        request_fail_usage(request, "not a JSON object");
        return;
    }
    request->id = json_integer_value(json_object_get(request->message, "id"));
    request->args = json_object_get(request->message, "args");
    if (!json_is_object(request->args)) {
        (void)json_object_set_new(request->message, "args", json_object());
        request->args = json_object_get(request->message, "args");
    }
    name = json_string_value(json_object_get(request->message, "verb"));
    verb = name == NULL ? NULL : verb_find(name);
    if (verb == NULL) {
        request_fail_usage(request, "no such verb: musterd here is " MUSTER_VERSION
                                    ", what asks it may be of another version");
        return;
    }
    verb->start(request);
}

/* ---- work elsewhere */

static void read_on_state_thread(struct core_job *job, struct core *core)
{
    struct request *request = CONTAINER_OF(job, struct request, job);

    request->read(request, core);
}

static void answer_with_result(struct request *request)
{
    json_t *result = request->result;

    request->result = NULL;
    if (request->rc != 0) {
        json_decref(result);
        request_fail(request, request->rc, request->fault);
    } else {
        request_ok(request, result);
    }
}

void request_read_state(struct request *request,
                        void (*read)(struct request *request, struct core *core))
{
    request->job.run = read_on_state_thread;
    request->read = read;
    request->then = answer_with_result;
    core_post_job(request->admin->core, &request->job);
}

static void go_on_when_granted(struct request *request)
{
    if (request->rc != 0) {
        answer_with_result(request);
    } else {
        request->granted(request);
    }
}

void request_read_then(struct request *request,
                       void (*read)(struct request *request, struct core *core),
                       void (*then)(struct request *request))
{
    request->granted = then;
    request->job.run = read_on_state_thread;
    request->read = read;
    request->then = go_on_when_granted;
    core_post_job(request->admin->core, &request->job);
}

void request_deny(struct request *request, int rc, const char *format, ...)
{
    char text[REFUSAL_BYTES_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    request->rc = rc;
    request->fault = mem_strdup(text);
}

void request_scrub(struct request *request,
                   void (*read)(struct request *request, struct core *core))
{
    request->job.run = read_on_state_thread;
    request->read = read;
    request->then = answer_with_result;
    core_post_scrub(request->admin->core, &request->job);
}

void request_on_job(struct core_job *job)
{
    struct request *request = CONTAINER_OF(job, struct request, job);

    if (request->admin->is_stopping) { /* nobody is there to hear it; the core may be gone, too */
        request_fail(request, ERR_CLOSED, NULL);
    } else {
        request->then(request);
    }
}

/* From another thread: come back to the control thread by its mailbox. */
static void post_done(struct request *request)
{
    struct port_message *message = port_new(PORT_JOB);

    message->job = &request->job;
    mailbox_push_take(&request->admin->inbox, &message->mail);
}

void request_post(struct request *request, void (*then)(struct request *request))
{
    request->then = then;
    post_done(request);
}

void request_conclude(struct request *request)
{
    answer_with_result(request);
}

static void on_derived(struct derivation *derivation)
{
    post_done(CONTAINER_OF(derivation, struct request, derivation));
}

void request_derive(struct request *request, void (*then)(struct request *request))
{
    request->then = then;
    request->derivation.iterations = request->admin->scram_iterations;
    request->derivation.is_over = &request->admin->is_over;
    request->derivation.done = on_derived;
    deriver_give(request->admin->helpers, &request->derivation);
}

static void on_reloaded(struct reload_call *call, int status, const char *fault)
{
    struct request *request = CONTAINER_OF(call, struct request, reload);

    request->rc = status;
    request->fault = mem_strdup(fault);
    request->then = answer_with_result;
    post_done(request);
}

void request_reload(struct request *request)
{
    int rc;

    request->reload.done = on_reloaded;
    rc = request->admin->reload(request->admin->reload_ctx, &request->reload);
    if (rc != 0) {
        request_fail(request, rc, rc == ERR_BUSY ? "another reload is under way" : NULL);
    }
}

void request_on_log_done(void *ctx, int status)
{
    struct request *request = ctx;

    request->rc = status;
    request->then = answer_with_result;
    post_done(request);
}

/* ---- commands */

static void on_retry(uv_timer_t *timer)
{
    struct admin *admin = timer->data;

    backlog_retry(&admin->backlog, core_log(admin->core));
    if (backlog_is_empty(&admin->backlog)) {
        (void)uv_timer_stop(timer);
    }
}

void request_submit(struct request *request, Pb__Command *command)
{
    struct admin *admin = request->admin;
    struct effect_ref ref = {.worker = REF_WORKER_ADMIN};
    struct buf bytes = BUF_EMPTY;

    if (!core_may_serve(admin->core)) {
        request_fail(request, ERR_NOT_LEADER, "this node does not serve: no leader, or starting");
        return;
    }
    ref.cookie = request->cookie = ++admin->next_cookie;
    command_append(command, &ref, &bytes);
    if (buf_len(&bytes) > ENTRY_COMMAND_BYTES_MAX) {
        buf_deinit(&bytes);
        request_fail(request, ERR_LIMIT, "too large for one command");
        return;
    }
    backlog_submit(&admin->backlog, core_log(admin->core), buf_slice(&bytes));
    buf_deinit(&bytes);
    if (!backlog_is_empty(&admin->backlog)) {
        (void)uv_timer_start(&admin->retry, on_retry, RETRY_MS, RETRY_MS);
    }
    request->next_waiting = admin->waiting;
    admin->waiting = request;
}

void request_on_outcome(struct admin *admin, uint64_t cookie, const struct outcome *outcome)
{
    struct request **link = &admin->waiting;
    struct request *request;

    while (*link != NULL && (*link)->cookie != cookie) {
        link = &(*link)->next_waiting;
    }
    request = *link;
    if (request == NULL) {
        return;
    }
    *link = request->next_waiting;
    request->rc = outcome->rc;
    request->row = outcome->row;
    if (request->count != NULL) {
        request->count(request, outcome);
    }
    if (request->rc != 0 && request->explain != NULL) {
        request_read_state(request, request->explain);
    } else if (request->rc == 0 && request->applied != NULL) {
        request->applied(request);
    } else {
        answer_with_result(request);
    }
}

void request_all_unknown(struct admin *admin)
{
    backlog_clear(&admin->backlog);
    while (admin->waiting != NULL) {
        struct request *request = admin->waiting;

        admin->waiting = request->next_waiting;
        fail_named(request, "unknown",
                   "this node lost its place in the cluster: look whether the "
                   "command was carried out");
    }
}

/* ---- arguments */

const char *request_text(const struct request *request, const char *name)
{
    return json_string_value(json_object_get(request->args, name));
}

json_int_t request_number(const struct request *request, const char *name, json_int_t otherwise)
{
    const json_t *value = json_object_get(request->args, name);

    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

bool request_user(struct request *request, struct jid *out)
{
    const char *text = request_text(request, "user");

    if (text == NULL || jid_parse(slice_str(text), out) != 0 || out->local[0] == '\0') {
        request_fail_usage(request, "user must be an address: local@domain");
        return false;
    }
    return true;
}

bool request_node(struct request *request, uint32_t *node_out)
{
    json_int_t node = request_number(request, "node", 0);

    if (node <= 0 || node > INT32_MAX) {
        request_fail_usage(request, "node must be a node id");
        return false;
    }
    *node_out = (uint32_t)node;
    return true;
}

bool request_domain(struct request *request, char out[JID_PART_BYTES_MAX + 1])
{
    const char *text = request_text(request, "domain");

    if (text == NULL || jid_prep_domain(slice_str(text), out) != 0) {
        request_fail_usage(request, "domain must be a domain name");
        return false;
    }
    return true;
}
