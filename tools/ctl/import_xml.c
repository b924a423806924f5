/* musterctl user import-xml: users of XEP-0227 to a node, one after the other, several under way at
 * once. What one user has is sent in parts; each is one command, and may come again. */
#include "tools/ctl/ask.h"
#include "tools/ctl/pie.h"
#include "tools/ctl/print.h"

#include "node/base/buf.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define USERS_AT_ONCE  16
#define PART_ENTRIES   100 /* STATE_LOAD_MAX */
#define PART_BYTES_MAX PIE_ENTRY_BYTES_MAX

static const char *const lists[] = {"contacts", "requests", "kept", "messages"};
#define LIST_COUNT 4

struct import {
    const char *file;
    struct link *link;
    long timeout_s;
    json_t *under_way; /* number of a request -> its user */
    json_int_t sent;
    json_int_t done;
    int code; /* of what was refused */
    bool is_lost;
    bool is_full; /* a message found no room */
    json_int_t users, made, left_out, known, refused;
    json_int_t entries[LIST_COUNT];
    size_t skipped[PIE_KIND_COUNT];
};

/* ---- answers */

static void say_refusal(struct import *import, const char *user, const char *text, int code)
{
    (void)fprintf(stderr, "musterctl: %s: %s: %s\n", import->file, user, text);
    import->code = code;
    import->refused++;
}

static void take_refusal(struct import *import, const json_t *answer, const char *user)
{
    const char *text = json_string_value(json_object_get(answer, "text"));

    say_refusal(import, user, text == NULL ? "no sense in the answer" : text, ask_code_of(answer));
}

/* 0, or ERR_CLOSED: the node is lost. */
static int take_answer(struct import *import)
{
    const json_t *result;
    json_t *answer = NULL;
    char key[32];

    link_renew(import->link, import->timeout_s);
    if (link_receive(import->link, &answer) != LINK_OK) {
        (void)fprintf(stderr, "musterctl: the connection was lost, import it again\n");
        import->is_lost = true;
        return ERR_CLOSED;
    }
    (void)snprintf(key, sizeof(key), "%" JSON_INTEGER_FORMAT,
                   json_integer_value(json_object_get(answer, "id")));
    result = json_object_get(answer, "result");
    if (json_is_true(json_object_get(answer, "ok"))) {
        import->made += json_integer_value(json_object_get(result, "made"));
        import->left_out += json_integer_value(json_object_get(result, "left_out"));
        import->known += json_integer_value(json_object_get(result, "known"));
        import->skipped[PIE_LARGE] += (size_t)json_integer_value(json_object_get(result, "bad"));
        import->is_full |= json_is_true(json_object_get(result, "full"));
    } else {
        take_refusal(import, answer, json_string_value(json_object_get(import->under_way, key)));
    }
    (void)json_object_del(import->under_way, key);
    import->done++;
    json_decref(answer);
    return 0;
}

static int wait_for(struct import *import, json_int_t most)
{
    int rc = 0;

    while (rc == 0 && import->sent - import->done > most) {
        rc = take_answer(import);
    }
    return rc;
}

/* ---- parts */

/* Takes part. */
static int send_part(struct import *import, json_t *part)
{
    char key[32];

    (void)snprintf(key, sizeof(key), "%" JSON_INTEGER_FORMAT, ++import->sent);
    (void)json_object_set(import->under_way, key, json_object_get(part, "user"));
    link_renew(import->link, import->timeout_s);
    if (link_send(import->link, import->sent, "user.load", part) != LINK_OK) {
        (void)fprintf(stderr, "musterctl: the connection was lost, import it again\n");
        import->is_lost = true;
        return ERR_CLOSED;
    }
    return 0;
}

/* Where the next part begins: a list and an entry of it. */
struct cursor {
    size_t list;
    size_t entry;
};

/* The part from *at on, and where the next one begins. The account itself is in each of them, since
 * one that is there already is left as it is. */
static json_t *next_part(const json_t *user, struct cursor *at)
{
    json_t *part = json_copy((json_t *)(uintptr_t)user);
    size_t entries = 0;
    size_t bytes = 0;

    for (size_t i = 0; i < LIST_COUNT; i++) {
        (void)json_object_del(part, lists[i]);
    }
    for (; at->list < LIST_COUNT; at->list++, at->entry = 0) {
        const json_t *from = json_object_get(user, lists[at->list]);
        json_t *to = json_array();

        (void)json_object_set_new(part, lists[at->list], to);
        for (; at->entry < json_array_size(from); at->entry++) {
            json_t *entry = json_array_get(from, at->entry);
            size_t size = json_dumpb(entry, NULL, 0, JSON_COMPACT);

            if (entries == PART_ENTRIES || (entries > 0 && bytes + size > PART_BYTES_MAX)) {
                return part;
            }
            (void)json_array_append(to, entry);
            entries++;
            bytes += size;
        }
    }
    return part;
}

/* A message that found no room comes with a later import, if none behind it was taken. */
static void leave_rest(struct import *import, const json_t *user, struct cursor *at)
{
    const json_t *messages = json_object_get(user, lists[LIST_COUNT - 1]);

    if (at->list < LIST_COUNT) {
        import->left_out += (json_int_t)(json_array_size(messages) - at->entry);
    }
    at->list = LIST_COUNT;
}

/* Parts of one user follow each other: what is refused must not be passed over by the next. */
static int send_parts(struct import *import, const json_t *user, struct cursor *at)
{
    json_int_t refused = import->refused;
    int rc = 0;

    import->is_full = false;
    while (rc == 0 && at->list < LIST_COUNT && import->refused == refused) {
        rc = send_part(import, next_part(user, at));
        if (rc == 0) {
            rc = wait_for(import, 0);
        }
        if (import->is_full) {
            leave_rest(import, user, at);
        }
    }
    return rc;
}

static int send_user(struct import *import, const json_t *user)
{
    struct cursor at = {0};
    json_t *part = next_part(user, &at);
    int rc;

    if (at.list == LIST_COUNT) {
        rc = send_part(import, part);
        return rc == 0 ? wait_for(import, USERS_AT_ONCE - 1) : rc;
    }
    json_decref(part);
    at = (struct cursor){0};
    rc = wait_for(import, 0);
    return rc == 0 ? send_parts(import, user, &at) : rc;
}

static int take_user(void *ctx, json_t *user)
{
    struct import *import = ctx;
    int rc;

    import->users++;
    for (size_t i = 0; i < LIST_COUNT; i++) {
        import->entries[i] += (json_int_t)json_array_size(json_object_get(user, lists[i]));
    }
    rc = send_user(import, user);
    json_decref(user);
    return rc;
}

/* ---- files */

static void refuse_user(void *ctx, const char *user, const char *fault)
{
    struct import *import = ctx;

    import->users++;
    say_refusal(import, user, fault, EXIT_REFUSED);
}

static void say_fault(void *ctx, const char *path, uint64_t line, const char *fault)
{
    (void)ctx;
    if (line == 0) {
        (void)fprintf(stderr, "musterctl: %s: %s\n", path, fault);
    } else {
        (void)fprintf(stderr, "musterctl: %s:%llu: %s\n", path, (unsigned long long)line, fault);
    }
}

static int import_file(struct import *import, const char *path)
{
    const struct pie_sink sink = {
        .user = take_user, .refuse = refuse_user, .say = say_fault, .ctx = import};

    import->file = path;
    if (pie_read(path, &sink, import->skipped) != 0 && !import->is_lost) {
        import->code = EXIT_USAGE;
    }
    return import->is_lost ? ERR_CLOSED : 0;
}

static int is_xml(const struct dirent *item)
{
    const char *dot = strrchr(item->d_name, '.');

    return dot != NULL && strcmp(dot, ".xml") == 0;
}

/* Prosody writes a file for each user. */
static int import_folder(struct import *import, const char *path)
{
    struct dirent **items = NULL;
    int count = scandir(path, &items, is_xml, alphasort);
    int rc = 0;

    if (count <= 0) {
        (void)fprintf(stderr, "musterctl: %s: no file with .xml at its end\n", path);
        import->code = EXIT_USAGE;
    }
    for (int i = 0; i < count; i++) {
        struct buf file = BUF_EMPTY;

        buf_printf(&file, "%s/%s", path, items[i]->d_name);
        if (rc == 0) {
            rc = import_file(import, buf_text(&file));
        }
        if (rc == 0) {
            rc = wait_for(import, 0); /* refusals name their file */
        }
        buf_deinit(&file);
        free(items[i]);
    }
    free(items);
    return rc;
}

static int import_path(struct import *import, const char *path)
{
    struct stat status;
    int rc = stat(path, &status) == 0 && S_ISDIR(status.st_mode) ? import_folder(import, path)
                                                                 : import_file(import, path);

    return rc == 0 ? wait_for(import, 0) : rc;
}

/* ---- what became of it */

static json_t *skipped_item(const struct import *import)
{
    json_t *item = json_object();

    for (size_t i = 0; i < PIE_KIND_COUNT; i++) {
        if (import->skipped[i] > 0) {
            (void)json_object_set_new(item, pie_kind_names[i],
                                      json_integer((json_int_t)import->skipped[i]));
        }
    }
    return item;
}

static void print_result(const struct options *options, const struct import *import)
{
    json_t *skipped = skipped_item(import);
    const char *name;
    json_t *count;

    if (options->json) {
        print_json_take(json_pack(
            "{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "users", import->users, "made",
            import->made, "contacts", import->entries[0], "requests", import->entries[1], "kept",
            import->entries[2], "messages", import->entries[3], "left_out", import->left_out,
            "known", import->known, "refused", import->refused, "not_taken", skipped));
        return;
    }
    (void)printf("%" JSON_INTEGER_FORMAT " users read, %" JSON_INTEGER_FORMAT
                 " accounts made; with %" JSON_INTEGER_FORMAT " contacts, %" JSON_INTEGER_FORMAT
                 " subscription requests, %" JSON_INTEGER_FORMAT
                 " vCards and private elements, %" JSON_INTEGER_FORMAT " offline messages\n",
                 import->users, import->made, import->entries[0], import->entries[1],
                 import->entries[2], import->entries[3]);
    if (import->left_out > 0) {
        (void)printf("left out, for they are more than a user may have: %" JSON_INTEGER_FORMAT "\n",
                     import->left_out);
    }
    if (import->known > 0) {
        (void)printf("messages that came before, or are older than such: %" JSON_INTEGER_FORMAT
                     "\n",
                     import->known);
    }
    json_object_foreach(skipped, name, count)
    {
        (void)printf("not taken: %s %" JSON_INTEGER_FORMAT "\n", name, json_integer_value(count));
    }
    json_decref(skipped);
}

int run_user_import_xml(const struct options *options, char **arguments, int count)
{
    struct import import = {.timeout_s = options->timeout_s};
    int code = ask_open_serving(options, &import.link);

    (void)count;
    if (code != 0) {
        return code;
    }
    import.under_way = json_object();
    code = import_path(&import, arguments[0]) == 0 ? import.code : EXIT_UNKNOWN;
    print_result(options, &import);
    json_decref(import.under_way);
    link_close(&import.link);
    return code;
}
