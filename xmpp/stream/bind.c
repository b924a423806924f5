/* Resource binding (RFC 6120 §7): the request becomes a command, its outcome the answer. */
#include "node/base/log.h"
#include "xmpp/stream/internal.h"

static void submit_bind(struct stream *stream, char *resource)
{
    Pb__Owner owner = actions_owner(stream);
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Bind bind = PB__BIND__INIT;

    bind.owner = &owner;
    bind.user = stream->user;
    bind.resource = resource;
    bind.credential_version = stream->credential_version;
    command.body_case = PB__COMMAND__BODY_BIND;
    command.bind = &bind;
    stream_move(stream, STATE_BINDING);
    actions_submit_claim(stream, &command, AWAITED_BIND);
}

/* An error answer; the client may try again, but not for ever (RFC 6120 §7.7.3). */
static void refuse(struct stream *stream, const char *type, const char *condition)
{
    struct buf text = BUF_EMPTY;

    buf_append_str(&text, "<iq type='error'");
    xml_write_attr(&text, "id", stream->request_id);
    buf_printf(&text, "><error type='%s'><%s xmlns='" NS_STANZA_ERRORS "'/></error></iq>", type,
               condition);
    stream_write(stream, buf_text(&text));
    buf_deinit(&text);
    stream->bind_failures++;
    if (stream->bind_failures >= BIND_FAILURES_MAX) {
        ending_error(stream, "policy-violation", NULL);
    }
}

static void on_bind_request(struct stream *stream, const struct xml_element *iq,
                            const struct xml_element *bind)
{
    const char *wanted = xml_child_text(bind, NS_BIND, "resource");
    const char *id = xml_attr(iq, "id");
    char resource[JID_PART_BYTES_MAX + 1] = "";

    mem_free(&stream->request_id);
    stream->request_id = id == NULL ? NULL : mem_strdup(id);
    if (wanted != NULL && wanted[0] != '\0' &&
        jid_prep_resource(slice_str(wanted), resource) != 0) {
        refuse(stream, "modify", "bad-request"); /* RFC 6120 §7.7.2.1 */
        return;
    }
    submit_bind(stream, resource);
}

void bind_on_element(struct stream *stream, const struct xml_element *element)
{
    const struct xml_element *bind = xml_child(element, NS_BIND, "bind");
    const char *type = xml_attr(element, "type");

    if (xml_is(element, XML_NS_CLIENT, "iq") && bind != NULL && type != NULL &&
        strcmp(type, "set") == 0) {
        on_bind_request(stream, element, bind);
    } else if (xml_is(element, NS_SM, "resume")) {
        resume_on_resume(stream, element);
    } else if (xml_is(element, NS_SM, NULL)) {
        resume_refuse(stream, "unexpected-request"); /* XEP-0198 §3 */
    } else if (xml_is(element, XML_NS_CLIENT, NULL)) {
        ending_error(stream, "not-authorized", NULL); /* RFC 6120 §7.1 */
    } else {
        ending_error(stream, "unsupported-stanza-type", NULL);
    }
}

void bind_take_session(struct stream *stream, const struct outcome *outcome)
{
    stream->session = outcome->session;
    stream->epoch = outcome->epoch;
    mem_free(&stream->address);
    stream->address = mem_strdup(outcome->address);
    stream->deadline_ms = 0;
}

static void write_bound(struct stream *stream)
{
    struct buf text = BUF_EMPTY;

    buf_append_str(&text, "<iq type='result'");
    xml_write_attr(&text, "id", stream->request_id);
    buf_append_str(&text, "><bind xmlns='" NS_BIND "'>");
    xml_write_text_element(&text, "jid", stream->address);
    buf_append_str(&text, "</bind></iq>");
    stream_write(stream, buf_text(&text));
    buf_deinit(&text);
}

void bind_on_outcome(struct stream *stream, const struct outcome *outcome)
{
    actions_settle_claim(stream);
    if (outcome->kind == OUTCOME_BOUND && outcome->rc == 0) {
        bind_take_session(stream, outcome);
        stream_move(stream, STATE_ACTIVE);
        stream->decide_ms = stream->now_ms + STREAM_DECIDE_MS;
        write_bound(stream);
        log_info("session.bound", LOG_STR("address", stream->address),
                 LOG_UINT("session", stream->session));
        return;
    }
    stream_move(stream, STATE_BINDABLE);
    if (outcome->kind == OUTCOME_ELSEWHERE) {
        ending_elsewhere(stream, outcome->location);
    } else if (outcome->rc ==
               ERR_AUTH) { /* the account went, or its password changed, since the login */
        ending_error(stream, "not-authorized", NULL);
    } else if (outcome->rc == ERR_LIMIT || stream_is_refused(outcome->rc)) {
        refuse(stream, "wait", "resource-constraint"); /* RFC 6120 §7.6.2.1 */
    } else {
        refuse(stream, "cancel", "not-allowed"); /* RFC 6120 §7.6.2.2 */
    }
}
