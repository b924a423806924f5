/* place - the installation of one node: what cluster init, cluster restore and node join write, and
 * where. */
#ifndef TOOLS_CTL_PLACE_H
#define TOOLS_CTL_PLACE_H

#include "tools/ctl/ctl.h"
#include "tools/ctl/files.h"
#include "tools/ctl/pki.h"

#define CONF_FILE     "muster.yaml"
#define CA_FILE       "cluster-ca.pem"
#define CA_KEY_FILE   "cluster-ca.key"
#define NODE_FILE     "node.pem"
#define NODE_KEY_FILE "node.key"

struct place {
    const char *conf_dir;
    const char *data_dir;
    struct buf path; /* scratch; the caller deinits it */
};

/** What the configuration of a node is made from. */
struct setup {
    uint32_t node;
    const char *cluster;   /* name */
    const char *domain;    /* in prepared form */
    const char *address;   /* of the link */
    bool is_witness;       /* no clients come to it */
    const json_t *members; /* [{node, address}] of the others: whom to ask first */
};

struct place place_of(const struct options *options);
/** CONF_DIR/NAME and CONF_DIR/tls/NAME; valid until the next call. */
const char *place_conf_path(struct place *place, const char *name);
const char *place_tls_path(struct place *place, const char *name);

/* All that follows says on stderr what failed, and overwrites nothing: ERR_EXISTS. */

/** The data directory is empty, or not there; ERR_EXISTS. */
NODISCARD int place_check_no_data(const struct place *place);
NODISCARD int place_make_dirs(struct place *place);
NODISCARD int place_write_pair(struct place *place, const char *certificate_file,
                               const char *key_file, enum file_kind key_kind,
                               const struct pki_pair *pair);
/** A first certificate of the (prepared) domain, signed by itself. */
NODISCARD int place_make_domain_certificate(struct place *place, const char *domain);
/** muster.yaml */
NODISCARD int place_write_conf(struct place *place, const struct setup *setup);
/** node.json: which member the node is, and the others, [{node, address}]; NULL: it founds the
 * cluster. That is said here and not in muster.yaml, so that a node that lost its data does not
 * found another one, and finds those that are members now. */
NODISCARD int place_write_identity(struct place *place, json_int_t node, json_int_t raft_id,
                                   const json_t *members);

#endif
