/* musterctl user export: users of a node to a file of XEP-0227, one after the other. */
#include "node/base/buf.h"
#include "node/base/jid.h"
#include "node/base/mem.h"
#include "tools/ctl/ask.h"
#include "tools/ctl/files.h"
#include "tools/ctl/pie.h"
#include "tools/ctl/pie_write.h"
#include "tools/ctl/print.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LIST_USERS 1000

struct export
{
    struct link *link;
    long timeout_s;
    FILE *file;
    char *host;   /* whose element is open, NULL: none */
    bool is_gone; /* what was asked for last is not there */
    json_int_t last_id;
    json_int_t users;
};

static bool is_not_found(const json_t *answer)
{
    const char *error = json_string_value(json_object_get(answer, "error"));

    return error != NULL && strcmp(error, "not_found") == 0;
}

/* 0 and *result_out, or an exit code (said). */
static int request(struct export *export, const char *verb, json_t *args, json_t **result_out)
{
    json_t *answer = NULL;
    enum link_result result;
    int code = EXIT_UNREACHABLE;

    export->is_gone = false;
    link_renew(export->link, export->timeout_s);
    result = link_send(export->link, ++export->last_id, verb, args);
    if (result == LINK_OK) {
        result = link_receive(export->link, &answer);
    }
    if (result != LINK_OK) {
        (void)fprintf(stderr, "musterctl: the connection to the node was lost\n");
    } else if (json_is_true(json_object_get(answer, "ok"))) {
        *result_out = json_incref(json_object_get(answer, "result"));
        code = 0;
    } else {
        (void)fprintf(stderr, "musterctl: %s\n",
                      json_string_value(json_object_get(answer, "text")));
        code = ask_code_of(answer);
        export->is_gone = is_not_found(answer);
    }
    json_decref(answer);
    return code;
}

/* ---- the file */

static void close_host(struct export *export)
{
    if (export->host != NULL) {
        (void)fprintf(export->file, "</host>\n");
        mem_free(&export->host);
    }
}

/* Users of one domain follow each other. A domain has no character that has to be escaped. */
static void open_host(struct export *export, const char *host)
{
    if (export->host == NULL || strcmp(export->host, host) != 0) {
        close_host(export);
        export->host = mem_strdup(host);
        (void)fprintf(export->file, "<host jid='%s'>\n", host);
    }
}

static int export_user(struct export *export, const char *address)
{
    const char *at = strchr(address, '@');
    struct buf name = BUF_EMPTY;
    struct buf text = BUF_EMPTY;
    json_t *user = NULL;
    int code = at == NULL
                   ? EXIT_REFUSED
                   : request(export, "user.dump", json_pack("{s:s}", "user", address), &user);

    if (code != 0) {
        return code;
    }
    address = json_string_value(json_object_get(user, "user")); /* as it is prepared */
    at = strchr(address, '@');
    buf_append(&name, slice_make(address, (size_t)(at - address)));
    open_host(export, at + 1);
    pie_write_user(user, buf_text(&name), &text);
    (void)fwrite(buf_slice(&text).data, buf_len(&text), 1, export->file);
    export->users++;
    buf_deinit(&name);
    buf_wipe(&text);
    json_decref(user);
    return 0;
}

/* A user that is removed meanwhile is not there any more: that is no fault. */
static int export_listed(struct export *export, const json_t *users)
{
    const json_t *user;
    size_t i;
    int code = 0;

    json_array_foreach(users, i, user)
    {
        if (code == 0) {
            code = export_user(export, json_string_value(user));
            code = code != 0 && export->is_gone ? 0 : code;
        }
    }
    return code;
}

static int export_all(struct export *export, const char *domain)
{
    char *after = mem_strdup("");
    bool more = true;
    int code = 0;

    while (code == 0 && more) {
        json_t *args = json_pack("{s:s,s:i}", "after", after, "limit", LIST_USERS);
        json_t *list = NULL;
        const json_t *users;
        size_t count;

        if (domain != NULL) {
            (void)json_object_set_new(args, "domain", json_string(domain));
        }
        code = request(export, "user.list", args, &list);
        users = json_object_get(list, "users");
        count = json_array_size(users);
        more = count > 0 && json_is_true(json_object_get(list, "more"));
        if (code == 0) {
            code = export_listed(export, users);
        }
        if (more) {
            mem_free(&after);
            after = mem_strdup(json_string_value(json_array_get(users, count - 1)));
        }
        json_decref(list);
    }
    mem_free(&after);
    return code;
}

static int write_file(struct export *export, const struct options *options, const char *user)
{
    int code;

    (void)fprintf(export->file, "<?xml version='1.0' encoding='UTF-8'?>\n"
                                "<server-data xmlns='" NS_PIE "'>\n");
    code = user != NULL ? export_user(export, user) : export_all(export, options->domain);
    close_host(export);
    (void)fprintf(export->file, "</server-data>\n");
    if (fflush(export->file) != 0 || ferror(export->file) != 0) {
        (void)files_fail(options->out);
        return EXIT_REFUSED;
    }
    return code;
}

static int export_to(struct export *export, const struct options *options, const char *user)
{
    struct new_file file;
    int code;

    if (files_begin_new(options->out, &file) != 0) {
        return EXIT_REFUSED;
    }
    export->file = fdopen(fcntl(file.fd, F_DUPFD_CLOEXEC, 0), "w");
    if (export->file == NULL) {
        (void)files_fail(options->out);
        code = EXIT_REFUSED;
    } else {
        code = write_file(export, options, user);
        (void)fclose(export->file);
    }
    if (code == 0 && files_give_name(&file) != 0) {
        code = EXIT_REFUSED;
    }
    files_end_new(&file);
    return code;
}

int run_user_export(const struct options *options, char **arguments, int count)
{
    struct export export = {.timeout_s = options->timeout_s};
    const char *user = count > 0 ? arguments[0] : NULL;
    int code;

    if (options->out == NULL || (user != NULL && options->domain != NULL)) {
        (void)fprintf(stderr, options->out == NULL
                                  ? "musterctl: --out with the name of a file is needed\n"
                                  : "musterctl: one user, or those of a domain, not both\n");
        return EXIT_USAGE;
    }
    code = ask_open_serving(options, &export.link);
    if (code != 0) {
        return code;
    }
    code = export_to(&export, options, user);
    link_close(&export.link);
    mem_free(&export.host);
    if (code == 0 && options->json) {
        print_json_take(json_pack("{s:I}", "users", export.users));
    } else if (code == 0) {
        (void)printf("%" JSON_INTEGER_FORMAT " users\n", export.users);
    }
    return code;
}
