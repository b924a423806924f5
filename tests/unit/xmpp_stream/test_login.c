/* From the first byte to a bound session: headers, STARTTLS, every SASL mechanism, bind, and what
 * goes wrong on the way. Each script runs with the bytes whole and one by one. */
#include "tests/unit/xmpp_stream/dialogue.h"
#include "xmpp/im/features.h"

#include <stdio.h>

#define FEATURES_AFTER_LOGIN                                                                       \
    "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"                            \
    "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>"                   \
    "<sm xmlns='urn:xmpp:sm:3'/><ver xmlns='urn:xmpp:features:rosterver'/>"                        \
    "<sub xmlns='urn:xmpp:features:pre-approval'/>" CAPS "</stream:features>"
#define BIND(resource)                                                                             \
    "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>" resource     \
    "</resource></bind></iq>"

/* Goal: the usual way in: STARTTLS, PLAIN, bind. */
static void script_plain(struct dialogue *d)
{
    reach_bound(d);
    assert_string_equal(stream_address(d->stream), ADDRESS);
    assert_int_equal(stream_session(d->stream), SESSION);
    assert_true(stream_wants_read(d->stream));
    expect_no_log(d);
    expect_no_action(d);
}

/* Goal: SCRAM without channel binding, with both hashes. */
static void log_in_by_scram(struct dialogue *d, const char *mechanism)
{
    reach_tls(d);
    client_does_scram(d, mechanism, PASSWORD, "n,,", "");
    expect_output_has(d, "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>");
    mem_release(take_output(d));
    client_says(d, OPEN);
    expect_header_and(d, NULL, FEATURES_AFTER_LOGIN);
}

static void script_scram_sha256(struct dialogue *d)
{
    log_in_by_scram(d, "SCRAM-SHA-256");
}

static void script_scram_sha1(struct dialogue *d)
{
    log_in_by_scram(d, "SCRAM-SHA-1");
}

/* Goal: with channel binding data the -PLUS mechanisms and the types (XEP-0440) are offered, and
 * bind. Method: direct TLS (XEP-0368), so that TLS is on before the first byte. */
static void bind_channel(struct dialogue *d, const char *mechanism, const char *binding,
                         const char *data, const char *verdict)
{
    const struct stream_tls tls = {.exporter = slice_str("exported keying material"),
                                   .end_point = slice_str("hash of the certificate"),
                                   .unique = slice_str("finished message"),
                                   .tls13 = true};

    d->config.direct_tls = true;
    dialogue_start(d);
    stream_on_tls(d->stream, &tls);
    client_says(d, OPEN);
    expect_header_and(
        d, NULL,
        "<stream:features><sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>"
        "<channel-binding type='tls-exporter'/><channel-binding type='tls-server-end-point'/>"
        "</sasl-channel-binding><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"
        "<mechanism>SCRAM-SHA-256-PLUS</mechanism><mechanism>SCRAM-SHA-1-PLUS</mechanism>"
        "<mechanism>SCRAM-SHA-256</mechanism><mechanism>SCRAM-SHA-1</mechanism>"
        "<mechanism>PLAIN</mechanism></mechanisms></stream:features>");
    client_does_scram(d, mechanism, PASSWORD, binding, data);
    expect_output_has(d, verdict);
}

static void script_plus_exporter(struct dialogue *d)
{
    bind_channel(d, "SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "exported keying material",
                 "<success");
}

static void script_plus_end_point(struct dialogue *d)
{
    bind_channel(d, "SCRAM-SHA-1-PLUS", "p=tls-server-end-point,,", "hash of the certificate",
                 "<success");
}

static void script_plus_wrong_data(struct dialogue *d)
{
    bind_channel(d, "SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "of another connection", "<failure");
}

/* Goal: tls-unique on TLS 1.3, which slixmpp asks for, works where the setting allows it. */
static void script_plus_unique(struct dialogue *d)
{
    d->config.tls_unique_on_tls13 = true;
    bind_channel(d, "SCRAM-SHA-1-PLUS", "p=tls-unique,,", "finished message", "<success");
}

/* Goal: on TLS 1.2 tls-unique is offered by name. */
static void script_unique_on_tls12(struct dialogue *d)
{
    const struct stream_tls tls = {.unique = slice_str("finished message")};

    d->config.direct_tls = true;
    dialogue_start(d);
    stream_on_tls(d->stream, &tls);
    client_says(d, OPEN);
    expect_output_has(d, "<channel-binding type='tls-unique'/>");
    expect_output_has(d, "<mechanism>SCRAM-SHA-256-PLUS</mechanism>");
    mem_release(take_output(d));
    client_does_scram(d, "SCRAM-SHA-256-PLUS", PASSWORD, "p=tls-unique,,", "finished message");
    expect_output_has(d, "<success");
}

/* Goal: a header with from gets a to; xml:lang goes to stanzas that have none (RFC 6120 §4.7). */
static void script_header_attributes(struct dialogue *d)
{
    dialogue_start(d);
    client_says(d, "<stream:stream from='Alice@Example.TEST/x' to='EXAMPLE.test' version='1.1' "
                   "xml:lang='de' xmlns='jabber:client' "
                   "xmlns:stream='http://etherx.jabber.org/streams'>");
    expect_header_and(d, USER,
                      "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'>"
                      "<required/></starttls></stream:features>");
}

/* Goal: headers that are not served are answered by a header and the error that RFC 6120 names. */
struct bad_header {
    const char *header;
    const char *error;
};

static const struct bad_header bad_headers[] = {
    {"<stream:stream to='other.test' version='1.0' xmlns='jabber:client' "
     "xmlns:stream='http://etherx.jabber.org/streams'>",
     ERROR("host-unknown")},
    {"<stream:stream to='example.test' xmlns='jabber:client' "
     "xmlns:stream='http://etherx.jabber.org/streams'>",
     ERROR("unsupported-version")},
    {"<stream:stream to='example.test' version='0.9' xmlns='jabber:client' "
     "xmlns:stream='http://etherx.jabber.org/streams'>",
     ERROR("unsupported-version")},
    {"<stream:stream to='example.test' version='1.0' xmlns='jabber:server' "
     "xmlns:stream='http://etherx.jabber.org/streams'>",
     ERROR("invalid-namespace")},
    {"<stream:stream to='example.test' version='1.0' xmlns='jabber:client' "
     "xmlns:stream='http://wrong.example/'>",
     ERROR("invalid-namespace")},
    {"<!DOCTYPE x><stream:stream>", ERROR("restricted-xml")},
    {"<!-- hello -->", ERROR("restricted-xml")},
    {"GET / HTTP/1.1\r\n", ERROR("not-well-formed")},
    {"\x16\x03\x01\x02", ERROR("not-well-formed")},
};

static const struct bad_header *bad_header;

static void script_bad_header(struct dialogue *d)
{
    dialogue_start(d);
    client_says(d, bad_header->header);
    expect_header_and(d, NULL, bad_header->error);
    expect_action(d, STREAM_CLOSE);
    expect_no_log(d);
}

/* Goal: prefix-free streams (RFC 6120 §4.8.2) and streams without to are served. */
static void script_liberal_headers(struct dialogue *d)
{
    dialogue_start(d);
    client_says(d, "<stream version='1.0' xmlns='http://etherx.jabber.org/streams'>");
    expect_header_and(d, NULL,
                      "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'>"
                      "<required/></starttls></stream:features>");
}

/* Goal: what stands in clear behind <starttls/> is never acted upon (command injection). */
static void script_injection(struct dialogue *d)
{
    const struct stream_tls tls = {.tls13 = true};

    dialogue_start(d);
    client_says(d, OPEN);
    mem_release(take_output(d));
    client_says(d, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" OPEN
                   "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"
                   "AGFsaWNlAHNlY3JldA==</auth>");
    expect_server(d, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    expect_action(d, STREAM_START_TLS);
    stream_on_tls(d->stream, &tls);
    client_says(d, OPEN);
    expect_output_has(d, "<mechanisms");
    expect_no_action(d);
}

/* Goal: a second STARTTLS fails as RFC 6120 §5.4.2.2 says. */
static void script_second_starttls(struct dialogue *d)
{
    reach_tls(d);
    client_says(d, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    expect_server(d, "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>");
    expect_action(d, STREAM_CLOSE);
}

/* Goal: no password before TLS. */
static void script_auth_before_tls(struct dialogue *d)
{
    dialogue_start(d);
    client_says(d, OPEN);
    mem_release(take_output(d));
    client_says(d, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"
                   "AGFsaWNlAHNlY3JldA==</auth>");
    expect_server(d, FAILURE("encryption-required"));
    expect_no_action(d);
}

/* Goal: SASL failures name their condition, the client may try again, but not for ever. */
static void script_auth_failures(struct dialogue *d)
{
    reach_tls(d);
    client_says(d, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='CRAM-MD5'/>");
    expect_server(d, FAILURE("invalid-mechanism"));
    client_says(d, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"
                   "AGFsaWNlAHdyb25n</auth>");
    give_credentials(d);
    derive(d);
    expect_server(d, FAILURE("not-authorized"));
    client_says(d, "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    expect_server(d, FAILURE("malformed-request"));
    client_says(d, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>!</auth>");
    expect_server(d, FAILURE("incorrect-encoding") ERROR("policy-violation"));
    expect_action(d, STREAM_CLOSE);
}

static void script_no_mechanism(struct dialogue *d)
{
    reach_tls(d);
    client_says(d, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    expect_server(d, FAILURE("invalid-mechanism"));
}

/* Goal: a wrong proof fails, then the right one succeeds on the same stream. */
static void script_retry(struct dialogue *d)
{
    reach_tls(d);
    client_does_scram(d, "SCRAM-SHA-256", "wrong", "n,,", "");
    expect_server(d, FAILURE("not-authorized"));
    reach_login(d);
}

/* Goal: an unknown account looks like a wrong password. */
static void script_unknown_account(struct dialogue *d)
{
    reach_tls(d);
    client_says(d, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"
                   "AGFsaWNlAHNlY3JldA==</auth>");
    expect_action(d, STREAM_WANT_CREDENTIALS);
    stream_on_credentials(d->stream, NULL);
    client_says(d, "");
    derive(d);
    expect_server(d, FAILURE("not-authorized"));
}

/* Goal: while a password is checked elsewhere nothing more is read; a stream that ends meanwhile
 * does not mind an answer that comes late, nor one that never comes.
 * Method: PLAIN, and the next header at once; the client leaves; time is up. */
static void begin_plain(struct dialogue *d)
{
    reach_tls(d);
    client_says(d, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"
                   "AGFsaWNlAHNlY3JldA==</auth>");
    give_credentials(d);
    expect_server(d, "");
}

static void script_derivation(struct dialogue *d)
{
    begin_plain(d);
    assert_false(stream_wants_read(d->stream));
    derive(d);
    expect_server(d, "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'></success>");
    assert_true(stream_wants_read(d->stream));
}

static void script_leave_while_deriving(struct dialogue *d)
{
    begin_plain(d);
    client_leaves(d);
    expect_action(d, STREAM_DROP);
    derive(d);
    expect_no_action(d);
    expect_server(d, "");
}

static void script_deadline_while_deriving(struct dialogue *d)
{
    begin_plain(d);
    time_passes(d, d->config.negotiation_ms);
    expect_server(d, ERROR("connection-timeout"));
    expect_action(d, STREAM_CLOSE);
    derive(d);
    expect_no_action(d);
    expect_server(d, "");
}

/* Goal: <abort/> and a new <auth/> in the middle of a handshake (RFC 6120 §6.4.2, §6.4.4). */
static void script_abort(struct dialogue *d)
{
    reach_tls(d);
    client_says(d, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>");
    expect_server(d, "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'></challenge>");
    client_says(d, "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    expect_server(d, FAILURE("aborted"));
    client_says(d, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>");
    expect_server(d, "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'></challenge>");
    reach_login(d);
}

/* Goal: stanzas and stream management before login, and before bind, are refused. */
static void script_stanza_before_login(struct dialogue *d)
{
    reach_tls(d);
    client_says(d, "<message to='bob@example.test'><body>hi</body></message>");
    expect_server(d, ERROR("not-authorized"));
    expect_action(d, STREAM_CLOSE);
    expect_no_log(d);
}

static void script_stanza_before_bind(struct dialogue *d)
{
    reach_tls(d);
    reach_login(d);
    client_says(d, "<enable xmlns='urn:xmpp:sm:3'/>");
    expect_server(d, FAILED("unexpected-request"));
    client_says(d, "<message to='bob@example.test'><body>hi</body></message>");
    expect_server(d, ERROR("not-authorized"));
    expect_action(d, STREAM_CLOSE);
    expect_no_log(d);
}

static void script_unknown_element(struct dialogue *d)
{
    reach_tls(d);
    client_says(d, "<hello xmlns='urn:example:x'/>");
    expect_server(d, ERROR("unsupported-stanza-type"));
}

/* Goal: after login the stream stays with its domain. */
static void script_domain_changes(struct dialogue *d)
{
    reach_tls(d);
    client_says(d, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"
                   "AGFsaWNlAHNlY3JldA==</auth>");
    give_credentials(d);
    derive(d);
    mem_release(take_output(d));
    client_says(d, "<stream:stream to='other.test' version='1.0' xmlns='jabber:client' "
                   "xmlns:stream='http://etherx.jabber.org/streams'>");
    expect_header_and(d, NULL, ERROR("host-unknown"));
}

/* Goal: bind refusals: a bad resource, a limit, an account that is gone; retries end. */
static void script_bind_refused(struct dialogue *d)
{
    reach_tls(d);
    reach_login(d);
    client_says(d, BIND("&#xE000;"));
    expect_server(d, "<iq type='error' id='b'><error type='modify'><bad-request "
                     "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>");
    client_says(d, BIND("x"));
    expect_log(d, "bind " USER "/x version=9 owner=3.1.2.4");
    log_done(d, ERR_LIMIT);
    expect_server(d, "<iq type='error' id='b'><error type='wait'><resource-constraint "
                     "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>");
    client_says(d, BIND(""));
    expect_log(d, "bind " USER "/ version=9 owner=3.1.2.4");
    log_done(d, ERR_AUTH);
    expect_server(d, ERROR("not-authorized"));
    expect_action(d, STREAM_CLOSE);
}

static void script_bind_retries(struct dialogue *d)
{
    reach_tls(d);
    reach_login(d);
    for (int i = 0; i < 5; i++) {
        client_says(d, BIND("&#xE000;"));
    }
    expect_output_lacks(d, "policy-violation");
    client_says(d, BIND("&#xE000;"));
    expect_output_has(d, ERROR("policy-violation"));
    expect_action(d, STREAM_CLOSE);
}

/* Goal: what is sent behind the bind request waits for its outcome. */
static void script_pipelined(struct dialogue *d)
{
    const struct outcome bound = {
        .kind = OUTCOME_BOUND, .session = SESSION, .epoch = 1, .address = ADDRESS};

    reach_tls(d);
    reach_login(d);
    client_says(d, BIND("home") "<message to='bob@example.test' id='m1'><body>hi</body></message>");
    expect_log(d, "bind " USER "/home version=9 owner=3.1.2.4");
    expect_no_log(d);
    assert_false(stream_wants_read(d->stream));
    log_says(d, &bound);
    expect_log(d, "message epoch=1 m1");
    expect_output_has(d, ADDRESS);
}

/* Goal: who does not get bound in time is told so; who waits for the log is not blamed. */
static void script_too_slow(struct dialogue *d)
{
    reach_tls(d);
    time_passes(d, 29999);
    expect_server(d, "");
    time_passes(d, 1);
    expect_server(d, ERROR("connection-timeout"));
    expect_action(d, STREAM_CLOSE);
}

static void script_silent_from_the_start(struct dialogue *d)
{
    dialogue_start(d);
    time_passes(d, 30000);
    expect_header_and(d, NULL, ERROR("connection-timeout"));
    expect_action(d, STREAM_CLOSE);
}

static void script_slow_log(struct dialogue *d)
{
    reach_tls(d);
    reach_login(d);
    client_says(d, BIND("home"));
    expect_log(d, "bind " USER "/home version=9 owner=3.1.2.4");
    time_passes(d, 60000);
    expect_server(d, "");
    expect_no_action(d);
}

/* Goal: nothing is written while TLS is being set up, whatever ends the stream. */
static void script_tls_times_out(struct dialogue *d)
{
    dialogue_start(d);
    client_says(d, OPEN "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    expect_action(d, STREAM_START_TLS);
    mem_release(take_output(d));
    time_passes(d, 30000);
    expect_server(d, "");
    expect_action(d, STREAM_DROP);
}

/* Goal: a stranger's stanza is bounded more tightly than a user's. */
static void script_stranger_limit(struct dialogue *d)
{
    reach_tls(d);
    client_says(d, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>");
    for (int i = 0; i < 170; i++) {
        client_says(d, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                       "AAAAAAAAAAAAAAAAAAAAAAAA");
    }
    expect_server(d, ERROR("policy-violation"));
    expect_action(d, STREAM_CLOSE);
}

static struct blob *about;

static const struct blob *get_about(void *ctx)
{
    (void)ctx;
    return about;
}

/* Goal: the hash in the features is that of what the node says of itself at that moment. */
static void script_about(struct dialogue *d)
{
    struct about_contact contact = {"admin-addresses", "mailto:admin@example.test"};
    struct buf ver = BUF_EMPTY;

    d->config.about = get_about;
    reach_tls(d);
    about = about_new(false, &contact, 1);
    features_append_ver(0, about, &ver);
    client_says(d, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"
                   "AGFsaWNlAHNlY3JldA==</auth>");
    give_credentials(d);
    derive(d);
    client_says(d, OPEN);
    expect_output_has(d, buf_text(&ver));
    expect_output_lacks(d, CAPS);
    mem_release(take_output(d));
    blob_unref(&about);
    buf_deinit(&ver);
}

/* Goal: a stream may be freed at any time, with actions not yet taken. */
static void script_freed_in_the_middle(struct dialogue *d)
{
    dialogue_start(d);
    stream_feed(d->stream, slice_str(OPEN "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
                d->now_ms);
}

/* Goal: the client may say goodbye at any time before it is bound. */
static void script_footer_early(struct dialogue *d)
{
    reach_tls(d);
    client_says(d, "</stream:stream>");
    expect_server(d, "</stream:stream>");
    expect_action(d, STREAM_CLOSE);
    expect_no_log(d);
}

static void test_bad_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(bad_headers); i++) {
        bad_header = &bad_headers[i];
        dialogue_run(script_bad_header);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_headers),
        DIALOGUE_TEST(script_plain),
        DIALOGUE_TEST(script_scram_sha256),
        DIALOGUE_TEST(script_scram_sha1),
        DIALOGUE_TEST(script_plus_exporter),
        DIALOGUE_TEST(script_plus_end_point),
        DIALOGUE_TEST(script_plus_wrong_data),
        DIALOGUE_TEST(script_plus_unique),
        DIALOGUE_TEST(script_unique_on_tls12),
        DIALOGUE_TEST(script_header_attributes),
        DIALOGUE_TEST(script_liberal_headers),
        DIALOGUE_TEST(script_injection),
        DIALOGUE_TEST(script_second_starttls),
        DIALOGUE_TEST(script_auth_before_tls),
        DIALOGUE_TEST(script_auth_failures),
        DIALOGUE_TEST(script_no_mechanism),
        DIALOGUE_TEST(script_retry),
        DIALOGUE_TEST(script_unknown_account),
        DIALOGUE_TEST(script_derivation),
        DIALOGUE_TEST(script_leave_while_deriving),
        DIALOGUE_TEST(script_deadline_while_deriving),
        DIALOGUE_TEST(script_abort),
        DIALOGUE_TEST(script_stanza_before_login),
        DIALOGUE_TEST(script_stanza_before_bind),
        DIALOGUE_TEST(script_unknown_element),
        DIALOGUE_TEST(script_domain_changes),
        DIALOGUE_TEST(script_about),
        DIALOGUE_TEST(script_bind_refused),
        DIALOGUE_TEST(script_bind_retries),
        DIALOGUE_TEST(script_pipelined),
        DIALOGUE_TEST(script_too_slow),
        DIALOGUE_TEST(script_silent_from_the_start),
        DIALOGUE_TEST(script_slow_log),
        DIALOGUE_TEST(script_tls_times_out),
        DIALOGUE_TEST(script_stranger_limit),
        DIALOGUE_TEST(script_freed_in_the_middle),
        DIALOGUE_TEST(script_footer_early),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
