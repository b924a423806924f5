/* Verbs about sessions. */
#include "node/admin/verbs.h"

#include <string.h>

struct session_list {
    struct core *core;
    json_t *rows;
    const char *resource; /* only this one; NULL: all */
    bool more;
};

static const char *life_name(enum session_life life)
{
    static const char *const names[] = {
        [SESSION_LIVE] = "live", [SESSION_DETACHED] = "detached", [SESSION_GONE] = "gone"};

    return names[life];
}

static bool list_session(void *ctx, uint64_t session, const Pb__SessionRow *row)
{
    struct session_list *list = ctx;
    struct state *state = core_state(list->core);
    const Pb__IncarnationRow *life;
    enum session_life state_now;
    uint64_t deadline_ms = 0;
    json_t *item;

    if (list->resource != NULL && strcmp(list->resource, row->resource) != 0) {
        return true;
    }
    if (json_array_size(list->rows) >= LIST_ROWS_MAX) {
        list->more = true;
        return false;
    }
    state_now = state_session_life(state, row, &deadline_ms);
    life = row->owner == NULL
               ? NULL
               : state_incarnation(state, core_arena(list->core), row->owner->incarnation);
    item = json_pack("{s:I,s:s,s:s,s:s,s:I,s:I,s:I,s:b,s:b,s:I,s:I}", "id", (json_int_t)session,
                     "user", row->user, "resource", row->resource, "state", life_name(state_now),
                     "node", (json_int_t)(life == NULL ? 0 : life->node), "epoch",
                     (json_int_t)row->epoch, "pending", (json_int_t)row->pending_count, "acks",
                     row->acks, "resumable", row->resumable, "bound_ms", (json_int_t)row->bound_ms,
                     "deadline_ms", (json_int_t)deadline_ms);
    (void)json_array_append_new(list->rows, item);
    return true;
}

static json_t *finish_list(struct session_list *list)
{
    return json_pack("{s:o,s:b,s:I}", "sessions", list->rows, "more", list->more, "time_ms",
                     (json_int_t)state_time_ms(core_state(list->core)));
}

static void read_sessions(struct request *request, struct core *core)
{
    struct session_list list = {.core = core, .rows = json_array()};
    const char *user = request_text(request, "bare");

    list.resource = request_text(request, "resource");
    if (user == NULL) {
        json_int_t after = request_number(request, "after", 0);

        state_each_session(core_state(core), core_arena(core), (uint64_t)after + 1, list_session,
                           &list);
    } else {
        state_each_session_of(core_state(core), core_arena(core), user, list_session, &list);
    }
    request->result = finish_list(&list);
}

/* Prepares "user" into "bare" and "resource". */
static bool prepare_address(struct request *request)
{
    struct buf text = BUF_EMPTY;
    struct jid user;

    if (!request_user(request, &user)) {
        return false;
    }
    jid_format_bare(&user, &text);
    (void)json_object_set_new(request->args, "bare", json_string(buf_text(&text)));
    if (user.resource[0] != '\0') {
        (void)json_object_set_new(request->args, "resource", json_string(user.resource));
    }
    buf_deinit(&text);
    return true;
}

void verb_session_list(struct request *request)
{
    if (request_text(request, "user") == NULL || prepare_address(request)) {
        request_read_state(request, read_sessions);
    }
}

static void deny_none(struct request *request)
{
    const char *resource = request_text(request, "resource");

    request_deny(request, ERR_NOT_FOUND, "%s%s%s has no session", request_text(request, "bare"),
                 resource == NULL ? "" : "/", resource == NULL ? "" : resource);
}

static void read_one_user(struct request *request, struct core *core)
{
    read_sessions(request, core);
    if (json_array_size(json_object_get(request->result, "sessions")) == 0) {
        deny_none(request);
    }
}

void verb_session_show(struct request *request)
{
    if (prepare_address(request)) {
        request_read_state(request, read_one_user);
    }
}

static void explain_kill(struct request *request, struct core *core)
{
    (void)core;
    if (request->rc == ERR_NOT_FOUND) {
        deny_none(request);
    }
}

void verb_session_kill(struct request *request)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Kill kill = PB__KILL__INIT;
    const char *resource;

    if (!prepare_address(request)) {
        return;
    }
    resource = request_text(request, "resource");
    kill.user = (char *)(uintptr_t)request_text(request, "bare");
    if (resource != NULL) {
        kill.resource = (char *)(uintptr_t)resource;
    }
    command.body_case = PB__COMMAND__BODY_KILL;
    command.kill = &kill;
    request->explain = explain_kill;
    request_submit(request, &command);
}
