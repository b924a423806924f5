/* musterctl user add|passwd|remove|list|show. */
#include "node/base/buf.h"
#include "tools/ctl/ask.h"
#include "tools/ctl/password.h"
#include "tools/ctl/print.h"

#include <stdio.h>
#include <string.h>

static int send_password(const struct options *options, const char *verb, const char *user)
{
    struct password password;
    json_t *args;
    int code = password_read(options->password_file, &password);

    if (code != 0) {
        return code;
    }
    args = json_pack("{s:s,s:s}", "user", user, "password", password.text);
    password_wipe(&password);
    if (args == NULL) {
        (void)fprintf(stderr, "musterctl: address or password is not UTF-8\n");
        return EXIT_USAGE;
    }
    return ask_change(options, verb, args);
}

int run_user_add(const struct options *options, char **arguments, int count)
{
    (void)count;
    return send_password(options, "user.add", arguments[0]);
}

int run_user_passwd(const struct options *options, char **arguments, int count)
{
    (void)count;
    return send_password(options, "user.passwd", arguments[0]);
}

int run_user_remove(const struct options *options, char **arguments, int count)
{
    (void)count;
    return ask_change(options, "user.remove", json_pack("{s:s}", "user", arguments[0]));
}

/* ---- list: page by page, so that no answer is larger than a node likes to make */

static int list_page(const struct options *options, const char *after, json_t **page_out)
{
    return ask(options, ASK_READ, "user.list",
               json_pack("{s:s,s:s*}", "after", after, "domain", options->domain), page_out);
}

static const char *show_page(const json_t *users, json_t *all)
{
    const json_t *user;
    size_t i;

    json_array_foreach(users, i, user)
    {
        if (all == NULL) {
            (void)printf("%s\n", json_string_value(user));
        }
    }
    if (all != NULL) {
        (void)json_array_extend(all, (json_t *)(uintptr_t)users);
    }
    return json_string_value(json_array_get(users, json_array_size(users) - 1));
}

int run_user_list(const struct options *options, char **arguments, int count)
{
    json_t *all = options->json ? json_array() : NULL;
    json_t *page = NULL;
    char after[4096] = "";
    bool more = true;
    int code = 0;

    (void)arguments;
    (void)count;
    while (code == 0 && more) {
        code = list_page(options, after, &page);
        if (code == 0) {
            const char *last = show_page(json_object_get(page, "users"), all);

            more = last != NULL && json_is_true(json_object_get(page, "more"));
            (void)snprintf(after, sizeof(after), "%s", last == NULL ? "" : last);
            json_decref(page);
        }
    }
    if (code == 0 && all != NULL) {
        print_json(all);
    }
    json_decref(all);
    return code;
}

int run_user_show(const struct options *options, char **arguments, int count)
{
    static const struct column columns[] = {{"MECHANISM", "mechanism"},
                                            {"ITERATIONS", "iterations"}};
    json_t *user = NULL;
    int code = ask(options, ASK_READ, "user.show", json_pack("{s:s}", "user", arguments[0]), &user);

    (void)count;
    if (code != 0) {
        return code;
    }
    if (options->json) {
        print_json(user);
    } else {
        print_object(user);
        (void)putchar('\n');
        print_table(json_object_get(user, "keys"), columns, ARRAY_COUNT(columns));
    }
    json_decref(user);
    return 0;
}
