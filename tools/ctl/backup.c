/* musterctl backup create, backup verify: a copy of the store comes from a node in parts and is
 * written here, so that the file belongs to who asked for it. */
#include "node/base/clock.h"
#include "node/base/crypto.h"
#include "tools/ctl/ask.h"
#include "tools/ctl/backup_check.h"
#include "tools/ctl/files.h"
#include "tools/ctl/print.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Sync as the file grows: one large sync at its end would hold up others on the same disk. */
#define SYNC_BYTES (8 * 1024 * 1024)

struct making {
    struct new_file file;
    struct link *link;
    long timeout_s; /* for each part */
    json_int_t last_id;
    json_t *manifest;
    EVP_MD_CTX *digest;
    uint64_t len;
    uint64_t synced;
};

/* ---- the file */

static int write_bytes(struct making *making, struct slice bytes)
{
    (void)EVP_DigestUpdate(making->digest, bytes.data, bytes.len);
    making->len += bytes.len;
    while (bytes.len > 0) {
        ssize_t written = write(making->file.fd, bytes.data, bytes.len);

        if (written < 0 && errno != EINTR) {
            return files_fail(buf_text(&making->file.tmp_path));
        }
        bytes = slice_sub(bytes, written > 0 ? (size_t)written : 0, bytes.len);
    }
    if (making->len - making->synced >= SYNC_BYTES) {
        making->synced = making->len;
        if (fdatasync(making->file.fd) != 0) {
            return files_fail(buf_text(&making->file.tmp_path));
        }
    }
    return 0;
}

static int write_end(struct making *making)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    struct backup_footer footer = {.store_bytes = making->len};
    struct buf bytes = BUF_EMPTY;
    int rc;

    backup_manifest_encode(making->manifest, &bytes);
    footer.manifest_bytes = (uint32_t)buf_len(&bytes);
    backup_footer_begin(&footer, &bytes);
    rc = write_bytes(making, buf_slice(&bytes));
    buf_deinit(&bytes);
    if (rc != 0) {
        return rc;
    }
    (void)EVP_DigestFinal_ex(making->digest, digest, NULL);
    (void)EVP_DigestInit_ex(making->digest, EVP_sha256(), NULL);
    return write_bytes(making, slice_make(digest, BACKUP_DIGEST_BYTES));
}

/* Under its name there is never anything but a whole backup that was read again. */
static int give_name(struct making *making)
{
    struct backup backup;
    int rc = backup_check(buf_text(&making->file.tmp_path), &backup);

    if (rc == 0) {
        backup_deinit(&backup);
        rc = files_give_name(&making->file);
    }
    return rc;
}

/* ---- the node */

/* Ask and wait for the answer. 0 and *result_out, or an exit code (said). */
static int request(struct making *making, const char *verb, json_t **result_out)
{
    json_t *answer = NULL;
    enum link_result result;
    int code = 0;

    link_renew(making->link, making->timeout_s);
    result = link_send(making->link, ++making->last_id, verb, NULL);
    if (result == LINK_OK) {
        result = link_receive(making->link, &answer);
    }
    if (result != LINK_OK) {
        (void)fprintf(stderr, "musterctl: the connection to the node was lost\n");
        return EXIT_UNREACHABLE;
    }
    if (json_is_true(json_object_get(answer, "ok"))) {
        *result_out = json_incref(json_object_get(answer, "result"));
    } else {
        const char *text = json_string_value(json_object_get(answer, "text"));

        (void)fprintf(stderr, "musterctl: %s\n", text == NULL ? "no sense in the answer" : text);
        code = ask_code_of(answer);
    }
    json_decref(answer);
    return code;
}

static int write_part(struct making *making, const json_t *result)
{
    const char *text = json_string_value(json_object_get(result, "bytes"));
    struct buf bytes = BUF_EMPTY;
    int rc;

    if (text == NULL || base64_decode(slice_str(text), &bytes) != 0) {
        (void)fprintf(stderr, "musterctl: no sense in the answer\n");
        return EXIT_REFUSED;
    }
    rc = write_bytes(making, buf_slice(&bytes));
    buf_deinit(&bytes);
    return rc == 0 ? 0 : EXIT_REFUSED;
}

static json_t *now_item(void)
{
    time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm parts;
    char text[32];

    (void)gmtime_r(&now, &parts);
    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return json_string(text);
}

static int fetch(struct making *making)
{
    json_t *result = NULL;
    json_t *mark;
    bool is_over = false;
    int code = request(making, "backup.begin", &making->manifest);

    while (code == 0 && !is_over) {
        code = request(making, "backup.read", &result);
        mark = code == 0 ? json_object_get(result, "mark") : NULL;
        is_over = mark != NULL;
        if (code == 0 && !is_over) {
            code = write_part(making, result);
        } else if (is_over) {
            (void)json_object_set(making->manifest, "mark", mark);
            (void)json_object_set_new(making->manifest, "made", now_item());
            (void)json_object_del(making->manifest, "applied");
        }
        json_decref(result);
        result = NULL;
    }
    return code;
}

static int make(struct making *making, const char *path)
{
    int code;

    if (files_begin_new(path, &making->file) != 0) {
        return EXIT_REFUSED;
    }
    code = fetch(making);
    if (code == 0 && (write_end(making) != 0 || give_name(making) != 0)) {
        code = EXIT_REFUSED;
    }
    files_end_new(&making->file);
    return code;
}

static void print_manifest(const struct options *options, const json_t *manifest, uint64_t bytes)
{
    json_t *flat = json_deep_copy(manifest);
    json_t *mark = json_object_get(flat, "mark");
    json_t *domains = json_object_get(flat, "domains");
    struct buf names = BUF_EMPTY;
    const json_t *name;
    size_t i;

    (void)json_object_set_new(flat, "bytes", json_integer((json_int_t)bytes));
    if (!options->json) {
        json_array_foreach(domains, i, name)
        {
            buf_printf(&names, "%s%s", i == 0 ? "" : " ", json_string_value(name));
        }
        (void)json_object_set_new(flat, "domains", json_string(buf_text(&names)));
        (void)json_object_update_missing(flat, mark);
        (void)json_object_del(flat, "mark");
    }
    if (options->json) {
        print_json(flat);
    } else {
        print_object(flat);
    }
    buf_deinit(&names);
    json_decref(flat);
}

int run_backup_create(const struct options *options, char **arguments, int count)
{
    struct making making = {.timeout_s = options->timeout_s, .digest = EVP_MD_CTX_new()};
    int code = EXIT_USAGE;

    (void)arguments;
    (void)count;
    if (options->out == NULL) {
        (void)fprintf(stderr, "musterctl: --out with the name of a file is needed\n");
    } else if (EVP_DigestInit_ex(making.digest, EVP_sha256(), NULL) == 1) {
        code = ask_open_serving(options, &making.link);
    }
    if (code == 0) {
        code = make(&making, options->out);
        link_close(&making.link);
    }
    if (code == 0) {
        print_manifest(options, making.manifest, making.len);
    }
    EVP_MD_CTX_free(making.digest);
    json_decref(making.manifest);
    return code;
}

int run_backup_verify(const struct options *options, char **arguments, int count)
{
    struct backup backup;

    (void)count;
    if (backup_check(arguments[0], &backup) != 0) {
        return EXIT_REFUSED;
    }
    print_manifest(options, backup.manifest.root,
                   backup.footer.store_bytes + backup.footer.manifest_bytes + BACKUP_FOOTER_BYTES);
    backup_deinit(&backup);
    return EXIT_OK;
}
