#include "xmpp/im/answer.h"

#include "node/base/jid.h"
#include "storage/state/stanza_rules.h"
#include "xmpp/im/features.h"
#include "xmpp/im/render.h"
#include "xmpp/xml/ns.h"
#include "xmpp/xml/xml.h"

#include <inttypes.h>
#include <stdio.h>

struct question {
    const struct im_view *view;
    const Pb__Stanza *request;
    const struct xml_element *payload;
    struct arena *arena;
    struct buf *inner; /* of the result */
};

/* Appends the result's children; or 0 appended and an error for what is not served here. */
typedef int (*answerer)(struct question *question);

static struct slice requester(const struct question *question)
{
    return jid_text_bare(slice_str(question->request->from));
}

static bool is_own_account(const struct question *question)
{
    const char *to = question->request->to;

    return to[0] == '\0' || slice_eq_str(requester(question), to);
}

static bool is_server(const struct question *question)
{
    return strchr(question->request->to, '@') == NULL && question->request->to[0] != '\0' &&
           state_has_domain(question->view->state, question->request->to);
}

static uint32_t log_version(const struct question *question)
{
    return state_cluster(question->view->state, question->arena)->log_version;
}

/* Does the asked account let the requester see its presence? Then it may know of the account
 * (XEP-0030 §8). */
static bool is_subscribed(const struct question *question)
{
    const char *user = arena_strndup(question->arena, requester(question));
    const Pb__RosterItem *item =
        state_roster_item(question->view->state, question->arena, question->request->to, user);

    return item != NULL && roster_item_is_seen(item);
}

/* XEP-0115 §6.2: the node that our stream features name, with their hash. */
static bool is_caps_node(const struct question *question, const char *node)
{
    struct buf caps = BUF_EMPTY;
    bool is_caps;

    buf_append_str(&caps, FEATURES_NODE "#");
    features_append_ver(log_version(question), question->view->about, &caps);
    is_caps = strcmp(node, buf_text(&caps)) == 0;
    buf_deinit(&caps);
    return is_caps;
}

static int answer_disco_info(struct question *question)
{
    const char *node = xml_attr(question->payload, "node");

    if (node != NULL && !(is_server(question) && is_caps_node(question, node))) {
        return ERR_NOT_FOUND;
    }
    if (!is_server(question) && !is_own_account(question) && !is_subscribed(question)) {
        return ERR_NOT_ALLOWED;
    }
    buf_append_str(question->inner, "<query xmlns='" NS_DISCO_INFO "'");
    if (node != NULL) {
        xml_write_attr(question->inner, "node", node);
    }
    buf_append_str(question->inner, ">");
    if (is_server(question)) {
        features_append_info(log_version(question), question->view->about, question->inner);
    } else {
        buf_append_str(question->inner, "<identity category='account' type='registered'/>"
                                        "<feature var='" NS_DISCO_INFO "'/>");
    }
    buf_append_str(question->inner, "</query>");
    return 0;
}

static int answer_disco_items(struct question *question)
{
    if (xml_attr(question->payload, "node") != NULL) {
        return ERR_NOT_FOUND;
    }
    if (!is_server(question) && !is_own_account(question) && !is_subscribed(question)) {
        return ERR_NOT_ALLOWED;
    }
    buf_append_str(question->inner, "<query xmlns='" NS_DISCO_ITEMS "'/>");
    return 0;
}

/* A ping (XEP-0199) or session request asks for nothing but the answer. */
static int answer_nothing(struct question *question)
{
    return is_server(question) || is_own_account(question) ? 0 : ERR_NOT_ALLOWED;
}

static bool append_listed(void *ctx, const Pb__RosterItem *item)
{
    if (item->listed) {
        render_roster_item(item, false, ctx);
    }
    return true;
}

/* RFC 6121 §2.1.4 and §2.6: an empty result when the client has this version already. */
static int answer_roster(struct question *question)
{
    const char *user = arena_strndup(question->arena, requester(question));
    const Pb__RosterRow *roster = state_roster(question->view->state, question->arena, user);
    const char *version = xml_attr(question->payload, "ver");
    char current[24];

    (void)snprintf(current, sizeof(current), "%" PRIu64, roster == NULL ? 0 : roster->version);
    if (version != NULL && strcmp(version, current) == 0) {
        return 0;
    }
    buf_printf(question->inner, "<query xmlns='" NS_ROSTER "' ver='%s'>", current);
    state_each_roster_item(question->view->state, user, append_listed, question->inner);
    buf_append_str(question->inner, "</query>");
    return 0;
}

static int answer_time(struct question *question)
{
    if (!is_server(question) && !is_own_account(question)) {
        return ERR_NOT_ALLOWED;
    }
    buf_append_str(question->inner, "<time xmlns='" NS_TIME "'><tzo>+00:00</tzo><utc>");
    render_time(question->view->now_wall_ms, question->inner);
    buf_append_str(question->inner, "</utc></time>");
    return 0;
}

static int answer_version(struct question *question)
{
    if (!is_server(question) || !about_tells_version(question->view->about)) {
        return ERR_NOT_ALLOWED;
    }
    buf_append_str(question->inner,
                   "<query xmlns='" NS_VERSION "'><name>Muster</name><version>" MUSTER_VERSION
                   "</version></query>");
    return 0;
}

static bool keeps(const struct question *question)
{
    return log_version(question) >= STATE_LOG_VERSION_KEPT;
}

/* Appends what the asked account keeps; false when that is nothing. */
static bool append_kept(struct question *question, Pb__Kept__Kind kind,
                        const struct xml_element *asked)
{
    const char *to = question->request->to;
    const char *user = to[0] != '\0' ? to : arena_strndup(question->arena, requester(question));
    Pb__Kept which = PB__KEPT__INIT;
    const Pb__KeptRow *row;

    which.kind = kind;
    which.ns = (char *)(uintptr_t)asked->ns;
    which.name = (char *)(uintptr_t)asked->name;
    row = state_kept(question->view->state, question->arena, user, &which);
    if (row == NULL) {
        return false;
    }
    buf_append(question->inner, slice_make(row->kept->element.data, row->kept->element.len));
    return true;
}

/* XEP-0049 §2.3. Of what is not kept an empty element is the answer. */
static int answer_private(struct question *question)
{
    const struct xml_element *asked = question->payload->child;

    if (!keeps(question)) {
        return ERR_NOT_ALLOWED;
    }
    if (!is_own_account(question)) {
        return ERR_AUTH;
    }
    if (asked == NULL || asked->sibling != NULL || asked->ns[0] == '\0' ||
        strcmp(asked->ns, NS_PRIVATE) == 0) {
        return ERR_INVALID;
    }
    buf_append_str(question->inner, "<query xmlns='" NS_PRIVATE "'>");
    if (!append_kept(question, PB__KEPT__KIND__PRIVATE, asked)) {
        buf_printf(question->inner, "<%s", asked->name);
        xml_write_attr(question->inner, "xmlns", asked->ns);
        buf_append_str(question->inner, "/>");
    }
    buf_append_str(question->inner, "</query>");
    return 0;
}

/* XEP-0054 §3.1 and §3.3: who has none is not told from who is not there. */
static int answer_vcard(struct question *question)
{
    if (!keeps(question)) {
        return ERR_NOT_ALLOWED;
    }
    if (append_kept(question, PB__KEPT__KIND__VCARD, question->payload)) {
        return 0;
    }
    return is_own_account(question) ? ERR_NOT_FOUND : ERR_NOT_ALLOWED;
}

static const struct service {
    const char *type;
    const char *ns;
    const char *name;
    answerer answer;
} services[] = {
    {"get", NS_DISCO_INFO, "query", answer_disco_info},
    {"get", NS_DISCO_ITEMS, "query", answer_disco_items},
    {"get", NS_ROSTER, "query", answer_roster},
    {"get", NS_PING, "ping", answer_nothing},
    {"get", NS_TIME, "time", answer_time},
    {"get", NS_VERSION, "query", answer_version},
    {"get", NS_PRIVATE, "query", answer_private},
    {"get", NS_VCARD, "vCard", answer_vcard},
    {"set", NS_SESSION, "session", answer_nothing}, /* RFC 3921 §3: nothing to do since RFC 6121 */
};

static int answer(struct question *question)
{
    const struct xml_element *root;
    struct slice inner = slice_make(question->request->inner.data, question->request->inner.len);

    if (xml_parse_fragment(inner, NULL, question->arena, &root) != 0 || root->child == NULL) {
        return ERR_NOT_ALLOWED;
    }
    question->payload = root->child;
    for (size_t i = 0; i < ARRAY_COUNT(services); i++) {
        const struct service *service = &services[i];

        if (xml_is(question->payload, service->ns, service->name) &&
            strcmp(question->request->type, service->type) == 0) {
            return service->answer(question);
        }
    }
    return ERR_NOT_ALLOWED;
}

static void write_error(int rc, struct buf *inner)
{
    switch (rc) {
    case ERR_NOT_FOUND:
        stanza_write_error("cancel", "item-not-found", inner);
        break;
    case ERR_AUTH:
        stanza_write_error("auth", "forbidden", inner);
        break;
    case ERR_INVALID:
        stanza_write_error("modify", "not-acceptable", inner);
        break;
    default:
        stanza_write_error("cancel", "service-unavailable", inner);
    }
}

void answer_render(const struct im_view *view, const Pb__Stanza *request, struct arena *arena,
                   struct buf *out)
{
    struct buf inner = BUF_EMPTY;
    struct question question = {.view = view, .request = request, .arena = arena, .inner = &inner};
    Pb__Stanza reply = PB__STANZA__INIT;
    int rc = answer(&question);

    if (rc != 0) {
        write_error(rc, &inner);
    }
    reply.kind = PB__STANZA__KIND__IQ;
    reply.from = request->to;
    reply.to = request->from;
    reply.id = request->id;
    reply.type = (char *)(uintptr_t)(rc == 0 ? "result" : "error");
    reply.inner.data = (uint8_t *)(uintptr_t)buf_slice(&inner).data;
    reply.inner.len = buf_len(&inner);
    render_stanza(&reply, NULL, out);
    buf_deinit(&inner);
}
