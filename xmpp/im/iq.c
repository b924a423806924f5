/* IQ from a client (RFC 6120 §8.2.3): to another session, or asked of the server itself. */
#include "xmpp/im/request.h"
#include "xmpp/xml/ns.h"

#define ITEM_NAME_MAX   1023 /* bytes; RFC 6121 §2.1.2.4 leaves the limit to the server */
#define ITEM_GROUPS_MAX 32
#define ITEM_GROUP_MAX  255

static void send_iq(struct request *request)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__SendIq iq = PB__SEND_IQ__INIT;

    request_take_inner(request);
    iq.from = &request->from;
    iq.stanza = &request->stanza;
    command.body_case = PB__COMMAND__BODY_IQ;
    command.iq = &iq;
    request_pack(request, &command);
}

static void ask(struct request *request, bool roster)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Ask question = PB__ASK__INIT;

    request_take_inner(request);
    question.from = &request->from;
    question.request = &request->stanza;
    question.roster = roster;
    command.body_case = PB__COMMAND__BODY_ASK;
    command.ask = &question;
    request_pack(request, &command);
}

/* RFC 6121 §2.3.3: groups are named, not too long, and none stands twice. */
static int collect_groups(struct request *request, const struct xml_element *item,
                          Pb__RosterSet *set)
{
    set->groups = arena_alloc(request->arena, ITEM_GROUPS_MAX * sizeof(char *));
    for (const struct xml_element *group = xml_child(item, NS_ROSTER, "group"); group != NULL;
         group = xml_sibling(group, NS_ROSTER, "group")) {
        const char *name = xml_text(group);

        if (name[0] == '\0' || strlen(name) > ITEM_GROUP_MAX || set->n_groups == ITEM_GROUPS_MAX) {
            return ERR_LIMIT;
        }
        for (size_t i = 0; i < set->n_groups; i++) {
            if (strcmp(set->groups[i], name) == 0) {
                return ERR_MALFORMED;
            }
        }
        set->groups[set->n_groups++] = (char *)(uintptr_t)name;
    }
    return 0;
}

/* Exactly one item, with a valid address (RFC 6121 §2.3.1). */
static int parse_item(struct request *request, const struct xml_element *query, Pb__RosterSet *set)
{
    const struct xml_element *item = xml_child(query, NS_ROSTER, "item");
    const char *subscription;
    const char *name;
    struct buf bare = BUF_EMPTY;
    struct jid contact;

    if (item == NULL || item->sibling != NULL || xml_attr(item, "jid") == NULL ||
        jid_parse(slice_str(xml_attr(item, "jid")), &contact) != 0) {
        return ERR_MALFORMED;
    }
    jid_format_bare(&contact, &bare);
    set->contact = arena_strndup(request->arena, buf_slice(&bare));
    buf_deinit(&bare);

    subscription = xml_attr(item, "subscription");
    set->remove = subscription != NULL && strcmp(subscription, "remove") == 0;
    name = xml_attr(item, "name");
    if (name != NULL) {
        if (strlen(name) > ITEM_NAME_MAX) {
            return ERR_LIMIT;
        }
        set->name = (char *)(uintptr_t)name;
    }
    return set->remove ? 0 : collect_groups(request, item, set);
}

static void set_roster(struct request *request, const struct xml_element *query)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__RosterSet set = PB__ROSTER_SET__INIT;
    int rc = parse_item(request, query, &set);

    if (rc == ERR_LIMIT) {
        request_refuse(request, "modify", "not-acceptable");
        return;
    }
    if (rc != 0) {
        request_refuse(request, "modify", "bad-request");
        return;
    }
    if (strcmp(set.contact, request->user) == 0) {
        request_refuse(request, "cancel", "not-allowed"); /* nobody is a contact of their own */
        return;
    }
    set.from = &request->from;
    set.iq_id = request->stanza.id;
    set.iq_lang = request->stanza.lang;
    command.body_case = PB__COMMAND__BODY_ROSTER_SET;
    command.roster_set = &set;
    request_pack(request, &command);
}

/* XEP-0280 §4, §5. */
static void set_copies(struct request *request, const struct xml_element *payload)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__CopiesSet set = PB__COPIES_SET__INIT;

    if (!request->to_own) {
        request_refuse(request, "cancel", "not-allowed");
        return;
    }
    set.from = &request->from;
    set.iq_id = request->stanza.id;
    set.iq_lang = request->stanza.lang;
    set.enable = xml_is(payload, NULL, "enable");
    command.body_case = PB__COMMAND__BODY_COPIES_SET;
    command.copies_set = &set;
    request_pack(request, &command);
}

/* What is set of an account and has a command of its own. False: it has none. */
static bool set_own(struct request *request, const struct xml_element *payload)
{
    uint32_t log_version = request->sender->log_version;

    if (log_version >= STATE_LOG_VERSION_KEPT && request_is_keep(payload)) {
        request_keep(request, payload);
        return true;
    }
    if (log_version >= STATE_LOG_VERSION_COPIES &&
        (xml_is(payload, NS_CARBONS, "enable") || xml_is(payload, NS_CARBONS, "disable"))) {
        set_copies(request, payload);
        return true;
    }
    return false;
}

/* A get or set for the server, or for an account that the server answers for. */
static void ask_server(struct request *request, const struct xml_element *payload)
{
    bool is_set = strcmp(request->stanza.type, "set") == 0;

    if (xml_is(payload, NS_ROSTER, "query") && !request->to_server) {
        if (!request->to_own) { /* RFC 6121 §2.1.5: of one's own account only */
            request_refuse(request, "auth", "forbidden");
        } else if (is_set) {
            set_roster(request, payload);
        } else {
            ask(request, true);
        }
        return;
    }
    if (!is_set || !set_own(request, payload)) {
        ask(request, false);
    }
}

static void handle_request(struct request *request)
{
    const struct xml_element *payload = request->element->child;

    if (payload == NULL || payload->sibling != NULL) {
        request_refuse(request, "modify", "bad-request"); /* RFC 6120 §8.2.3: exactly one child */
        return;
    }
    if (request->to_full) {
        send_iq(request);
    } else {
        ask_server(request, payload);
    }
}

void request_iq(struct request *request)
{
    const char *type = request->stanza.type;

    if (request->stanza.id[0] == '\0') {
        request_refuse(request, "modify", "bad-request");
        return;
    }
    if (strcmp(type, "get") == 0 || strcmp(type, "set") == 0) {
        handle_request(request);
    } else if (strcmp(type, "result") == 0 || strcmp(type, "error") == 0) {
        if (request->to_full) {
            send_iq(request);
        } else {
            request_count(request); /* an answer to the server's own ping or push */
        }
    } else {
        request_refuse(request, "modify", "bad-request");
    }
}
