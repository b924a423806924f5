#include "tools/ctl/place.h"

#include "node/base/jid.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONF_DIR_DEFAULT "/etc/muster"
#define DATA_DIR_DEFAULT "/var/lib/muster"

struct place place_of(const struct options *options)
{
    return (struct place){.conf_dir = options->dir != NULL ? options->dir : CONF_DIR_DEFAULT,
                          .data_dir = options->data != NULL ? options->data : DATA_DIR_DEFAULT};
}

const char *place_conf_path(struct place *place, const char *name)
{
    buf_clear(&place->path);
    buf_printf(&place->path, "%s/%s", place->conf_dir, name);
    return buf_text(&place->path);
}

const char *place_tls_path(struct place *place, const char *name)
{
    buf_clear(&place->path);
    buf_printf(&place->path, "%s/tls/%s", place->conf_dir, name);
    return buf_text(&place->path);
}

int place_write_pair(struct place *place, const char *certificate_file, const char *key_file,
                     enum file_kind key_kind, const struct pki_pair *pair)
{
    int rc = files_write(place_tls_path(place, certificate_file), buf_slice(&pair->certificate),
                         FILE_PUBLIC);

    if (rc == 0) {
        rc = files_write(place_tls_path(place, key_file), buf_slice(&pair->key), key_kind);
    }
    return rc;
}

/* ---- the configuration file */

static void write_members(const struct setup *setup, struct buf *out)
{
    const json_t *member;
    size_t i;

    buf_printf(out, "  members:\n    - {node: %u, address: \"%s\"}\n", setup->node, setup->address);
    json_array_foreach(setup->members, i, member)
    {
        buf_printf(out, "    - {node: %lld, address: \"%s\"}\n",
                   (long long)json_integer_value(json_object_get(member, "node")),
                   json_string_value(json_object_get(member, "address")));
    }
}

/* The host of "host:port", as clients reach it. */
static void write_client_host(const char *address, struct buf *out)
{
    const char *colon = strrchr(address, ':');

    if (address[0] == '[') {
        buf_printf(out, "  address: \"%.*s\"\n", (int)(colon - address - 2), address + 1);
    } else {
        buf_printf(out, "  address: \"%.*s\"\n", (int)(colon - address), address);
    }
}

static void write_clients(const struct place *place, const struct setup *setup, struct buf *out)
{
    char dns[JID_PART_BYTES_MAX + 1];

    jid_domain_to_dns(setup->domain, dns);
    buf_append_str(out, "c2s:\n  bind: \"::\"\n");
    write_client_host(setup->address, out);
    buf_printf(out,
               "  port: 5222\n  tls_port: 5223\n  certificates:\n    - domain: \"%s\"\n"
               "      certificate: \"%s/tls/%s.pem\"\n      key: \"%s/tls/%s.key\"\n",
               dns, place->conf_dir, dns, place->conf_dir, dns);
}

int place_write_conf(struct place *place, const struct setup *setup)
{
    const char *port = strrchr(setup->address, ':');
    struct buf text = BUF_EMPTY;
    int rc;

    buf_printf(&text,
               "# Made by musterctl; every key is explained in muster.yaml(5).\n"
               "node:\n  id: %u\n  data: \"%s\"\n%s",
               setup->node, place->data_dir, setup->is_witness ? "  witness: true\n" : "");
    buf_printf(&text, "cluster:\n  name: \"%s\"\n  domain: \"%s\"\n  bind: \"[::]%s\"\n",
               setup->cluster, setup->domain, port);
    buf_printf(&text, "  address: \"%s\"\n  ca: \"%s/tls/" CA_FILE "\"\n", setup->address,
               place->conf_dir);
    buf_printf(&text,
               "  certificate: \"%s/tls/" NODE_FILE "\"\n  key: \"%s/tls/" NODE_KEY_FILE "\"\n",
               place->conf_dir, place->conf_dir);
    write_members(setup, &text);
    if (!setup->is_witness) {
        write_clients(place, setup, &text);
    }
    rc = files_write(place_conf_path(place, CONF_FILE), buf_slice(&text), FILE_PUBLIC);
    buf_deinit(&text);
    return rc;
}

int place_make_dirs(struct place *place)
{
    int rc = files_make_dir(place->conf_dir, FILE_PUBLIC);

    if (rc == 0) {
        rc = files_make_dir(place_tls_path(place, ""), FILE_PUBLIC);
    }
    if (rc == 0) {
        rc = files_make_dir(place->data_dir, FILE_PRIVATE);
    }
    return rc;
}

int place_make_domain_certificate(struct place *place, const char *domain)
{
    struct pki_pair pair = {0};
    char dns[JID_PART_BYTES_MAX + 1];
    struct buf names[2] = {BUF_EMPTY, BUF_EMPTY};
    int rc;

    jid_domain_to_dns(domain, dns);
    rc = pki_make_domain(dns, &pair);
    buf_printf(&names[0], "%s.pem", dns);
    buf_printf(&names[1], "%s.key", dns);
    if (rc == 0) {
        rc = place_write_pair(place, buf_text(&names[0]), buf_text(&names[1]), FILE_PRIVATE, &pair);
    }
    buf_deinit(&names[0]);
    buf_deinit(&names[1]);
    pki_pair_deinit(&pair);
    return rc;
}

/* ---- the data */

/* Empty folders are no data: a node that starts without its data, and fails, leaves them. */
static bool is_nothing(DIR *dir, const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "lost+found") == 0 ||
           unlinkat(dirfd(dir), name, AT_REMOVEDIR) == 0;
}

int place_check_no_data(const struct place *place)
{
    DIR *dir = opendir(place->data_dir);
    const struct dirent *item;
    int rc = 0;

    while (dir != NULL && rc == 0 && (item = readdir(dir)) != NULL) {
        if (!is_nothing(dir, item->d_name)) {
            (void)fprintf(stderr,
                          "musterctl: %s holds data (%s); a new node begins without: stop "
                          "musterd and remove it\n",
                          place->data_dir, item->d_name);
            rc = ERR_EXISTS;
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return rc;
}

/* ---- node.json */

int place_write_identity(struct place *place, json_int_t node, json_int_t raft_id,
                         const json_t *members)
{
    json_t *root = json_pack("{s:I,s:I}", "node", node, "raft_id", raft_id);
    struct buf text = BUF_EMPTY;
    char *json;
    int rc;

    if (members == NULL) {
        (void)json_object_set_new(root, "bootstrap", json_true());
    } else {
        (void)json_object_set(root, "members", (json_t *)(uintptr_t)members);
    }
    json = json_dumps(root, JSON_PRESERVE_ORDER);
    buf_printf(&text, "%s\n", json);
    buf_clear(&place->path);
    buf_printf(&place->path, "%s/node.json", place->data_dir);
    rc = files_write(buf_text(&place->path), buf_slice(&text), FILE_PRIVATE);
    buf_deinit(&text);
    free(json);
    json_decref(root);
    return rc;
}
