/* The verb about what DNS has to say. */
#include "node/admin/dns.h"
#include "node/admin/verbs.h"

#include <string.h>

/* Only of members: the row of a node that was removed stays. A member that is down is listed too:
 * clients try the next one. */
static size_t collect_nodes(struct core *core, struct dns_node nodes[RLOG_MEMBERS_MAX])
{
    struct rlog_status log;
    size_t count = 0;

    rlog_get_status(core_log(core), &log);
    for (size_t i = 0; i < log.peer_count; i++) {
        uint32_t node = log.peers[i].node_id;
        const Pb__NodeRow *row = state_node(core_state(core), core_arena(core), node);

        if (row != NULL && !row->witness && row->client_address[0] != '\0') {
            nodes[count++] = (struct dns_node){
                .node = node,
                .address = row->client_address,
                .stands_by = state_stands_by(core_state(core), core_arena(core), node)};
        }
    }
    return count;
}

struct walk {
    const char *domain; /* the one that is meant; NULL: all */
    struct dns_node nodes[RLOG_MEMBERS_MAX];
    size_t count;
    bool is_found;
    json_t *rows;
};

static bool visit_domain(void *ctx, const char *name)
{
    struct walk *walk = ctx;

    if (walk->domain == NULL || strcmp(walk->domain, name) == 0) {
        walk->is_found = true;
        dns_add_records(name, walk->nodes, walk->count, walk->rows);
    }
    return true;
}

static void read_records(struct request *request, struct core *core)
{
    char domain[JID_PART_BYTES_MAX + 1];
    struct walk walk = {.rows = json_array()};
    const char *wanted = request_text(request, "domain");

    walk.count = collect_nodes(core, walk.nodes);
    if (wanted != NULL && jid_prep_domain(slice_str(wanted), domain) == 0) {
        walk.domain = domain;
    }
    state_each_domain(core_state(core), core_arena(core), visit_domain, &walk);
    request->result = json_pack("{s:o}", "records", walk.rows);
    if (!walk.is_found) {
        request_deny(request, ERR_NOT_FOUND, "this domain is not served");
    } else if (walk.count == 0) {
        request_deny(request, ERR_NOT_FOUND, "no node has said yet where clients reach it");
    }
}

void verb_dns_records(struct request *request)
{
    char domain[JID_PART_BYTES_MAX + 1];

    if (json_object_get(request->args, "domain") == NULL || request_domain(request, domain)) {
        request_read_state(request, read_records);
    }
}
