/* Verbs about domains. */
#include "node/admin/verbs.h"

void verb_domain_add(struct request *request)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__DomainSet set = PB__DOMAIN_SET__INIT;
    char domain[JID_PART_BYTES_MAX + 1];

    if (!request_domain(request, domain)) {
        return;
    }
    set.name = domain;
    command.body_case = PB__COMMAND__BODY_DOMAIN_SET;
    command.domain_set = &set;
    request_submit(request, &command);
}

static bool take_first(void *ctx, const char *user)
{
    *(const char **)ctx = user;
    return false;
}

static void explain_removal(struct request *request, struct core *core)
{
    const char *user = NULL;
    char domain[JID_PART_BYTES_MAX + 1];

    if (!request_domain(request, domain)) {
        return; /* it was well-formed when the command was sent */
    }
    if (request->rc == ERR_NOT_FOUND) {
        request_deny(request, request->rc, "domain %s is not served", domain);
    } else if (request->rc == ERR_BUSY) {
        state_each_account(core_state(core), core_arena(core), domain, "", take_first, &user);
        if (user != NULL) {
            request_deny(request, request->rc,
                         "domain %s has accounts, as %s; first: user remove each that user list "
                         "--domain %s shows",
                         domain, user, domain);
        } else {
            request_deny(request, request->rc,
                         "what removed accounts of domain %s had is still being erased: ask again "
                         "in a while",
                         domain);
        }
    }
}

void verb_domain_remove(struct request *request)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__DomainRemove remove = PB__DOMAIN_REMOVE__INIT;
    char domain[JID_PART_BYTES_MAX + 1];

    if (!request_domain(request, domain)) {
        return;
    }
    remove.name = domain;
    command.body_case = PB__COMMAND__BODY_DOMAIN_REMOVE;
    command.domain_remove = &remove;
    request->explain = explain_removal;
    request_submit(request, &command);
}

static bool list_domain(void *ctx, const char *name)
{
    (void)json_array_append_new(ctx, json_string(name));
    return true;
}

static void read_domains(struct request *request, struct core *core)
{
    json_t *domains = json_array();

    state_each_domain(core_state(core), core_arena(core), list_domain, domains);
    request->result = json_pack("{s:o}", "domains", domains);
}

void verb_domain_list(struct request *request)
{
    request_read_state(request, read_domains);
}
