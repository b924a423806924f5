#include "tools/ctl/founder.h"

#include "node/base/address.h"
#include "node/base/jid.h"

#include <stdio.h>
#include <string.h>

#define FOUNDER_RAFT_ID(node) ((json_int_t)(node) << 32 | 1) /* first membership of a node */

int founder_make(struct place *place, const struct setup *setup)
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
    pki_pair_deinit(&node);
    pki_pair_deinit(&authority);
    return rc;
}

int founder_name(struct place *place, const struct setup *setup)
{
    return place_write_identity(place, setup->node, FOUNDER_RAFT_ID(setup->node), NULL);
}

/* Texts stand in YAML between double quotes. */
static bool is_plain(const char *text)
{
    return strpbrk(text, "\"\\\n\t") == NULL;
}

bool founder_read_domain(const char *text, char *out)
{
    if (text == NULL || jid_prep_domain(slice_str(text), out) != 0) {
        (void)fprintf(stderr, "musterctl: --domain with a domain name is needed\n");
        return false;
    }
    return true;
}

bool founder_is_sound(const struct setup *setup)
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

void founder_print_next(struct place *place, const struct setup *setup)
{
    (void)printf("Made the first node of %s in %s. Next:\n"
                 "  copy tls/" CA_KEY_FILE " to a safe place: nodes are made with it\n"
                 "  put the certificate of %s into %s\n"
                 "  systemctl start musterd\n"
                 "  musterctl node add 2 HOST:PORT      (for each further node)\n",
                 setup->domain, place->conf_dir, setup->domain, place_tls_path(place, ""));
}
