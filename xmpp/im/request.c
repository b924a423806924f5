#include "xmpp/im/request.h"

#include "storage/state/command.h"
#include "storage/state/stanza_rules.h"
#include "xmpp/im/render.h"
#include "xmpp/xml/ns.h"

static char *empty_if_null(const char *text)
{
    return (char *)(uintptr_t)(text == NULL ? protobuf_c_empty_string : text);
}

static char *copy_bare(struct request *request, const char *address)
{
    return arena_strndup(request->arena, jid_text_bare(slice_str(address)));
}

/* RFC 6120 §8.1.2.1: a from must be the sender's own, bare or full; the server stamps the full one.
 */
static int check_from(const struct request *request)
{
    const char *text = xml_attr(request->element, "from");
    struct buf prepared = BUF_EMPTY;
    struct jid from;
    int rc = 0;

    if (text == NULL) {
        return 0;
    }
    if (jid_parse(slice_str(text), &from) != 0) {
        return ERR_CONFLICT;
    }
    jid_format(&from, &prepared);
    if (!slice_eq_str(buf_slice(&prepared), request->sender->address) &&
        !slice_eq_str(buf_slice(&prepared), request->user)) {
        rc = ERR_CONFLICT;
    }
    buf_deinit(&prepared);
    return rc;
}

static int parse_to(struct request *request)
{
    const char *text = xml_attr(request->element, "to");
    struct buf prepared = BUF_EMPTY;
    struct jid to;

    if (text == NULL || text[0] == '\0') {
        return 0;
    }
    if (jid_parse(slice_str(text), &to) != 0) {
        return ERR_INVALID;
    }
    jid_format(&to, &prepared);
    request->stanza.to = arena_strndup(request->arena, buf_slice(&prepared));
    buf_deinit(&prepared);

    request->has_to = true;
    request->to_bare = copy_bare(request, request->stanza.to);
    request->to_full = to.resource[0] != '\0';
    request->to_own = !request->to_full && strcmp(request->to_bare, request->user) == 0;
    request->to_server =
        to.local[0] == '\0' && !request->to_full &&
        slice_eq_str(jid_text_domain(slice_str(request->user)), request->stanza.to);
    return 0;
}

int request_init(struct request *request, const struct im_sender *sender,
                 const struct xml_element *element, struct arena *arena, struct buf *out)
{
    int rc;

    *request = (struct request){.sender = sender,
                                .element = element,
                                .arena = arena,
                                .out = out,
                                .from = PB__FROM__INIT,
                                .stanza = PB__STANZA__INIT,
                                .to_own = true};
    request->from.session = sender->session;
    request->from.epoch = sender->epoch;
    request->from.count = sender->count;
    request->from.counted = sender->counted;
    request->user = copy_bare(request, sender->address);
    request->to_bare = request->user;
    request->stanza.from = empty_if_null(sender->address);
    request->stanza.type = empty_if_null(xml_attr(element, "type"));
    request->stanza.id = empty_if_null(xml_attr(element, "id"));
    request->stanza.lang = empty_if_null(xml_attr_ns(element, XML_NS_XML, "lang"));

    rc = check_from(request);
    return rc != 0 ? rc : parse_to(request);
}

/* Would the client speak for this server (XEP-0359 §5)? In whatever spelling, for the recipient may
 * prepare the address as we do. */
static bool is_forged_stanza_id(const struct request *request, const struct xml_element *child)
{
    const char *by_text;
    struct jid by;

    if (!xml_is(child, NS_STANZA_ID, "stanza-id")) {
        return false;
    }
    by_text = xml_attr(child, "by");
    return by_text == NULL || jid_parse(slice_str(by_text), &by) != 0 ||
           slice_eq_str(jid_text_domain(slice_str(request->to_bare)), by.domain);
}

void request_take_inner(struct request *request)
{
    struct buf inner = BUF_EMPTY;
    struct slice copy;

    for (const struct xml_node *node = request->element->nodes; node != NULL; node = node->next) {
        if (node->element == NULL) {
            xml_write_text(&inner, slice_make(node->text, node->text_len));
        } else if (!is_forged_stanza_id(request, node->element)) {
            xml_write_element(&inner, node->element, XML_NS_CLIENT);
        }
    }
    copy = arena_copy(request->arena, buf_slice(&inner));
    request->stanza.inner.data = (uint8_t *)(uintptr_t)copy.data;
    request->stanza.inner.len = copy.len;
    buf_deinit(&inner);
}

void request_pack(struct request *request, Pb__Command *command)
{
    command_append(command, &request->sender->ref, request->out);
}

void request_count(struct request *request)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Notes notes = PB__NOTES__INIT;
    Pb__From *counts[] = {&request->from};

    notes.n_counts = 1;
    notes.counts = counts;
    command.body_case = PB__COMMAND__BODY_NOTES;
    command.notes = &notes;
    request_pack(request, &command);
}

void request_refuse(struct request *request, const char *error_type, const char *condition)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Answer answer = PB__ANSWER__INIT;
    Pb__Stanza error = request->stanza;
    struct buf inner = BUF_EMPTY;

    if (stanza_wants_no_error(&request->stanza)) {
        request_count(request);
        return;
    }
    stanza_write_error(error_type, condition, &inner);
    error.from = request->has_to ? request->stanza.to : (char *)(uintptr_t)request->user;
    error.to = request->stanza.from;
    error.type = (char *)(uintptr_t) "error";
    error.inner.data = (uint8_t *)(uintptr_t)arena_copy(request->arena, buf_slice(&inner)).data;
    error.inner.len = buf_len(&inner);
    buf_deinit(&inner);

    answer.from = &request->from;
    answer.stanza = &error;
    command.body_case = PB__COMMAND__BODY_ANSWER;
    command.answer = &answer;
    request_pack(request, &command);
}
