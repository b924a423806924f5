#include "tools/ctl/ask.h"

#include "tools/ctl/print.h"

#include "node/base/mem.h"

#include <stdio.h>
#include <string.h>

#define CLUSTER_FILE "cluster.json"

/* ---- targets */

static int read_cluster(const struct options *options, struct targets *out)
{
    char path[1024];
    json_error_t error;
    json_t *root;
    json_t *item;
    size_t i;

    (void)snprintf(path, sizeof(path), "%s/" CLUSTER_FILE, options->cluster_dir);
    root = json_load_file(path, 0, &error);
    if (root == NULL) {
        if (json_error_code(&error) == json_error_cannot_open_file) {
            (void)fprintf(stderr, "musterctl: %s\n", error.text); /* names the file */
        } else {
            (void)fprintf(stderr, "musterctl: %s:%d: %s\n", path, error.line, error.text);
        }
        return EXIT_USAGE;
    }
    json_array_foreach(json_object_get(root, "nodes"), i, item)
    {
        long node = (long)json_integer_value(json_object_get(item, "id"));
        const char *control = json_string_value(json_object_get(item, "control"));
        struct target *target = &out->items[out->count];

        if (control != NULL && out->count < NODES_MAX &&
            (options->node == 0 || options->node == node)) {
            target->node = node;
            (void)snprintf(target->path, sizeof(target->path), "%s", control);
            out->count++;
        }
    }
    json_decref(root);
    if (out->count == 0) {
        (void)fprintf(stderr, "musterctl: %s names no such node\n", path);
        return EXIT_USAGE;
    }
    return 0;
}

int targets_find(const struct options *options, struct targets *out)
{
    struct target *target = &out->items[0];

    out->count = 0;
    if (options->cluster_dir != NULL) {
        return read_cluster(options, out);
    }
    target->node = 0;
    (void)snprintf(target->path, sizeof(target->path), "%s",
                   options->control_path != NULL ? options->control_path : CONTROL_PATH_DEFAULT);
    out->count = 1;
    return 0;
}

/* ---- asking */

int ask_code_of(const json_t *answer)
{
    const char *error = json_string_value(json_object_get(answer, "error"));

    if (error == NULL) {
        return EXIT_UNKNOWN;
    }
    if (strcmp(error, "usage") == 0) {
        return EXIT_USAGE;
    }
    return strcmp(error, "unknown") == 0 ? EXIT_UNKNOWN : EXIT_REFUSED;
}

static int judge(const json_t *answer, json_t **result_out, char **fault_out)
{
    const char *text = json_string_value(json_object_get(answer, "text"));

    if (json_is_true(json_object_get(answer, "ok"))) {
        *result_out = json_incref(json_object_get(answer, "result"));
        return 0;
    }
    *fault_out = mem_strdup(text != NULL ? text : "no sense in the answer");
    return ask_code_of(answer);
}

static int lost(enum ask_kind kind, enum link_result result, char **fault_out)
{
    *fault_out = mem_strdup(result == LINK_TIMEOUT ? "no answer in time"
                                                   : "the connection ended before the answer");
    return kind == ASK_CHANGE ? EXIT_UNKNOWN : EXIT_UNREACHABLE;
}

/* is_old_out: what the node says is from before it lost its lease. */
static int ask_target(const struct options *options, const struct target *target,
                      enum ask_kind kind, const char *verb, json_t *args, json_t **result_out,
                      char **fault_out, bool *is_old_out)
{
    const char *fault = NULL;
    struct link *link = link_open(target->path, options->timeout_s, &fault);
    enum link_result result;
    json_t *answer = NULL;
    int code;

    if (link == NULL) {
        json_decref(args);
        *fault_out = mem_strdup(fault);
        return EXIT_UNREACHABLE;
    }
    result = link_send(link, 1, verb, args);
    if (result == LINK_OK) {
        result = link_receive(link, &answer);
    }
    code = result == LINK_OK ? judge(answer, result_out, fault_out) : lost(kind, result, fault_out);
    *is_old_out = json_is_false(json_object_get(answer, "current"));
    json_decref(answer);
    link_close(&link);
    return code;
}

int ask_one(const struct options *options, const struct target *target, enum ask_kind kind,
            const char *verb, json_t *args, json_t **result_out, char **fault_out)
{
    bool is_old;

    return ask_target(options, target, kind, verb, args, result_out, fault_out, &is_old);
}

json_t *ask_each(const struct options *options, const struct targets *targets, const char *verb,
                 json_t *args, int codes[NODES_MAX])
{
    json_t *rows = json_array();

    for (size_t i = 0; i < targets->count; i++) {
        const struct target *target = &targets->items[i];
        json_t *row = NULL;
        char *fault = NULL;

        codes[i] = ask_one(options, target, ASK_READ, verb, json_incref(args), &row, &fault);
        if (codes[i] != 0) {
            row = json_pack("{s:I,s:s}", "node", (json_int_t)target->node, "error", fault);
            mem_free(&fault);
        }
        (void)json_array_append_new(rows, row);
    }
    return rows;
}

enum standing { IS_SILENT, ANSWERS, SERVES };

static enum standing look_at(const struct options *options, const struct target *target)
{
    json_t *status = NULL;
    char *fault = NULL;
    bool serves;

    if (ask_one(options, target, ASK_READ, "node.status", NULL, &status, &fault) != 0) {
        mem_free(&fault);
        return IS_SILENT;
    }
    serves = json_is_true(json_object_get(status, "serving"));
    json_decref(status);
    return serves ? SERVES : ANSWERS;
}

/* With several nodes to choose from, the first that serves and is not ruled out; when none does,
 * one that answers, and else any. */
static const struct target *choose(const struct options *options, const struct targets *targets)
{
    const struct target *best = NULL;
    enum standing best_standing = IS_SILENT;

    for (size_t i = 0; i < targets->count && best_standing != SERVES; i++) {
        const struct target *target = &targets->items[i];
        enum standing standing;

        if (targets->count > 1 && target->node == options->not_node) {
            continue;
        }
        standing = targets->count == 1 ? SERVES : look_at(options, target);
        if (best == NULL || standing > best_standing) {
            best = target;
            best_standing = standing;
        }
    }
    return best;
}

/* A node without a lease answers from what it has: that may be from long ago. Once is enough for
 * one that is asked again and again. */
static void warn_of_age(const struct target *target)
{
    static bool has_warned;

    if (has_warned) {
        return;
    }
    has_warned = true;
    (void)fprintf(stderr,
                  "musterctl: the node at %s does not serve now: this is what it knew last\n",
                  target->path);
}

void ask_say(const struct target *target, int code, const char *fault)
{
    if (code == EXIT_UNREACHABLE) {
        (void)fprintf(stderr, "musterctl: no node answers at %s: %s\n", target->path, fault);
    } else {
        (void)fprintf(stderr, "musterctl: %s\n", fault);
    }
}

int ask(const struct options *options, enum ask_kind kind, const char *verb, json_t *args,
        json_t **result_out)
{
    struct targets targets;
    const struct target *target;
    char *fault = NULL;
    bool is_old = false;
    int code = targets_find(options, &targets);

    if (code != 0) {
        json_decref(args);
        return code;
    }
    target = choose(options, &targets);
    code = ask_target(options, target, kind, verb, args, result_out, &fault, &is_old);
    if (code == 0 && kind == ASK_READ && is_old) {
        warn_of_age(target);
    }
    if (code != 0) {
        ask_say(target, code, fault);
        mem_free(&fault);
    }
    return code;
}

int ask_change(const struct options *options, const char *verb, json_t *args)
{
    json_t *result = NULL;
    int code = ask(options, ASK_CHANGE, verb, args, &result);

    if (code == 0 && options->json) {
        print_json(result);
    }
    json_decref(result);
    return code;
}

int ask_show(const struct options *options, const char *verb, json_t *args,
             void (*print)(const json_t *result))
{
    json_t *result = NULL;
    int code = ask(options, ASK_READ, verb, args, &result);

    if (code != 0) {
        return code;
    }
    if (options->json) {
        print_json(result);
    } else {
        print(result);
    }
    json_decref(result);
    return 0;
}

int ask_open_serving(const struct options *options, struct link **link_out)
{
    struct targets targets;
    const char *fault = NULL;
    const struct target *target;
    int code = targets_find(options, &targets);

    if (code != 0) {
        return code;
    }
    target = choose(options, &targets);
    *link_out = link_open(target->path, options->timeout_s, &fault);
    if (*link_out == NULL) {
        ask_say(target, EXIT_UNREACHABLE, fault);
        return EXIT_UNREACHABLE;
    }
    return 0;
}
