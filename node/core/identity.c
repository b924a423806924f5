#include "node/core/identity.h"

#include "node/base/buf.h"
#include "node/base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IDENTITY_FILE      "node.json"
#define MEMBERSHIP_FILE    "membership" /* in the log's folder: the raft id, in decimal */
#define IDENTITY_BYTES_MAX 128
#define REJOIN_HINT        "join again under a new raft id: musterctl node replace"

/* "dir/name"; the caller frees it. */
static struct buf path_of(const char *dir, const char *name)
{
    struct buf path = BUF_EMPTY;

    buf_printf(&path, "%s/%s", dir, name);
    return path;
}

/* ---- files: whole or not at all, and on the disk */

static int write_synced(const char *path, const char *text)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t len = strlen(text);
    int rc = 0;

    if (file < 0 || write(file, text, len) != (ssize_t)len || fsync(file) != 0) {
        rc = ERR_IO;
    }
    if (file >= 0) {
        (void)close(file);
    }
    return rc;
}

static int sync_dir(const char *dir)
{
    int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = folder >= 0 && fsync(folder) == 0 ? 0 : ERR_IO;

    if (folder >= 0) {
        (void)close(folder);
    }
    return rc;
}

static int replace_file(const char *dir, const char *name, const char *text)
{
    struct buf path = path_of(dir, name);
    struct buf fresh = path_of(dir, name);
    int rc;

    buf_append_str(&fresh, ".new");
    rc = write_synced(buf_text(&fresh), text);
    if (rc == 0 && rename(buf_text(&fresh), buf_text(&path)) != 0) {
        rc = ERR_IO;
    }
    if (rc == 0) {
        rc = sync_dir(dir);
    }
    if (rc != 0) {
        log_error("identity.write_failed", LOG_STR("file", buf_text(&path)));
    }
    buf_deinit(&fresh);
    buf_deinit(&path);
    return rc;
}

/* ---- node.json */

static int read_members(const json_t *list, struct identity *out)
{
    size_t count = json_array_size(list);

    if (list != NULL && !json_is_array(list)) {
        return ERR_CONFIG;
    }
    for (size_t i = 0; i < count && i < RLOG_MEMBERS_MAX; i++) {
        const json_t *item = json_array_get(list, i);
        const char *address = json_string_value(json_object_get(item, "address"));
        json_int_t node = json_integer_value(json_object_get(item, "node"));
        struct rlog_member *member = &out->members[out->member_count];

        if (address == NULL || strlen(address) > RLOG_ADDRESS_MAX || node < 1 || node > INT32_MAX) {
            return ERR_CONFIG;
        }
        member->node_id = (uint32_t)node;
        (void)snprintf(member->address, sizeof(member->address), "%s", address);
        out->member_count++;
    }
    return count > RLOG_MEMBERS_MAX ? ERR_CONFIG : 0;
}

static int read_identity(const char *path, uint32_t node_id, struct identity *out)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    const json_t *members = NULL;
    json_int_t stored_node = 0;
    json_int_t raft_id = 0;
    int bootstrap = 0;
    int begun = 0;
    int rc = 0;

    *out = (struct identity){.node_id = node_id};
    if (root == NULL || json_unpack_ex(root, &error, 0, "{s:I,s:I,s?b,s?b,s?o}", "node",
                                       &stored_node, "raft_id", &raft_id, "bootstrap", &bootstrap,
                                       "begun", &begun, "members", &members) != 0) {
        log_error("identity.unreadable", LOG_STR("file", path), LOG_STR("cause", error.text));
        rc = ERR_CONFIG;
    } else if (read_members(members, out) != 0) {
        log_error("identity.unreadable", LOG_STR("file", path),
                  LOG_STR("cause", "members is no list of {node, address}"));
        rc = ERR_CONFIG;
    } else if ((uint64_t)stored_node != node_id || (uint64_t)raft_id >> 32 != node_id) {
        log_error("identity.other_node", LOG_STR("file", path), LOG_INT("file_node", stored_node),
                  LOG_INT("raft_id", raft_id), LOG_UINT("node", node_id),
                  LOG_STR("hint", REJOIN_HINT));
        rc = ERR_CONFIG;
    }
    json_decref(root);
    out->raft_id = (uint64_t)raft_id;
    out->bootstrap = bootstrap != 0 && begun == 0;
    out->begun = begun != 0;
    return rc;
}

static json_t *pack_members(const struct identity *identity)
{
    json_t *list = json_array();

    for (size_t i = 0; i < identity->member_count; i++) {
        (void)json_array_append_new(list, json_pack("{s:I,s:s}", "node",
                                                    (json_int_t)identity->members[i].node_id,
                                                    "address", identity->members[i].address));
    }
    return list;
}

/* That its log has begun. */
static int write_begun(const struct identity *identity, const char *dir)
{
    json_t *root = json_pack("{s:I,s:I,s:b}", "node", (json_int_t)identity->node_id, "raft_id",
                             (json_int_t)identity->raft_id, "begun", 1);
    struct buf text = BUF_EMPTY;
    char *json;
    int rc;

    if (identity->member_count > 0) {
        (void)json_object_set_new(root, "members", pack_members(identity));
    }
    json = json_dumps(root, JSON_PRESERVE_ORDER);
    buf_printf(&text, "%s\n", json);
    rc = replace_file(dir, IDENTITY_FILE, buf_text(&text));
    buf_deinit(&text);
    free(json);
    json_decref(root);
    return rc;
}

int identity_open(const char *dir, uint32_t node_id, struct identity *out)
{
    struct buf path = path_of(dir, IDENTITY_FILE);
    const char *file = buf_text(&path);
    int rc;

    if (access(file, F_OK) == 0) {
        rc = read_identity(file, node_id, out);
    } else {
        log_error("identity.missing", LOG_STR("file", file),
                  LOG_STR("hint", "no member yet, or its data is lost: musterctl node join"));
        rc = ERR_CONFIG;
    }
    buf_deinit(&path);
    return rc;
}

/* ---- the log's own mark */

static void format_membership(const struct identity *identity, char text[IDENTITY_BYTES_MAX])
{
    (void)snprintf(text, IDENTITY_BYTES_MAX, "%llu\n", (unsigned long long)identity->raft_id);
}

/* Reads the mark; "" when there is none. */
static void read_membership(const char *log_dir, char text[IDENTITY_BYTES_MAX])
{
    struct buf path = path_of(log_dir, MEMBERSHIP_FILE);
    FILE *file = fopen(buf_text(&path), "re");

    text[0] = '\0';
    if (file != NULL) {
        if (fgets(text, IDENTITY_BYTES_MAX, file) == NULL) {
            text[0] = '\0';
        }
        (void)fclose(file);
    }
    buf_deinit(&path);
}

int identity_check_log(const struct identity *identity, const char *log_dir)
{
    char found[IDENTITY_BYTES_MAX];
    char expected[IDENTITY_BYTES_MAX];

    read_membership(log_dir, found);
    format_membership(identity, expected);
    if (strcmp(found, expected) == 0 || (found[0] == '\0' && !identity->begun)) {
        return 0;
    }
    log_error("identity.log_lost", LOG_STR("dir", log_dir), LOG_UINT("raft_id", identity->raft_id),
              LOG_STR("hint", REJOIN_HINT));
    return ERR_CORRUPT;
}

int identity_clear_log(const struct identity *identity, const char *log_dir)
{
    DIR *dir = identity->bootstrap ? opendir(log_dir) : NULL;
    const struct dirent *item;
    int rc = identity->bootstrap && dir == NULL ? ERR_IO : 0;

    while (dir != NULL && rc == 0 && (item = readdir(dir)) != NULL) {
        if (item->d_type != DT_DIR && unlinkat(dirfd(dir), item->d_name, 0) != 0) {
            rc = ERR_IO;
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    if (rc != 0) {
        log_error("identity.log_not_cleared", LOG_STR("dir", log_dir), LOG_INT("errno", errno));
    }
    return rc;
}

int identity_begin(struct identity *identity, const char *dir, const char *log_dir)
{
    char text[IDENTITY_BYTES_MAX];
    int rc;

    if (identity->begun) {
        return 0;
    }
    format_membership(identity, text);
    rc = replace_file(log_dir, MEMBERSHIP_FILE, text);
    if (rc == 0) {
        rc = write_begun(identity, dir);
    }
    if (rc == 0) {
        identity->bootstrap = false;
        identity->begun = true;
    }
    return rc;
}
