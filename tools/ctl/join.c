/* musterctl node join: make this machine the node that a token is for. */
#include "tools/ctl/ctl.h"
#include "tools/ctl/place.h"
#include "tools/ctl/print.h"

#include "node/base/clock.h"
#include "node/base/crypto.h"
#include "node/base/jid.h"
#include "node/conf/conf.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOINED_FILE "joined" /* the raft id of the last membership, in decimal */

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
            (void)fprintf(stderr, "musterctl: %s: no token; musterctl node add makes one\n", file);
        }
    }
    buf_wipe(&bytes);
    buf_wipe(&text);
    return token;
}

/* What a token holds; borrowed from its JSON. */
struct grant {
    json_int_t node;
    json_int_t raft_id;
    json_int_t expires; /* wall time, seconds */
    const char *ca;
    struct pki_pair pair; /* owned */
    char domain[JID_PART_BYTES_MAX + 1];
    struct setup setup;
};

static int read_grant(const json_t *token, struct grant *out)
{
    const char *certificate;
    const char *domain;
    const char *key;
    int is_witness = 0;

    if (json_unpack((json_t *)(uintptr_t)token, "{s:I,s:I,s:I,s:s,s:s,s:s,s:o,s:s,s:s,s:s,s?b}",
                    "node", &out->node, "raft_id", &out->raft_id, "expires", &out->expires,
                    "address", &out->setup.address, "cluster", &out->setup.cluster, "domain",
                    &domain, "members", &out->setup.members, "ca", &out->ca, "certificate",
                    &certificate, "key", &key, "witness", &is_witness) != 0 ||
        jid_prep_domain(slice_str(domain), out->domain) != 0) {
        (void)fprintf(stderr, "musterctl: the token lacks something\n");
        return ERR_MALFORMED;
    }
    out->setup.node = (uint32_t)out->node;
    out->setup.domain = out->domain;
    out->setup.is_witness = is_witness != 0;
    buf_append_str(&out->pair.certificate, certificate);
    buf_append_str(&out->pair.key, key);
    return 0;
}

/* ---- is the token good, and good here? */

static int check_token(const struct grant *grant)
{
    const char *fault;
    struct buf ca = BUF_EMPTY;

    if ((uint64_t)grant->expires < clock_wall_ms() / 1000) {
        (void)fprintf(stderr, "musterctl: the token has expired; make another one: musterctl node "
                              "replace\n");
        return ERR_NOT_ALLOWED;
    }
    buf_append_str(&ca, grant->ca);
    fault = pki_check(&ca, &grant->pair, grant->setup.node);
    buf_deinit(&ca);
    if (fault != NULL) {
        (void)fprintf(stderr, "musterctl: the token is damaged: %s\n", fault);
        return ERR_NOT_ALLOWED;
    }
    return 0;
}

/* A log that is lost may not begin again under its raft id: the votes it gave are forgotten (DESIGN
 * 4). So a machine remembers, apart from the data, which memberships it had. */
static int check_unused(struct place *place, const struct grant *grant)
{
    FILE *file = fopen(place_conf_path(place, JOINED_FILE), "re");
    long long last = 0;
    int found = file == NULL ? 0 : fscanf(file, "%lld", &last);

    if (file != NULL) {
        (void)fclose(file);
    }
    if (found == 1 && last >= grant->raft_id) {
        (void)fprintf(stderr, "musterctl: this token, or a newer one, was used here already; make "
                              "another one: musterctl node replace\n");
        return ERR_NOT_ALLOWED;
    }
    return 0;
}

/* The others dial the address in the token, so this node has to be there. */
static int check_kept_conf(struct place *place, const struct grant *grant)
{
    const char *file = place_conf_path(place, CONF_FILE);
    char fault[CONF_FAULT_BYTES_MAX];
    struct conf *conf;
    int rc = conf_load(file, &conf, fault);

    if (rc != 0) {
        (void)fprintf(stderr, "musterctl: %s\n", fault);
        return rc;
    }
    if (strcmp(conf->cluster.address, grant->setup.address) != 0) {
        (void)fprintf(stderr,
                      "musterctl: %s has cluster.address %s, and the token is for %s: change it "
                      "there, or make another token: musterctl node replace\n",
                      file, conf->cluster.address, grant->setup.address);
        rc = ERR_NOT_ALLOWED;
    }
    conf_free(&conf);
    return rc;
}

/* The installation that is there must be this node's, of this cluster. */
static int check_kept(struct place *place, const struct grant *grant)
{
    struct pki_pair kept = {0};
    struct buf ca = BUF_EMPTY;
    const char *fault = NULL;
    int rc = files_read(place_tls_path(place, CA_FILE), &ca);

    if (rc == 0) {
        rc = files_read(place_tls_path(place, NODE_FILE), &kept.certificate);
    }
    if (rc == 0) {
        rc = files_read(place_tls_path(place, NODE_KEY_FILE), &kept.key);
    }
    if (rc == 0) {
        fault = pki_check(&ca, &kept, grant->setup.node);
    }
    if (fault == NULL && rc == 0) {
        struct buf token_ca = BUF_EMPTY;

        buf_append_str(&token_ca, grant->ca);
        fault = pki_same_certificate(&ca, &token_ca) ? NULL : "the token is of another cluster";
        buf_deinit(&token_ca);
    }
    if (fault != NULL) {
        (void)fprintf(stderr, "musterctl: %s cannot be kept: %s\n", place->conf_dir, fault);
        rc = ERR_NOT_ALLOWED;
    }
    pki_pair_deinit(&kept);
    buf_deinit(&ca);
    return rc == 0 ? check_kept_conf(place, grant) : rc;
}

/* ---- join */

static int write_node(struct place *place, const struct grant *grant)
{
    int rc = files_write(place_tls_path(place, CA_FILE), slice_str(grant->ca), FILE_PUBLIC);

    if (rc == ERR_EXISTS) {
        (void)fprintf(stderr, "musterctl: --replace keeps the installation that is there\n");
    }
    if (rc == 0) {
        rc = place_write_pair(place, NODE_FILE, NODE_KEY_FILE, FILE_PRIVATE, &grant->pair);
    }
    if (rc == 0 && !grant->setup.is_witness) {
        rc = place_make_domain_certificate(place, grant->setup.domain);
    }
    return rc == 0 ? place_write_conf(place, &grant->setup) : rc;
}

static int remember(struct place *place, const struct grant *grant)
{
    struct buf text = BUF_EMPTY;
    int rc;

    buf_printf(&text, "%" JSON_INTEGER_FORMAT "\n", grant->raft_id);
    (void)unlink(place_conf_path(place, JOINED_FILE)); /* of an earlier membership */
    rc = files_write(place_conf_path(place, JOINED_FILE), buf_slice(&text), FILE_PUBLIC);
    buf_deinit(&text);
    return rc;
}

/* Nothing is written before everything is known to be good. */
static int join(struct place *place, const struct grant *grant, bool replaces)
{
    bool keeps = replaces && access(place_conf_path(place, CONF_FILE), F_OK) == 0;
    int rc = check_token(grant);

    if (rc == 0) {
        rc = check_unused(place, grant);
    }
    if (rc == 0) {
        rc = place_check_no_data(place);
    }
    if (rc == 0 && keeps) {
        rc = check_kept(place, grant);
    }
    if (rc == 0) {
        rc = place_make_dirs(place);
    }
    if (rc == 0 && !keeps) {
        rc = write_node(place, grant);
    }
    if (rc == 0) {
        rc = remember(place, grant);
    }
    return rc == 0 ? place_write_identity(place, grant->node, grant->raft_id, grant->setup.members)
                   : rc;
}

static void print_joined(const struct options *options, const struct grant *grant)
{
    if (options->json) {
        print_json_take(json_pack("{s:I,s:I}", "node", grant->node, "raft_id", grant->raft_id));
    } else {
        (void)printf("Node %" JSON_INTEGER_FORMAT " is ready: systemctl start musterd\n",
                     grant->node);
    }
}

int run_node_join(const struct options *options, char **arguments, int count)
{
    struct place place = place_of(options);
    struct grant grant = {0};
    json_t *token = read_token(arguments[0]);
    int code = EXIT_USAGE;

    (void)count;
    if (token != NULL && read_grant(token, &grant) == 0) {
        code = join(&place, &grant, (options->given & OPTION_REPLACE) != 0) == 0 ? EXIT_OK
                                                                                 : EXIT_REFUSED;
    }
    if (code == EXIT_OK) {
        print_joined(options, &grant);
    }
    pki_pair_deinit(&grant.pair);
    json_decref(token);
    buf_deinit(&place.path);
    return code;
}
