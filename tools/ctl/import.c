/* musterctl user import: rows of a CSV file to a node, in batches, several under way at once. The
 * node derives keys from passwords on all its cores and puts each batch into the log as one
 * command. */
#include "node/base/clock.h"
#include "tools/ctl/arguments.h"
#include "tools/ctl/ask.h"
#include "tools/ctl/csv.h"
#include "tools/ctl/print.h"
#include "tools/ctl/rows.h"
#include "xmpp/sasl/sasl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCHES_AT_ONCE 16
#define PROGRESS_MS     200

struct import {
    const char *file;
    struct csv csv;
    struct link *link;
    json_t *rows; /* the batch being filled */
    json_t *last; /* its last row: further keys of the same address join it; borrowed */
    json_t *sent; /* number of a batch -> its rows, until the answer is there */
    json_int_t batches_sent;
    json_int_t batches_done;
    json_int_t imported;
    uint64_t progress_ms;
};

static int fail_line(const struct import *import, const char *what)
{
    (void)fprintf(stderr, "musterctl: %s:%zu: %s\n", import->file, import->csv.line, what);
    return EXIT_USAGE;
}

/* ---- rows */

static json_t *key_item(char **fields)
{
    return json_pack("{s:s,s:I,s:s,s:s,s:s}", "mechanism", fields[1], "iterations",
                     (json_int_t)strtoll(fields[2], NULL, 10), "salt", fields[3], "stored_key",
                     fields[4], "server_key", fields[5]);
}

static bool has_good_iterations(const struct import *import)
{
    long iterations = 0;

    return arguments_read_number(import->csv.fields[2], SASL_ITERATIONS_MAX, &iterations) &&
           iterations >= SASL_ITERATIONS_MIN;
}

/* One address may stand in several lines that follow each other, one for each mechanism. */
static bool joins_last(const struct import *import, const char *address)
{
    const char *last = json_string_value(json_object_get(import->last, "jid"));

    return last != NULL && strcmp(last, address) == 0 &&
           json_object_get(import->last, "keys") != NULL;
}

static bool has_mechanism(const json_t *keys, const char *mechanism)
{
    const json_t *key;
    size_t i;

    json_array_foreach(keys, i, key)
    {
        if (strcmp(json_string_value(json_object_get(key, "mechanism")), mechanism) == 0) {
            return true;
        }
    }
    return false;
}

/* Takes row; NULL: a text in it is none. */
static int append_row(struct import *import, json_t *row)
{
    if (!rows_add(import->rows, row, import->csv.line)) {
        return fail_line(import, "is not UTF-8");
    }
    import->last = row;
    return 0;
}

static int add_password(struct import *import)
{
    char **fields = import->csv.fields;

    return append_row(import, json_pack("{s:s,s:s}", "jid", fields[0], "password", fields[1]));
}

static int add_key(struct import *import)
{
    char **fields = import->csv.fields;
    json_t *keys = joins_last(import, fields[0]) ? json_object_get(import->last, "keys") : NULL;
    json_t *key;

    if (!has_good_iterations(import)) {
        return fail_line(import, "the third field is no number of iterations (1000 to 1000000)");
    }
    if (has_mechanism(keys, fields[1])) {
        return fail_line(import, "a second key of this mechanism");
    }
    key = key_item(fields);
    if (key != NULL && keys != NULL) {
        (void)json_array_append_new(keys, key);
        return 0;
    }
    return append_row(import,
                      key == NULL ? NULL : json_pack("{s:s,s:[o]}", "jid", fields[0], "keys", key));
}

static int add_row(struct import *import)
{
    switch (import->csv.count) {
    case 2:
        return add_password(import);
    case 6:
        return add_key(import);
    default:
        return fail_line(import, "neither jid,password nor "
                                 "jid,mechanism,iterations,salt,stored_key,server_key");
    }
}

static bool is_header(const struct import *import)
{
    return import->csv.line == 1 && strcmp(import->csv.fields[0], "jid") == 0;
}

/* ---- batches */

static void show_progress(struct import *import)
{
    uint64_t now_ms = clock_mono_ms();

    if (isatty(STDERR_FILENO) && now_ms - import->progress_ms >= PROGRESS_MS) {
        import->progress_ms = now_ms;
        (void)fprintf(stderr, "\r%" JSON_INTEGER_FORMAT " accounts", import->imported);
    }
}

static const char *batch_key(json_int_t number, char text[32])
{
    (void)snprintf(text, 32, "%" JSON_INTEGER_FORMAT, number);
    return text;
}

static int take_answer(struct import *import)
{
    json_t *answer = NULL;
    enum link_result result = link_receive(import->link, &answer);
    const char *number;
    char key[32];
    int code = 0;

    if (result != LINK_OK) {
        (void)fprintf(stderr, "musterctl: the connection was lost, import it again\n");
        return EXIT_UNKNOWN;
    }
    number = batch_key(json_integer_value(json_object_get(answer, "id")), key);
    if (!json_is_true(json_object_get(answer, "ok"))) {
        rows_say_refusal(import->file, json_object_get(import->sent, number), answer);
        code = ask_code_of(answer);
    }
    (void)json_object_del(import->sent, number);
    import->batches_done++;
    import->imported +=
        json_integer_value(json_object_get(json_object_get(answer, "result"), "imported"));
    json_decref(answer);
    show_progress(import);
    return code;
}

static int send_batch(struct import *import)
{
    json_t *args = json_pack("{s:O}", "rows", import->rows);
    char key[32];

    (void)json_object_set_new(import->sent, batch_key(++import->batches_sent, key), import->rows);
    import->rows = json_array();
    import->last = NULL;
    if (link_send(import->link, import->batches_sent, "user.import", args) != LINK_OK) {
        (void)fprintf(stderr, "musterctl: the connection was lost, import it again\n");
        return EXIT_UNKNOWN;
    }
    if (import->batches_sent - import->batches_done < BATCHES_AT_ONCE) {
        return 0;
    }
    return take_answer(import);
}

/* A batch ends where a new address begins, so that the keys of one stay together. */
static bool is_full(const struct import *import)
{
    return json_array_size(import->rows) >= ROWS_MAX &&
           !(import->csv.count == 6 && joins_last(import, import->csv.fields[0]));
}

static int take_row(struct import *import)
{
    int code = 0;

    if (is_header(import)) {
        return 0;
    }
    if (is_full(import)) {
        code = send_batch(import);
    }
    return code == 0 ? add_row(import) : code;
}

/* After a fault the answers of what was sent are still waited for: the number told is true. */
static int import_all(struct import *import)
{
    enum csv_result result;
    int code = 0;

    while (code == 0 && (result = csv_next(&import->csv)) != CSV_END) {
        code = result == CSV_BAD ? fail_line(import, "cannot be read as CSV") : take_row(import);
    }
    if (code == 0 && json_array_size(import->rows) > 0) {
        code = send_batch(import);
    }
    while (code != EXIT_UNKNOWN && import->batches_done < import->batches_sent) {
        int answered = take_answer(import);

        code = code == 0 || answered == EXIT_UNKNOWN ? answered : code;
    }
    return code;
}

int run_user_import(const struct options *options, char **arguments, int count)
{
    struct import import = {.file = arguments[0]};
    struct options patient = *options;
    int code;

    (void)count;
    patient.timeout_s = 24 * 3600; /* passwords take milliseconds each */
    import.csv.stream = strcmp(import.file, "-") == 0 ? stdin : fopen(import.file, "re");
    if (import.csv.stream == NULL) {
        (void)fprintf(stderr, "musterctl: %s: %s\n", import.file, strerror(errno));
        return EXIT_USAGE;
    }
    code = ask_open_serving(&patient, &import.link);
    if (code != 0) {
        (void)fclose(import.csv.stream);
        return code;
    }
    import.rows = json_array();
    import.sent = json_object();
    code = import_all(&import);
    if (isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "\r");
    }
    (void)printf(options->json ? "{\"imported\": %" JSON_INTEGER_FORMAT "}\n"
                               : "%" JSON_INTEGER_FORMAT " accounts imported\n",
                 import.imported);
    json_decref(import.rows);
    json_decref(import.sent);
    link_close(&import.link);
    (void)fclose(import.csv.stream);
    return code;
}
