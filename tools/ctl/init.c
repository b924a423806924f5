/* musterctl cluster init: the first node of a cluster on real machines. */
#include "tools/ctl/place.h"
#include "tools/ctl/print.h"

#include "node/base/address.h"
#include "node/base/jid.h"

#include <stdio.h>
#include <string.h>

#define FOUNDER_RAFT_ID(node) ((json_int_t)(node) << 32 | 1) /* first membership of a node */

static int make_first_node(struct place *place, const struct setup *setup)
{
    struct pki_pair authority = {0};
    struct pki_pair node = {0};
    int rc = place_make_dirs(place);

    if (rc == 0) {
        rc = pki_make_authority(setup->cluster, &authority);
    }
    if (rc == 0) {
        rc = place_write_pair(place, CA_FILE, CA_KEY_FILE, FILE_OWN, &authority);
    }
    if (rc == 0) {
        rc = pki_make_node(&authority, setup->node, &node);
    }
    if (rc == 0) {
        rc = place_write_pair(place, NODE_FILE, NODE_KEY_FILE, FILE_PRIVATE, &node);
    }
    if (rc == 0) {
        rc = place_make_domain_certificate(place, setup->domain);
    }
    if (rc == 0) {
        rc = place_write_conf(place, setup);
    }
    if (rc == 0) {
        rc = place_write_identity(place, setup->node, FOUNDER_RAFT_ID(setup->node), NULL);
    }
    pki_pair_deinit(&node);
    pki_pair_deinit(&authority);
    return rc;
}

/* Texts stand in YAML between double quotes. */
static bool is_plain(const char *text)
{
    return strpbrk(text, "\"\\\n\t") == NULL;
}

static bool read_domain(const char *text, char out[JID_PART_BYTES_MAX + 1])
{
    if (text == NULL || jid_prep_domain(slice_str(text), out) != 0) {
        (void)fprintf(stderr, "musterctl: --domain with a domain name is needed\n");
        return false;
    }
    return true;
}

static bool is_sound(const struct setup *setup)
{
    struct address address;

    if (address_parse(setup->address, &address) != 0 || address.port == 0 ||
        !is_plain(setup->address)) {
        (void)fprintf(stderr, "musterctl: \"%s\" is no address (host:port) for other nodes\n",
                      setup->address);
        return false;
    }
    if (!is_plain(setup->cluster)) {
        (void)fprintf(stderr, "musterctl: --name: no quotes, backslashes, tabs and line breaks\n");
        return false;
    }
    if (setup->cluster[0] == '\0' || strlen(setup->cluster) > PKI_COMMON_NAME_MAX) {
        (void)fprintf(stderr, "musterctl: --name: 1 to %d bytes\n", PKI_COMMON_NAME_MAX);
        return false;
    }
    return true;
}

int run_cluster_init(const struct options *options, char **arguments, int count)
{
    struct place place = place_of(options);
    char domain[JID_PART_BYTES_MAX + 1];
    struct setup setup = {.node = 1,
                          .cluster = options->name != NULL ? options->name : "muster",
                          .domain = domain,
                          .address = arguments[0]};
    int rc;

    (void)count;
    if (!read_domain(options->domain, domain) || !is_sound(&setup)) {
        return EXIT_USAGE;
    }
    rc = make_first_node(&place, &setup);
    if (rc == 0 && options->json) {
        print_json_take(
            json_pack("{s:i,s:s,s:s}", "node", 1, "dir", place.conf_dir, "data", place.data_dir));
    } else if (rc == 0) {
        (void)printf("Made the first node of %s in %s. Next:\n"
                     "  copy tls/" CA_KEY_FILE " to a safe place: nodes are made with it\n"
                     "  put the certificate of %s into %s\n"
                     "  systemctl start musterd\n"
                     "  musterctl node add 2 HOST:PORT      (for each further node)\n",
                     setup.domain, place.conf_dir, setup.domain, place_tls_path(&place, ""));
    }
    buf_deinit(&place.path);
    return rc == 0 ? EXIT_OK : EXIT_REFUSED;
}
