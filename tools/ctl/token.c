/* musterctl node add, node replace: make a member, and print the token that its node joins with.
 * All that the node needs is in it, its private key included: whoever has the token is that node,
 * so it travels like a password. */
#include "tools/ctl/arguments.h"
#include "tools/ctl/ask.h"
#include "tools/ctl/place.h"
#include "tools/ctl/print.h"

#include "node/base/address.h"
#include "node/base/clock.h"
#include "node/base/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TOKEN_VALID_S (24 * 3600) /* time to carry it over; a key that lies about is a risk */

/* The other members of today, as the node's first addresses to ask. */
static json_t *other_members(const json_t *status, json_int_t node)
{
    json_t *members = json_array();
    const json_t *peer;
    size_t i;

    json_array_foreach(json_object_get(status, "peers"), i, peer)
    {
        if (json_integer_value(json_object_get(peer, "node")) != node) {
            (void)json_array_append_new(members, json_pack("{s:O,s:O}", "node",
                                                           json_object_get(peer, "node"), "address",
                                                           json_object_get(peer, "address")));
        }
    }
    return members;
}

/* What node list says of it; NULL: it is no member. */
static const json_t *find_member(const json_t *list, json_int_t node)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(list, "nodes"), i, item)
    {
        if (json_integer_value(json_object_get(item, "node")) == node) {
            return item;
        }
    }
    return NULL;
}

static int issue_certificate(struct place *place, uint32_t node, json_t *token)
{
    struct pki_pair authority = {0};
    struct pki_pair pair = {0};
    int rc;

    if (access(place_tls_path(place, CA_KEY_FILE), F_OK) != 0) {
        (void)fprintf(stderr,
                      "musterctl: %s is not here: a token is made where the cluster's authority "
                      "is, the machine of cluster init, or one that has a copy of this file\n",
                      place_tls_path(place, CA_KEY_FILE));
        return EXIT_REFUSED;
    }
    rc = files_read(place_tls_path(place, CA_FILE), &authority.certificate);
    if (rc == 0) {
        rc = files_read(place_tls_path(place, CA_KEY_FILE), &authority.key);
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

/* Add the member, in place of its older membership. */
static int add_member(const struct options *options, json_int_t node, bool replaces, json_t *token)
{
    json_t *removed = NULL;
    json_t *added = NULL;
    int code = 0;

    if (replaces) {
        code =
            ask(options, ASK_CHANGE, "member.remove", json_pack("{s:I}", "node", node), &removed);
        json_decref(removed);
    }
    if (code == 0) {
        code =
            ask(options, ASK_CHANGE, "member.add",
                json_pack("{s:I,s:O}", "node", node, "address", json_object_get(token, "address")),
                &added);
    }
    if (code == 0) {
        (void)json_object_update(token, added);
    }
    json_decref(added);
    return code;
}

static json_t *new_token(const json_t *status, json_int_t node, const char *address,
                         bool is_witness)
{
    return json_pack("{s:s,s:I,s:O,s:O,s:o,s:b}", "address", address, "expires",
                     (json_int_t)(clock_wall_ms() / 1000) + TOKEN_VALID_S, "cluster",
                     json_object_get(status, "cluster"), "domain",
                     json_object_get(status, "domain"), "members", other_members(status, node),
                     "witness", (int)is_witness);
}

/* Takes the token. */
static int give_token(const struct options *options, json_int_t node, bool replaces, json_t *token)
{
    struct place place = place_of(options);
    int code = issue_certificate(&place, (uint32_t)node, token);

    if (code == 0) {
        code = add_member(options, node, replaces, token);
    }
    if (code == 0) {
        print_token(options, token);
    }
    json_decref(token);
    buf_deinit(&place.path);
    return code;
}

/* A node that is replaced is what it was, unless it never came, and nobody knows; list: what node
 * list says. */
static int make_token(const struct options *options, json_int_t node, const char *address,
                      bool replaces, const json_t *status, const json_t *list)
{
    const json_t *member = find_member(list, node);
    bool is_witness = (options->given & OPTION_WITNESS) != 0 ||
                      (replaces && json_is_true(json_object_get(member, "witness")));

    if (member != NULL && !replaces) {
        (void)fprintf(stderr,
                      "musterctl: node %lld is a member; when it lost its data, node replace ends "
                      "that membership and makes a new one\n",
                      (long long)node);
        return EXIT_REFUSED;
    }
    if (member == NULL && replaces) {
        (void)fprintf(stderr, "musterctl: node %lld is no member: node add\n", (long long)node);
        return EXIT_REFUSED;
    }
    if (replaces && json_is_true(json_object_get(member, "connected")) &&
        json_is_true(json_object_get(member, "up"))) {
        (void)fprintf(stderr,
                      "musterctl: node %lld is up and connected, and would have to begin without "
                      "its data; if that is meant, stop it first\n",
                      (long long)node);
        return EXIT_REFUSED;
    }
    return give_token(options, node, replaces, new_token(status, node, address, is_witness));
}

static int run(const struct options *options, char **arguments, bool replaces)
{
    struct options asked = *options;
    struct address address;
    json_t *status = NULL;
    json_t *list = NULL;
    json_int_t node;
    int code;

    if (!arguments_read_node(arguments[0], &node)) {
        return EXIT_USAGE;
    }
    if (address_parse(arguments[1], &address) != 0 || address.port == 0) {
        (void)fprintf(stderr, "musterctl: \"%s\" is no address (host:port)\n", arguments[1]);
        return EXIT_USAGE;
    }
    asked.not_node = (long)node;
    code = ask(&asked, ASK_READ, "node.status", NULL, &status);
    if (code == 0) {
        code = ask(&asked, ASK_READ, "node.list", NULL, &list);
    }
    if (code == 0) {
        code = make_token(&asked, node, arguments[1], replaces, status, list);
    }
    json_decref(list);
    json_decref(status);
    return code;
}

int run_node_add(const struct options *options, char **arguments, int count)
{
    (void)count;
    return run(options, arguments, false);
}

int run_node_replace(const struct options *options, char **arguments, int count)
{
    (void)count;
    return run(options, arguments, true);
}
