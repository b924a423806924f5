/* Verbs about accounts. */
#include "node/admin/user_set.h"
#include "node/admin/verbs.h"
#include "node/base/mem.h"

#include <string.h>

/* ---- refusals */

void verb_user_explain(struct request *request, struct core *core)
{
    const json_t *rows = json_object_get(request->args, "rows");
    const json_t *row = request->row == 0 ? NULL : json_array_get(rows, request->row - 1);
    const char *address = row == NULL ? request_text(request, "user")
                                      : json_string_value(json_object_get(row, "jid"));
    struct jid user;

    if (address == NULL || jid_parse(slice_str(address), &user) != 0) {
        return; /* it could be read when the command was sent */
    }
    if (request->rc == ERR_NOT_FOUND && !state_has_domain(core_state(core), user.domain)) {
        request_deny(request, request->rc, "domain %s is not served; first: domain add %s",
                     user.domain, user.domain);
    } else if (request->rc == ERR_NOT_FOUND) {
        request_deny(request, request->rc, "there is no account %s", address);
    } else if (request->rc == ERR_EXISTS) {
        request_deny(request, request->rc, "account %s exists already", address);
    } else if (request->rc == ERR_BUSY) {
        request_deny(request, request->rc,
                     "what the former owner of %s had is still being erased: ask again in a while",
                     address);
    } else if (request->rc == ERR_LIMIT) {
        request_deny(request, request->rc, "an address has %d bytes at most", STATE_USER_BYTES_MAX);
    }
}

/* ---- add, passwd, remove */

static void submit_password(struct request *request, bool create)
{
    struct derived *derived = request->derivation.items;
    struct user_command scratch;
    struct jid user;

    if (derived->rc != 0) {
        request_fail(request, ERR_INVALID, "this password cannot be used (RFC 4013)");
        return;
    }
    if (!request_user(request, &user)) {
        return; /* it was well-formed when the derivation began */
    }
    user_command_init(&scratch);
    scratch.command.body_case = PB__COMMAND__BODY_USER_SET;
    scratch.command.user_set =
        user_set_derived(&scratch.arena, &user, derived, request->derivation.iterations);
    scratch.command.user_set->create = create;
    request->explain = verb_user_explain;
    request_submit(request, &scratch.command);
    arena_deinit(&scratch.arena);
}

static void submit_add(struct request *request)
{
    submit_password(request, true);
}

static void submit_passwd(struct request *request)
{
    submit_password(request, false);
}

static void derive_password(struct request *request, void (*then)(struct request *request))
{
    const char *password = request_text(request, "password");
    struct jid user;

    if (password == NULL || *password == '\0') {
        request_fail_usage(request, "password is missing");
        return;
    }
    if (!request_user(request, &user)) {
        return;
    }
    request->derivation.items = mem_zalloc(sizeof(*request->derivation.items));
    request->derivation.count = 1;
    request->derivation.items[0].password = mem_strdup(password);
    request_derive(request, then);
}

void verb_user_add(struct request *request)
{
    derive_password(request, submit_add);
}

void verb_user_passwd(struct request *request)
{
    derive_password(request, submit_passwd);
}

void verb_user_remove(struct request *request)
{
    Pb__UserRemove remove = PB__USER_REMOVE__INIT;
    struct user_command scratch;
    struct jid user;

    if (!request_user(request, &user)) {
        return;
    }
    user_command_init(&scratch);
    remove.user = (char *)(uintptr_t)user_bare_text(&scratch.arena, &user);
    scratch.command.body_case = PB__COMMAND__BODY_USER_REMOVE;
    scratch.command.user_remove = &remove;
    request->explain = verb_user_explain;
    request_submit(request, &scratch.command);
    arena_deinit(&scratch.arena);
}

/* ---- import */

static void fail_row(struct request *request, size_t index, const char *what)
{
    request->row = index + 1;
    request_fail(request, ERR_INVALID, what);
}

static Pb__UserSet *import_row(struct request *request, struct arena *arena, size_t index,
                               const char **fault)
{
    const json_t *row = json_array_get(json_object_get(request->args, "rows"), index);
    const char *address = json_string_value(json_object_get(row, "jid"));
    const struct derived *derived = &request->derivation.items[index];
    Pb__UserSet *set;
    struct jid user;

    if (address == NULL || jid_parse(slice_str(address), &user) != 0 || user.local[0] == '\0') {
        *fault = "jid is no local@domain";
        return NULL;
    }
    if (derived->rc != 0) {
        *fault = "this password cannot be used (RFC 4013)";
        return NULL;
    }
    if (json_object_get(row, "password") != NULL) {
        return user_set_derived(arena, &user, derived, request->derivation.iterations);
    }
    set = user_set_ready(arena, &user, row);
    if (set == NULL) {
        *fault = "neither a password nor good SCRAM keys";
    }
    return set;
}

static void submit_import(struct request *request)
{
    size_t count = json_array_size(json_object_get(request->args, "rows"));
    Pb__UserImport import = PB__USER_IMPORT__INIT;
    struct user_command scratch;
    const char *fault = NULL;

    user_command_init(&scratch);
    import.n_users = count;
    import.users = arena_alloc(&scratch.arena, count * sizeof(*import.users));
    for (size_t i = 0; i < count; i++) {
        import.users[i] = import_row(request, &scratch.arena, i, &fault);
        if (import.users[i] == NULL) {
            fail_row(request, i, fault);
            arena_deinit(&scratch.arena);
            return;
        }
    }
    scratch.command.body_case = PB__COMMAND__BODY_USER_IMPORT;
    scratch.command.user_import = &import;
    request->explain = verb_user_explain;
    request->result = json_pack("{s:I}", "imported", (json_int_t)count);
    request_submit(request, &scratch.command);
    arena_deinit(&scratch.arena);
}

void verb_user_import(struct request *request)
{
    const json_t *rows = json_object_get(request->args, "rows");
    size_t count = json_array_size(rows);
    bool has_passwords = false;

    if (count == 0 || count > STATE_IMPORT_MAX) {
        request_fail_usage(request, "rows must be a list of 1 to 500 accounts");
        return;
    }
    request->derivation.items = mem_zalloc(count * sizeof(*request->derivation.items));
    request->derivation.count = count;
    for (size_t i = 0; i < count; i++) {
        const char *password =
            json_string_value(json_object_get(json_array_get(rows, i), "password"));

        if (password != NULL) {
            request->derivation.items[i].password = mem_strdup(password);
            has_passwords = true;
        }
    }
    if (has_passwords) {
        request_derive(request, submit_import);
    } else {
        submit_import(request);
    }
}

/* ---- list, show */

struct user_list {
    json_t *users;
    size_t rows_max;
    bool more;
};

static bool list_user(void *ctx, const char *user)
{
    struct user_list *list = ctx;

    if (json_array_size(list->users) >= list->rows_max) {
        list->more = true;
        return false;
    }
    (void)json_array_append_new(list->users, json_string(user));
    return true;
}

static void read_users(struct request *request, struct core *core)
{
    const char *domain = request_text(request, "domain");
    const char *after = request_text(request, "after");
    json_int_t limit = request_number(request, "limit", LIST_ROWS_MAX);
    struct user_list list = {.users = json_array(), .rows_max = LIST_ROWS_MAX};

    if (limit > 0 && limit < LIST_ROWS_MAX) {
        list.rows_max = (size_t)limit;
    }
    state_each_account(core_state(core), core_arena(core), domain == NULL ? "" : domain,
                       after == NULL ? "" : after, list_user, &list);
    request->result = json_pack("{s:o,s:b}", "users", list.users, "more", list.more);
}

void verb_user_list(struct request *request)
{
    char domain[JID_PART_BYTES_MAX + 1];

    if (json_object_get(request->args, "domain") != NULL) {
        if (!request_domain(request, domain)) {
            return;
        }
        (void)json_object_set_new(request->args, "domain", json_string(domain));
    }
    request_read_state(request, read_users);
}

static bool count_session(void *ctx, uint64_t session, const Pb__SessionRow *row)
{
    (void)session;
    (void)row;
    ++*(json_int_t *)ctx;
    return true;
}

static void read_user(struct request *request, struct core *core)
{
    const char *user = request_text(request, "bare");
    Pb__AccountRow *account = state_account(core_state(core), core_arena(core), user);
    Pb__RosterRow *roster = state_roster(core_state(core), core_arena(core), user);
    json_int_t session_count = 0;
    json_t *keys;

    if (account == NULL) {
        request_deny(request, ERR_NOT_FOUND, "there is no account %s", user);
        return;
    }
    keys = json_array();
    for (size_t i = 0; i < account->n_keys; i++) {
        (void)json_array_append_new(keys, json_pack("{s:s,s:I}", "mechanism",
                                                    account->keys[i]->mechanism, "iterations",
                                                    (json_int_t)account->keys[i]->iterations));
    }
    state_each_session_of(core_state(core), core_arena(core), user, count_session, &session_count);
    request->result =
        json_pack("{s:s,s:I,s:o,s:I,s:I,s:I,s:b}", "user", user, "version",
                  (json_int_t)account->version, "keys", keys, "sessions", session_count, "contacts",
                  (json_int_t)(roster == NULL ? 0 : roster->count), "home",
                  (json_int_t)account->home, "home_by_hand", (int)account->by_hand);
}

void verb_user_show(struct request *request)
{
    struct buf text = BUF_EMPTY;
    struct jid user;

    if (!request_user(request, &user)) {
        return;
    }
    jid_format_bare(&user, &text);
    (void)json_object_set_new(request->args, "bare", json_string(buf_text(&text)));
    buf_deinit(&text);
    request_read_state(request, read_user);
}
