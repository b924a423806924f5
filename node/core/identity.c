#include "node/core/identity.h"

#include "node/base/buf.h"
#include "node/base/log.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#define IDENTITY_FILE "node.json"

static int read_identity(const char *path, uint32_t node_id, struct identity *out)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    json_int_t stored_node = 0;
    json_int_t raft_id = 0;
    int bootstrap = 0;
    int rc = 0;

    if (root == NULL || json_unpack_ex(root, &error, 0, "{s:I,s:I,s?b}", "node", &stored_node,
                                       "raft_id", &raft_id, "bootstrap", &bootstrap) != 0) {
        log_error("identity.unreadable", LOG_STR("file", path), LOG_STR("cause", error.text));
        rc = ERR_CONFIG;
    } else if ((uint64_t)stored_node != node_id || (uint64_t)raft_id >> 32 != node_id) {
        log_error("identity.other_node", LOG_STR("file", path), LOG_INT("file_node", stored_node),
                  LOG_UINT("node", node_id));
        rc = ERR_CONFIG;
    }
    json_decref(root);
    *out = (struct identity){.raft_id = (uint64_t)raft_id, .bootstrap = bootstrap != 0};
    return rc;
}

/* File and directory are synced: an identity that a vote was given under must not be lost. */
static int write_identity(const char *dir, const char *path, uint32_t node_id, uint64_t raft_id)
{
    struct buf text = BUF_EMPTY;
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = 0;
    struct slice bytes;

    buf_printf(&text, "{\"node\": %u, \"raft_id\": %llu}\n", node_id, (unsigned long long)raft_id);
    bytes = buf_slice(&text);
    if (file < 0 || folder < 0 || write(file, bytes.data, bytes.len) != (ssize_t)bytes.len ||
        fsync(file) != 0 || fsync(folder) != 0) {
        log_error("identity.write_failed", LOG_STR("file", path));
        rc = ERR_IO;
    }
    if (file >= 0) {
        (void)close(file);
    }
    if (folder >= 0) {
        (void)close(folder);
    }
    buf_deinit(&text);
    return rc;
}

int identity_open(const char *dir, uint32_t node_id, bool bootstrap, struct identity *out)
{
    struct buf path = BUF_EMPTY;
    const char *file;
    int rc;

    buf_printf(&path, "%s/" IDENTITY_FILE, dir);
    file = buf_text(&path);
    if (access(file, F_OK) == 0) {
        rc = read_identity(file, node_id, out);
    } else if (!bootstrap) {
        log_error("identity.missing", LOG_STR("file", file),
                  LOG_STR("hint", "this node is no member yet: musterctl node join"));
        rc = ERR_CONFIG;
    } else {
        out->raft_id = identity_raft_id(node_id, IDENTITY_FIRST_MEMBERSHIP);
        rc = write_identity(dir, file, node_id, out->raft_id);
    }
    buf_deinit(&path);
    return rc;
}
