/* Elements of a bound session: stanzas become commands, each with the inbound count up to and
 * including it (DESIGN 5, "Client to server"); <a/>, <r/> and <enable/> are answered here. */
#include "storage/state/entry.h"
#include "xmpp/stream/internal.h"

static void write_ack(struct stream *stream)
{
    stream_printf(stream, "<a xmlns='" NS_SM "' h='%u'/>", stream->in.applied);
}

static void on_ack(struct stream *stream, const struct xml_element *element)
{
    uint32_t h;

    if (!resume_parse_count(xml_attr(element, "h"), &h)) {
        ending_error(stream, "invalid-xml", NULL);
    } else if (stream->state == STATE_RESUMED) {
        resume_confirm(stream, h);
    } else if (stream->state == STATE_ACTIVE) {
        outbound_on_ack(stream, h);
    } /* while the confirm is in the log nothing is sent, so h says nothing new */
}

static void on_sm(struct stream *stream, const struct xml_element *element)
{
    if (xml_is(element, NULL, "enable")) {
        resume_on_enable(stream, element);
    } else if (!stream->counted) {
        resume_refuse(stream, "unexpected-request");
    } else if (xml_is(element, NULL, "a")) {
        on_ack(stream, element);
    } else if (xml_is(element, NULL, "r")) {
        if (acks_in_ask(&stream->in)) {
            write_ack(stream);
        }
    } else {
        resume_refuse(stream, "unexpected-request");
    }
}

/* RFC 6120 §4.7.4: a stanza without a language has that of its stream. */
static const struct xml_element *with_lang(const struct stream *stream, struct xml_event *event)
{
    const struct xml_element *stanza = event->element;
    struct xml_attribute *lang;
    struct xml_element *copy;

    if (stream->lang == NULL || xml_attr_ns(stanza, XML_NS_XML, "lang") != NULL) {
        return stanza;
    }
    lang = arena_alloc(&event->arena, sizeof(*lang));
    *lang = (struct xml_attribute){
        .next = stanza->attributes, .ns = XML_NS_XML, .name = "lang", .value = stream->lang};
    copy = arena_alloc(&event->arena, sizeof(*copy));
    *copy = *stanza;
    copy->attributes = lang;
    return copy;
}

/* Why a stanza cannot become a command. Written out anew, a stanza may be longer than it came. */
static const char *condition_of(int rc)
{
    switch (rc) {
    case 0:
        return "policy-violation";
    case ERR_CONFLICT:
        return "invalid-from";
    default:
        return "unsupported-stanza-type";
    }
}

static void on_stanza(struct stream *stream, struct xml_event *event)
{
    const struct im_sender sender = {.session = stream->session,
                                     .epoch = stream->epoch,
                                     .count = stream->counted ? stream->in.read + 1 : 0,
                                     .counted = stream->counted,
                                     .address = stream->address,
                                     .log_version = stream_written_version(stream),
                                     .ref = actions_ref(stream, stream->in.last_cookie + 1)};
    struct buf command = BUF_EMPTY;
    int rc = im_command(&sender, with_lang(stream, event), &event->arena, &command);

    if (rc == 0 && buf_len(&command) <= ENTRY_COMMAND_BYTES_MAX) {
        acks_in_submit(&stream->in, AWAITED_STANZA);
        actions_push_command_take(stream, &command);
        return;
    }
    buf_deinit(&command);
    ending_error(stream, condition_of(rc), NULL);
}

/* The answer to our own ping is no business of the log when nothing is counted. */
static bool answers_probe(const struct stream *stream, const struct xml_element *element)
{
    const char *id = xml_attr(element, "id");

    return !stream->counted && xml_is(element, XML_NS_CLIENT, "iq") && id != NULL &&
           strcmp(id, OUTBOUND_PROBE_ID) == 0;
}

void inbound_on_element(struct stream *stream, struct xml_event *event)
{
    if (xml_is(event->element, NS_SM, NULL)) {
        on_sm(stream, event->element);
    } else if (!answers_probe(stream, event->element)) {
        stream->is_decided = true;
        on_stanza(stream, event);
    }
}

void inbound_on_outcome(struct stream *stream, const struct awaited *awaited, int rc)
{
    if (rc == ERR_CONFLICT || (stream_is_refused(rc) && stream->state == STATE_ENDING)) {
        ending_drop(stream);
    } else if (stream_is_refused(rc) && stream->resumable) {
        ending_cut(stream); /* the client sends it again after a resume */
    } else if (stream_is_refused(rc)) {
        ending_error(stream, "resource-constraint", NULL);
    } else if (awaited->answer && stream->counted) {
        write_ack(stream);
    }
}
