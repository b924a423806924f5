/* STARTTLS (RFC 6120 §5) and SASL (§6): from features to a stream that knows its user. */
#include "node/base/log.h"
#include "xmpp/stream/internal.h"

#define KEYS_MAX 4 /* of one account; there are two hashes */

struct sasl_config login_sasl_config(const struct stream *stream)
{
    bool unique = !stream->tls13 || stream->config.tls_unique_on_tls13;

    return (struct sasl_config){
        .bindings = {.exporter = buf_slice(&stream->exporter),
                     .end_point = buf_slice(&stream->end_point),
                     .unique = unique ? buf_slice(&stream->unique) : slice_make(NULL, 0)},
        .tls = stream->tls_on,
        .allow_plain = stream->tls_on,
        .domain = stream->domain,
        .decoy_secret = stream->config.decoy_secret,
        .decoy_iterations = stream->config.scram_iterations};
}

/* What the client sent in clear behind <starttls/> is forgotten: it was not protected by TLS. */
static void start_tls(struct stream *stream)
{
    if (stream->tls_on || stream->state != STATE_NEGOTIATING) { /* RFC 6120 §5.4.2.2 */
        stream_write(stream, "<failure xmlns='" NS_TLS "'/></stream:stream>");
        actions_push(stream, STREAM_CLOSE);
        stream_move(stream, STATE_CLOSED);
        return;
    }
    stream_write(stream, "<proceed xmlns='" NS_TLS "'/>");
    xml_reader_reset(stream->reader, true);
    stream->header_sent = false;
    stream_move(stream, STATE_SECURING);
    actions_push(stream, STREAM_START_TLS);
}

static void fail(struct stream *stream, const char *condition)
{
    sasl_server_free(&stream->sasl);
    stream_printf(stream, "<failure xmlns='" NS_SASL "'><%s/></failure>", condition);
    stream->auth_failures++;
    if (stream->auth_failures >= AUTH_FAILURES_MAX) {
        ending_error(stream, "policy-violation", NULL); /* RFC 6120 §6.4.5 */
        return;
    }
    if (stream->state != STATE_NEGOTIATING) {
        stream_move(stream, STATE_NEGOTIATING);
    }
}

static void succeed(struct stream *stream)
{
    const struct xml_limits limits = {.stanza_bytes_max = stream->config.stanza_bytes_max};

    stream_printf(stream, "<success xmlns='" NS_SASL "'>%s</success>",
                  sasl_server_output(stream->sasl));
    log_info("stream.authenticated", LOG_STR("user", stream->user),
             LOG_STR("mechanism", sasl_server_mechanism(stream->sasl)));
    sasl_server_free(&stream->sasl);
    stream->authenticated = true;
    stream->header_sent = false;
    xml_reader_set_limits(stream->reader, &limits);
    xml_reader_reset(stream->reader, false);
    stream_move(stream, STATE_OPENING);
}

static void want_credentials(struct stream *stream)
{
    struct buf user = BUF_EMPTY;

    buf_printf(&user, "%s@%s", sasl_server_user(stream->sasl), stream->domain);
    mem_free(&stream->user);
    stream->user = mem_strdup(buf_text(&user));
    buf_deinit(&user);
    stream_move(stream, STATE_CHECKING);
    actions_push_text(stream, STREAM_WANT_CREDENTIALS, stream->user);
}

static void act_on(struct stream *stream, enum sasl_verdict verdict)
{
    switch (verdict) {
    case SASL_CHALLENGE:
        stream_printf(stream, "<challenge xmlns='" NS_SASL "'>%s</challenge>",
                      sasl_server_output(stream->sasl));
        if (stream->state != STATE_CHALLENGED) {
            stream_move(stream, STATE_CHALLENGED);
        }
        break;
    case SASL_NEED_CREDENTIALS:
        want_credentials(stream);
        break;
    case SASL_DERIVE:
        actions_push_derivation_take(stream, sasl_server_take_derivation(stream->sasl));
        break;
    case SASL_SUCCESS:
        succeed(stream);
        break;
    case SASL_FAILURE:
        fail(stream, sasl_server_condition(stream->sasl));
        break;
    }
}

/* The text of an element, or NULL when it is empty. */
static const char *text_of(const struct xml_element *element)
{
    const char *text = xml_text(element);

    return text[0] == '\0' ? NULL : text;
}

/* A new <auth/> in the middle of a handshake replaces it (RFC 6120 §6.4.2). */
static void start_sasl(struct stream *stream, const struct xml_element *element)
{
    const char *mechanism = xml_attr(element, "mechanism");
    struct sasl_config config = login_sasl_config(stream);

    sasl_server_free(&stream->sasl);
    if (!stream->tls_on && stream->config.require_tls) {
        fail(stream, "encryption-required");
    } else if (mechanism == NULL) {
        fail(stream, "invalid-mechanism");
    } else {
        stream->sasl = sasl_server_new(&config);
        act_on(stream, sasl_server_start(stream->sasl, mechanism, text_of(element)));
    }
}

static void on_sasl(struct stream *stream, const struct xml_element *element)
{
    if (xml_is(element, NS_SASL, "auth")) {
        start_sasl(stream, element);
    } else if (xml_is(element, NS_SASL, "abort")) {
        fail(stream, "aborted");
    } else if (xml_is(element, NS_SASL, "response") && stream->state == STATE_CHALLENGED) {
        act_on(stream, sasl_server_respond(stream->sasl, xml_text(element)));
    } else {
        fail(stream, "malformed-request");
    }
}

void login_on_element(struct stream *stream, const struct xml_element *element)
{
    if (xml_is(element, NS_SASL, NULL)) {
        on_sasl(stream, element);
    } else if (xml_is(element, NS_TLS, "starttls")) {
        start_tls(stream);
    } else if (xml_is(element, XML_NS_CLIENT, NULL) || xml_is(element, NS_SM, NULL)) {
        ending_error(stream, "not-authorized", NULL); /* RFC 6120 §4.9.3.12 */
    } else {
        ending_error(stream, "unsupported-stanza-type", NULL);
    }
}

static enum hash_kind hash_of(const char *mechanism)
{
    return strcmp(mechanism, "SCRAM-SHA-256") == 0 ? HASH_SHA256 : HASH_SHA1;
}

static struct slice bytes_of(ProtobufCBinaryData data)
{
    return slice_make(data.data, data.len);
}

void login_on_credentials(struct stream *stream, const Pb__AccountRow *account)
{
    struct sasl_key keys[KEYS_MAX];
    size_t count = 0;

    for (size_t i = 0; account != NULL && i < account->n_keys && count < KEYS_MAX; i++) {
        const Pb__ScramKey *key = account->keys[i];

        keys[count++] = (struct sasl_key){.kind = hash_of(key->mechanism),
                                          .iterations = key->iterations,
                                          .salt = bytes_of(key->salt),
                                          .stored_key = bytes_of(key->stored_key),
                                          .server_key = bytes_of(key->server_key)};
    }
    stream->credential_version = account == NULL ? 0 : account->version;
    act_on(stream, sasl_server_credentials(stream->sasl, keys, count));
}

void login_on_derived(struct stream *stream, const struct sasl_derivation *derivation)
{
    act_on(stream, sasl_server_derived(stream->sasl, derivation));
}
