/* certificates - new ones for the links of a log that runs. */
#include "raft/log/internal.h"

#include "node/base/mem.h"

struct rlog_certificates {
    struct link_certificates *links;
};

int rlog_certificates_load(uint32_t node_id, const char *ca_file, const char *cert_file,
                           const char *key_file, char fault[RLOG_FAULT_BYTES_MAX],
                           struct rlog_certificates **out)
{
    const struct link_files files = {ca_file, cert_file, key_file};
    struct link_certificates *links = NULL;
    int rc = link_certificates_load(&files, fault, &links);

    if (rc == 0) {
        rc = link_certificates_check(links, &files, node_id, fault);
    }
    if (rc != 0) {
        link_certificates_free(&links);
        return rc;
    }
    *out = mem_alloc(sizeof(**out));
    (*out)->links = links;
    return 0;
}

void rlog_certificates_free(struct rlog_certificates **certificates)
{
    link_certificates_free(&(*certificates)->links);
    mem_free(certificates);
}

static void use(struct rlog *rlog, void *ctx)
{
    struct rlog_certificates *certificates = ctx;

    if (rlog != NULL) {
        link_set_certificates_take(rlog->links, certificates->links);
        certificates->links = NULL;
    }
    rlog_certificates_free(&certificates);
}

void rlog_use_certificates_take(struct rlog *rlog, struct rlog_certificates *certificates)
{
    rlog_extension_call(rlog, use, certificates);
}
