/* musterctl cluster init: the first node of a cluster on real machines. */
#include "tools/ctl/founder.h"
#include "tools/ctl/print.h"

#include "node/base/jid.h"

int run_cluster_init(const struct options *options, char **arguments, int count)
{
    struct place place = place_of(options);
    char domain[JID_PART_BYTES_MAX + 1];
    struct setup setup = {.node = FOUNDER_NODE,
                          .cluster = options->name != NULL ? options->name : "muster",
                          .domain = domain,
                          .address = arguments[0]};
    int rc;

    (void)count;
    if (!founder_read_domain(options->domain, domain) || !founder_is_sound(&setup)) {
        return EXIT_USAGE;
    }
    rc = founder_make(&place, &setup);
    if (rc == 0) {
        rc = founder_name(&place, &setup);
    }
    if (rc == 0 && options->json) {
        print_json_take(json_pack("{s:i,s:s,s:s}", "node", FOUNDER_NODE, "dir", place.conf_dir,
                                  "data", place.data_dir));
    } else if (rc == 0) {
        founder_print_next(&place, &setup);
    }
    buf_deinit(&place.path);
    return rc == 0 ? EXIT_OK : EXIT_REFUSED;
}
