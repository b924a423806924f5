/* Stream headers and features (RFC 6120 §4): who is called, in which version, and what may be
 * negotiated next. */
#include "xmpp/im/features.h"
#include "xmpp/stream/internal.h"

#include <ctype.h>
#include <stdlib.h>

#define STREAM_ID_BYTES 12 /* unpredictable (RFC 6120 §4.7.3) */

static void write_id(struct buf *out)
{
    uint8_t id[STREAM_ID_BYTES];

    random_fill(id, sizeof(id));
    hex_encode(slice_make(id, sizeof(id)), out);
}

void header_write(struct stream *stream, const char *to)
{
    const char *from = stream->domain != NULL ? stream->domain : stream->config.default_domain;
    struct buf text = BUF_EMPTY;
    struct buf id = BUF_EMPTY;

    write_id(&id);
    buf_append_str(&text, "<?xml version='1.0'?><stream:stream xmlns='" XML_NS_CLIENT
                          "' xmlns:stream='" XML_NS_STREAMS "'");
    xml_write_attr(&text, "id", buf_text(&id));
    xml_write_attr(&text, "from", from);
    xml_write_attr(&text, "to", to);
    buf_append_str(&text, " version='1.0' xml:lang='en'>");
    stream_write(stream, buf_text(&text));
    stream->header_sent = true;
    buf_deinit(&id);
    buf_deinit(&text);
}

static void write_mechanisms(const struct stream *stream, struct buf *out)
{
    struct sasl_config config = login_sasl_config(stream);
    const char *names[SASL_MECHANISM_COUNT_MAX];
    size_t count = sasl_mechanisms(&config, names);

    buf_append_str(out, "<mechanisms xmlns='" NS_SASL "'>");
    for (size_t i = 0; i < count; i++) {
        xml_write_text_element(out, "mechanism", names[i]);
    }
    buf_append_str(out, "</mechanisms>");
}

/* XEP-0440. tls-unique is not defined for TLS 1.3 (RFC 9266), so it is never named there. */
static void write_binding_types(const struct stream *stream, struct buf *out)
{
    bool exporter = buf_len(&stream->exporter) > 0;
    bool end_point = buf_len(&stream->end_point) > 0;
    bool unique = buf_len(&stream->unique) > 0 && !stream->tls13;

    if (!exporter && !end_point && !unique) {
        return;
    }
    buf_append_str(out, "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>");
    if (exporter) {
        buf_append_str(out, "<channel-binding type='tls-exporter'/>");
    }
    if (end_point) {
        buf_append_str(out, "<channel-binding type='tls-server-end-point'/>");
    }
    if (unique) {
        buf_append_str(out, "<channel-binding type='tls-unique'/>");
    }
    buf_append_str(out, "</sasl-channel-binding>");
}

/* XEP-0115 §6.3: what the server can do, by hash. */
static void write_caps(const struct stream *stream, struct buf *text)
{
    buf_append_str(text, "<c xmlns='" NS_CAPS "' hash='sha-1' node='" FEATURES_NODE "' ver='");
    features_append_ver(stream_written_version(stream), stream->config.about(stream->config.ctx),
                        text);
    buf_append_str(text, "'/>");
}

static void write_features(struct stream *stream)
{
    struct buf text = BUF_EMPTY;

    buf_append_str(&text, "<stream:features>");
    if (stream->authenticated) {
        buf_append_str(&text, "<bind xmlns='" NS_BIND "'/>"
                              "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/>"
                              "</session>"
                              "<sm xmlns='" NS_SM "'/>"
                              "<ver xmlns='" NS_ROSTER_VER "'/>"
                              "<sub xmlns='" NS_PRE_APPROVAL "'/>");
        write_caps(stream, &text);
    } else {
        if (!stream->tls_on) {
            buf_append_str(&text, "<starttls xmlns='" NS_TLS "'>");
            buf_append_str(&text, stream->config.require_tls ? "<required/>" : "");
            buf_append_str(&text, "</starttls>");
        }
        if (stream->tls_on || !stream->config.require_tls) {
            write_binding_types(stream, &text);
            write_mechanisms(stream, &text);
        }
    }
    buf_append_str(&text, "</stream:features>");
    stream_write(stream, buf_text(&text));
    buf_deinit(&text);
}

/* RFC 6120 §4.7.5: major and minor are numbers; no version means 0.9, which has no SASL. */
static bool version_is_served(const char *version)
{
    const char *end = version;

    if (version == NULL) {
        return false;
    }
    while (isdigit((unsigned char)*end)) {
        end++;
    }
    return end != version && *end == '.' && strtoul(version, NULL, 10) >= 1;
}

/* Only what can stand in xml:lang (RFC 5646 §2.1); anything else is as good as none. */
static bool lang_is_valid(const char *lang)
{
    size_t len = strlen(lang);

    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)lang[i]) && lang[i] != '-') {
            return false;
        }
    }
    return len > 0 && len <= LANG_BYTES_MAX;
}

/* The domain that the client wants. False when it is not served here, or not the one it logged in
 * to. */
static bool take_domain(struct stream *stream, const char *to)
{
    char domain[JID_PART_BYTES_MAX + 1];

    ASSERT(!stream->authenticated || stream->domain != NULL); /* nobody logs in before a header */
    if (to == NULL) {                                         /* RFC 6120 §4.7.2: be liberal */
        to = stream->domain != NULL ? stream->domain : stream->config.default_domain;
    }
    if (jid_prep_domain(slice_str(to), domain) != 0 ||
        !stream->config.serves_domain(stream->config.ctx, domain) ||
        (stream->authenticated && strcmp(domain, stream->domain) != 0)) {
        return false;
    }
    mem_free(&stream->domain);
    stream->domain = mem_strdup(domain);
    return true;
}

/* The to of our header: the bare address that the client says it has (RFC 6120 §4.7.2). */
static const char *reply_to(struct arena *arena, const char *from)
{
    struct buf bare = BUF_EMPTY;
    const char *to;
    struct jid jid;

    if (from == NULL || jid_parse(slice_str(from), &jid) != 0) {
        return NULL;
    }
    jid_format_bare(&jid, &bare);
    to = arena_strndup(arena, buf_slice(&bare));
    buf_deinit(&bare);
    return to;
}

static bool content_is_served(const char *content_ns)
{
    return strcmp(content_ns, XML_NS_CLIENT) == 0 || content_ns[0] == '\0' ||
           strcmp(content_ns, XML_NS_STREAMS) == 0; /* RFC 6120 §4.8.2: without a default one */
}

void header_on_open(struct stream *stream, struct xml_event *event)
{
    const struct xml_element *element = event->element;
    const char *lang = xml_attr_ns(element, XML_NS_XML, "lang");
    bool domain_served = take_domain(stream, xml_attr(element, "to"));

    mem_free(&stream->lang);
    stream->lang = lang != NULL && lang_is_valid(lang) ? mem_strdup(lang) : NULL;
    header_write(stream, reply_to(&event->arena, xml_attr(element, "from")));
    if (!content_is_served(event->content_ns)) {
        ending_error(stream, "invalid-namespace", NULL);
    } else if (!version_is_served(xml_attr(element, "version"))) {
        ending_error(stream, "unsupported-version", NULL);
    } else if (!domain_served) {
        ending_error(stream, "host-unknown", NULL);
    } else {
        write_features(stream);
        stream_move(stream, stream->authenticated ? STATE_BINDABLE : STATE_NEGOTIATING);
    }
}
