/* musterctl cluster init, node token, node join: a cluster on real machines, from the first node
 * on. A token carries everything that a further node needs, its private key included: whoever has
 * it is that node, so it travels like a password. */
#include "node/base/crypto.h"
#include "tools/ctl/arguments.h"
#include "tools/ctl/ask.h"
#include "tools/ctl/files.h"
#include "tools/ctl/pki.h"
#include "tools/ctl/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONF_DIR_DEFAULT      "/etc/muster"
#define DATA_DIR_DEFAULT      "/var/lib/muster"
#define FOUNDER_RAFT_ID(node) ((json_int_t)(node) << 32 | 1) /* first membership of a node */
#define CA_FILE               "cluster-ca.pem"
#define CA_KEY_FILE           "cluster-ca.key"

/* Where the installation of one node is. */
struct place {
    const char *conf_dir;
    const char *data_dir;
    struct buf path; /* scratch */
};

static struct place place_of(const struct options *options)
{
    return (struct place){.conf_dir = options->dir != NULL ? options->dir : CONF_DIR_DEFAULT,
                          .data_dir = options->data != NULL ? options->data : DATA_DIR_DEFAULT};
}

/* CONF_DIR/tls/NAME; valid until the next call. */
static const char *tls_path(struct place *place, const char *name)
{
    buf_clear(&place->path);
    buf_printf(&place->path, "%s/tls/%s", place->conf_dir, name);
    return buf_text(&place->path);
}

static int write_pair(struct place *place, const char *certificate_file, const char *key_file,
                      enum file_kind key_kind, const struct pki_pair *pair)
{
    int rc =
        files_write(tls_path(place, certificate_file), buf_slice(&pair->certificate), FILE_PUBLIC);

    if (rc == 0) {
        rc = files_write(tls_path(place, key_file), buf_slice(&pair->key), key_kind);
    }
    return rc;
}

/* ---- the configuration file */

struct setup {
    uint32_t node;
    const char *cluster; /* name */
    const char *domain;
    const char *address;   /* of the link */
    const json_t *members; /* [{node, address}]: whom to ask first */
};

static void write_members(const struct setup *setup, struct buf *out)
{
    const json_t *member;
    size_t i;

    buf_append_str(out, "  members:\n");
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

static int write_conf(struct place *place, const struct setup *setup)
{
    const char *port = strrchr(setup->address, ':');
    struct buf text = BUF_EMPTY;
    int rc;

    buf_printf(&text,
               "# Made by musterctl; every key is explained in muster.yaml(5).\n"
               "node:\n  id: %u\n  data: \"%s\"\n",
               setup->node, place->data_dir);
    buf_printf(&text, "cluster:\n  name: \"%s\"\n  domain: \"%s\"\n  bind: \"[::]%s\"\n",
               setup->cluster, setup->domain, port);
    buf_printf(&text, "  address: \"%s\"\n  ca: \"%s/tls/" CA_FILE "\"\n", setup->address,
               place->conf_dir);
    buf_printf(&text, "  certificate: \"%s/tls/node.pem\"\n  key: \"%s/tls/node.key\"\n",
               place->conf_dir, place->conf_dir);
    write_members(setup, &text);
    buf_append_str(&text, "c2s:\n  bind: \"::\"\n");
    write_client_host(setup->address, &text);
    buf_printf(&text,
               "  port: 5222\n  tls_port: 5223\n  certificates:\n    - domain: \"%s\"\n"
               "      certificate: \"%s/tls/%s.pem\"\n      key: \"%s/tls/%s.key\"\n",
               setup->domain, place->conf_dir, setup->domain, place->conf_dir, setup->domain);
    buf_clear(&place->path);
    buf_printf(&place->path, "%s/muster.yaml", place->conf_dir);
    rc = files_write(buf_text(&place->path), buf_slice(&text), FILE_PUBLIC);
    buf_deinit(&text);
    return rc;
}

static int make_dirs(struct place *place)
{
    int rc = files_make_dir(place->conf_dir, FILE_PUBLIC);

    if (rc == 0) {
        rc = files_make_dir(tls_path(place, ""), FILE_PUBLIC);
    }
    if (rc == 0) {
        rc = files_make_dir(place->data_dir, FILE_PRIVATE);
    }
    return rc;
}

static int make_domain_certificate(struct place *place, const char *domain)
{
    struct pki_pair pair = {0};
    struct buf names[2] = {BUF_EMPTY, BUF_EMPTY};
    int rc = pki_make_domain(domain, &pair);

    buf_printf(&names[0], "%s.pem", domain);
    buf_printf(&names[1], "%s.key", domain);
    if (rc == 0) {
        rc = write_pair(place, buf_text(&names[0]), buf_text(&names[1]), FILE_PRIVATE, &pair);
    }
    buf_deinit(&names[0]);
    buf_deinit(&names[1]);
    pki_pair_deinit(&pair);
    return rc;
}

/* ---- node.json */

/* Which member the node is. bootstrap: it founds the cluster; said here and not in muster.yaml, so
 * that a node that lost its data does not found another one. */
static int write_identity(struct place *place, json_int_t node, json_int_t raft_id, bool bootstrap)
{
    struct buf text = BUF_EMPTY;
    int rc;

    buf_printf(&text, "{\"node\": %lld, \"raft_id\": %lld%s}\n", (long long)node,
               (long long)raft_id, bootstrap ? ", \"bootstrap\": true" : "");
    buf_clear(&place->path);
    buf_printf(&place->path, "%s/node.json", place->data_dir);
    rc = files_write(buf_text(&place->path), buf_slice(&text), FILE_PRIVATE);
    buf_deinit(&text);
    return rc;
}

/* ---- cluster init */

static int make_first_node(struct place *place, const struct setup *setup)
{
    struct pki_pair authority = {0};
    struct pki_pair node = {0};
    int rc = make_dirs(place);

    if (rc == 0) {
        rc = pki_make_authority(setup->cluster, &authority);
    }
    if (rc == 0) {
        rc = write_pair(place, CA_FILE, CA_KEY_FILE, FILE_OWN, &authority);
    }
    if (rc == 0) {
        rc = pki_make_node(&authority, setup->node, &node);
    }
    if (rc == 0) {
        rc = write_pair(place, "node.pem", "node.key", FILE_PRIVATE, &node);
    }
    if (rc == 0) {
        rc = make_domain_certificate(place, setup->domain);
    }
    if (rc == 0) {
        rc = write_conf(place, setup);
    }
    if (rc == 0) {
        rc = write_identity(place, setup->node, FOUNDER_RAFT_ID(setup->node), true);
    }
    pki_pair_deinit(&node);
    pki_pair_deinit(&authority);
    return rc;
}

static bool is_address(const char *text)
{
    const char *colon = text == NULL ? NULL : strrchr(text, ':');

    return colon != NULL && colon != text && colon[1] != '\0' &&
           strspn(colon + 1, "0123456789") == strlen(colon + 1);
}

int run_cluster_init(const struct options *options, char **arguments, int count)
{
    struct place place = place_of(options);
    struct setup setup = {.node = 1,
                          .cluster = options->name != NULL ? options->name : "muster",
                          .domain = options->domain,
                          .address = arguments[0]};
    json_t *members;
    int rc;

    (void)count;
    if (setup.domain == NULL || !is_address(setup.address)) {
        (void)fprintf(stderr, "musterctl: --domain and an address (host:port) are needed\n");
        return EXIT_USAGE;
    }
    members = json_pack("[{s:i,s:s}]", "node", 1, "address", setup.address);
    setup.members = members;
    rc = make_first_node(&place, &setup);
    json_decref(members);
    if (rc == 0 && options->json) {
        print_json_take(
            json_pack("{s:i,s:s,s:s}", "node", 1, "dir", place.conf_dir, "data", place.data_dir));
    } else if (rc == 0) {
        (void)printf("Made the first node of %s in %s. Next:\n"
                     "  put the certificate of %s into %s\n"
                     "  systemctl start musterd\n"
                     "  musterctl node token 2 HOST:PORT    (for each further node)\n",
                     setup.domain, place.conf_dir, setup.domain, tls_path(&place, ""));
    }
    buf_deinit(&place.path);
    return rc == 0 ? EXIT_OK : EXIT_REFUSED;
}

/* ---- node token */

/* Members of today, as the new node's first addresses to ask. */
static json_t *member_list(const json_t *status)
{
    json_t *members = json_array();
    const json_t *peer;
    size_t i;

    json_array_foreach(json_object_get(status, "peers"), i, peer)
    {
        (void)json_array_append_new(members,
                                    json_pack("{s:O,s:O}", "node", json_object_get(peer, "node"),
                                              "address", json_object_get(peer, "address")));
    }
    return members;
}

static bool is_member(const json_t *members, json_int_t node)
{
    const json_t *member;
    size_t i;

    json_array_foreach(members, i, member)
    {
        if (json_integer_value(json_object_get(member, "node")) == node) {
            return true;
        }
    }
    return false;
}

static int issue_certificate(struct place *place, uint32_t node, json_t *token)
{
    struct pki_pair authority = {0};
    struct pki_pair pair = {0};
    int rc = files_read(tls_path(place, CA_FILE), &authority.certificate);

    if (rc == 0) {
        rc = files_read(tls_path(place, CA_KEY_FILE), &authority.key);
    }
    if (rc == 0) {
        rc = pki_make_node(&authority, node, &pair);
    }
    if (rc == 0) {
        (void)json_object_set_new(token, "ca", json_string(buf_text(&authority.certificate)));
        (void)json_object_set_new(token, "certificate", json_string(buf_text(&pair.certificate)));
        (void)json_object_set_new(token, "key", json_string(buf_text(&pair.key)));
    }
    pki_pair_deinit(&pair);
    pki_pair_deinit(&authority);
    return rc == 0 ? EXIT_OK : EXIT_REFUSED;
}

static void print_token(const struct options *options, const json_t *token)
{
    char *text = json_dumps(token, JSON_COMPACT);
    struct buf line = BUF_EMPTY;

    base64_encode(slice_str(text), &line);
    if (options->json) {
        print_json_take(json_pack("{s:O,s:O,s:s}", "node", json_object_get(token, "node"),
                                  "raft_id", json_object_get(token, "raft_id"), "token",
                                  buf_text(&line)));
    } else {
        (void)printf("%s\n", buf_text(&line));
    }
    buf_wipe(&line);
    free(text);
}

/* Add the member, in place of an older membership of the same node where that is wished. */
static int add_member(const struct options *options, json_int_t node, const char *address,
                      json_t *token)
{
    json_t *removed = NULL;
    json_t *added = NULL;
    int code = 0;

    if (is_member(json_object_get(token, "members"), node)) {
        if ((options->given & OPTION_REPLACE) == 0) {
            (void)fprintf(stderr,
                          "musterctl: node %lld is a member already; --replace removes it "
                          "first\n",
                          (long long)node);
            return EXIT_REFUSED;
        }
        code =
            ask(options, ASK_CHANGE, "member.remove", json_pack("{s:I}", "node", node), &removed);
        json_decref(removed);
    }
    if (code == 0) {
        code = ask(options, ASK_CHANGE, "member.add",
                   json_pack("{s:I,s:s}", "node", node, "address", address), &added);
    }
    if (code == 0) {
        (void)json_object_update(token, added);
    }
    json_decref(added);
    return code;
}

int run_node_token(const struct options *options, char **arguments, int count)
{
    struct place place = place_of(options);
    json_t *status = NULL;
    json_int_t node;
    json_t *token;
    int code;

    (void)count;
    if (!arguments_read_node(arguments[0], &node) || !is_address(arguments[1])) {
        (void)fprintf(stderr, "musterctl: a node id and its address (host:port) are needed\n");
        return EXIT_USAGE;
    }
    code = ask(options, ASK_READ, "node.status", NULL, &status);
    if (code != 0) {
        return code;
    }
    token = json_pack("{s:s,s:O,s:O,s:o}", "address", arguments[1], "cluster",
                      json_object_get(status, "cluster"), "domain",
                      json_object_get(status, "domain"), "members", member_list(status));
    json_decref(status);
    code = issue_certificate(&place, (uint32_t)node, token);
    if (code == 0) {
        code = add_member(options, node, arguments[1], token);
    }
    if (code == 0) {
        print_token(options, token);
    }
    json_decref(token);
    buf_deinit(&place.path);
    return code;
}

/* ---- node join */

static json_t *read_token(const char *file)
{
    struct buf text = BUF_EMPTY;
    struct buf bytes = BUF_EMPTY;
    json_t *token = NULL;

    if (files_read(file, &text) == 0) {
        struct slice line = buf_slice(&text);

        while (line.len > 0 &&
               (line.data[line.len - 1] == '\n' || line.data[line.len - 1] == ' ')) {
            line.len--;
        }
        if (base64_decode(line, &bytes) == 0) {
            token = json_loadb((const char *)buf_slice(&bytes).data, buf_len(&bytes), 0, NULL);
        }
        if (token == NULL) {
            (void)fprintf(stderr, "musterctl: %s: no token\n", file);
        }
    }
    buf_wipe(&bytes);
    buf_wipe(&text);
    return token;
}

static int write_node(struct place *place, const struct setup *setup, const char *ca,
                      const char *certificate, const char *key)
{
    int rc = files_write(tls_path(place, CA_FILE), slice_str(ca), FILE_PUBLIC);

    if (rc == 0) {
        rc = files_write(tls_path(place, "node.pem"), slice_str(certificate), FILE_PUBLIC);
    }
    if (rc == 0) {
        rc = files_write(tls_path(place, "node.key"), slice_str(key), FILE_PRIVATE);
    }
    if (rc == 0) {
        rc = make_domain_certificate(place, setup->domain);
    }
    return rc == 0 ? write_conf(place, setup) : rc;
}

int run_node_join(const struct options *options, char **arguments, int count)
{
    struct place place = place_of(options);
    json_t *token = read_token(arguments[0]);
    const char *ca;
    const char *certificate;
    const char *key;
    struct setup setup = {0};
    json_int_t node;
    json_int_t raft_id;
    int rc = ERR_INVALID;

    (void)count;
    if (token == NULL) {
        return EXIT_USAGE;
    }
    if (json_unpack(token, "{s:I,s:I,s:s,s:s,s:s,s:o,s:s,s:s,s:s}", "node", &node, "raft_id",
                    &raft_id, "address", &setup.address, "cluster", &setup.cluster, "domain",
                    &setup.domain, "members", &setup.members, "ca", &ca, "certificate",
                    &certificate, "key", &key) != 0) {
        (void)fprintf(stderr, "musterctl: %s: the token lacks something\n", arguments[0]);
        json_decref(token);
        return EXIT_USAGE;
    }
    setup.node = (uint32_t)node;
    rc = make_dirs(&place);
    if (rc == 0) {
        rc = write_identity(&place, node, raft_id, false);
    }
    if (rc == 0 && (options->given & OPTION_REPLACE) == 0) {
        rc = write_node(&place, &setup, ca, certificate, key);
    }
    if (rc == 0 && options->json) {
        print_json_take(json_pack("{s:I,s:I}", "node", node, "raft_id", raft_id));
    } else if (rc == 0) {
        (void)printf("Node %lld is ready: systemctl start musterd\n", (long long)node);
    }
    json_decref(token);
    buf_deinit(&place.path);
    return rc == 0 ? EXIT_OK : EXIT_REFUSED;
}
